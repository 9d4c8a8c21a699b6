"""What all containers of a node have in their file trees from the start; made once, shared read-only by all of them.

Empty directories, a little of `/etc`, and mount points for the host's programs. Where links of it lead into the host,
they go through `/.host`, where `root_filesystem` shows the whole of it.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

HOST: Final = "/.host"
PROGRAMS: Final = ("bin", "gnu", "lib", "lib32", "lib64", "libx32", "nix", "sbin", "usr")
_EMPTY: Final = {"home": 0o755, "mnt": 0o755, "opt": 0o755, "root": 0o700, "run": 0o755, "srv": 0o755, "tmp": 0o1777}
_MOUNT_POINTS: Final = (".host", "dev", "proc", "sys")
_OWN_PLACES: Final = frozenset({*_MOUNT_POINTS, "etc", "lost+found"})
# What programs of the host want of /etc: certificates, the linker's cache, time zone, names of ports.
_SETTINGS: Final = (
    "alternatives",
    "ca-certificates",
    "debian_version",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "os-release",
    "pki",
    "protocols",
    "services",
    "ssl",
    "terminfo",
    "timezone",
)
_OVERRIDDEN: Final = ("hostname", "hosts")
_FILES: Final = {
    "group": "root:x:0:\nnogroup:x:65534:\n",
    "passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
}


def shown_directories(*, whole_host: bool) -> list[str]:
    """Which directories of the host's root a container has at the same place."""
    if not whole_host:
        return [name for name in PROGRAMS if os.path.lexists(f"/{name}")]
    return [entry.name for entry in Path("/").iterdir() if entry.name not in _OWN_PLACES]


def make_template(directory: Path, *, whole_host: bool) -> None:
    """Make the template, unless it is there: containers may be using it.

    Args:
        directory: where.
        whole_host: for programs of the user's, which find the host's files where they are.
    """
    if directory.exists():
        return
    draft = directory.with_name(f"{directory.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name in (*_MOUNT_POINTS, "etc"):
        (draft / name).mkdir()
    shown = shown_directories(whole_host=whole_host)
    _show(draft, shown)
    for name, mode in _EMPTY.items():
        if name not in shown:
            (draft / name).mkdir()
            (draft / name).chmod(mode)
    if "var" not in shown:
        for name in ("log", "run", "tmp"):
            (draft / "var" / name).mkdir(parents=True)
    _write_settings(draft / "etc", whole_host=whole_host)
    draft.rename(directory)


def _show(root: Path, names: Iterable[str]) -> None:
    for name in names:
        host = Path("/", name)
        if host.is_symlink():
            (root / name).symlink_to(host.readlink())
        elif host.is_dir():
            (root / name).mkdir()
        else:
            (root / name).symlink_to(f"{HOST}/{name}")


def _write_settings(etc: Path, *, whole_host: bool) -> None:
    names = [entry.name for entry in Path("/etc").iterdir()] if whole_host else _SETTINGS
    for name in names:
        if name not in _OVERRIDDEN and os.path.lexists(f"/etc/{name}"):
            (etc / name).symlink_to(f"{HOST}/etc/{name}")
    if not whole_host:
        for name, text in {**_FILES, "resolv.conf": _resolver()}.items():
            (etc / name).write_text(text)


def _resolver() -> str:
    try:
        return Path("/etc/resolv.conf").read_text()
    except OSError:
        return ""
