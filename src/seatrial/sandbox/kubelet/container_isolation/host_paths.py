"""`hostPath` volumes: what their `type` asks of the machine's file system before a pod may start."""

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from seatrial.sandbox.api import Object

_TESTS: Final = {
    "Directory": (stat.S_ISDIR, "a directory"),
    "File": (stat.S_ISREG, "a file"),
    "Socket": (stat.S_ISSOCK, "a socket file"),
    "CharDevice": (stat.S_ISCHR, "a character device"),
    "BlockDevice": (stat.S_ISBLK, "a block device"),
}
_MADE: Final[Mapping[str, str]] = {"": "Directory", "DirectoryOrCreate": "Directory", "FileOrCreate": "File"}


def prepare_host_path(volume: Object) -> None:
    """Make what the type says may be made, and check that the path is what it has to be.

    Args:
        volume: the `hostPath` of a volume.

    Raises:
        ValueError: it is something else; the text is the kubelet's.
        OSError: it can't be made.
    """
    kind, path = volume.get("type") or "", Path(volume["path"])
    if kind in _MADE and not path.exists():
        if _MADE[kind] == "Directory":
            path.mkdir(parents=True)
        else:
            path.touch()
    if not kind:
        return
    test, words = _TESTS[_MADE.get(kind, kind)]
    if not path.exists() or not test(path.stat().st_mode):
        raise ValueError(f"hostPath type check failed: {path} is not {words}")
