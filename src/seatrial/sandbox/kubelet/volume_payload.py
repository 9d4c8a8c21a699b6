"""The files of a ConfigMap, Secret, token or downward API volume, replaced all at once.

As the kubelet lays them out: `..data` is a link to a directory with the content, `NAME` a link to `..data/NAME`.
Whoever watches `..data` or reads a file finds the old content or the new, never half of it.
"""

import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_DATA: Final = "..data"


@dataclass(frozen=True)
class File:
    """A file to be: its content and permissions."""

    content: bytes
    mode: int = 0o644


def write_payload(directory: Path, files: Mapping[str, File]) -> None:
    """Make the files of a volume what they are to be; nothing is touched where they are so already.

    Args:
        directory: the volume's; exists.
        files: by their paths in it.
    """
    if _is_current(directory, files):
        return
    content = directory / f"..{secrets.token_hex(8)}"
    for path, file in files.items():
        target = content / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(file.mode)
    content.mkdir(exist_ok=True)
    old = str((directory / _DATA).readlink()) if (directory / _DATA).is_symlink() else ""
    _link(directory / _DATA, content.name)
    names = {path.partition("/")[0] for path in files}
    for name in names:
        _link(directory / name, f"{_DATA}/{name}")
    for entry in directory.iterdir():
        if not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()
    if old:
        shutil.rmtree(directory / old, ignore_errors=True)


def _link(path: Path, target: str) -> None:
    draft = path.with_name(f"..{path.name.lstrip('.')}.draft")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    draft.replace(path)


def _is_current(directory: Path, files: Mapping[str, File]) -> bool:
    data = directory / _DATA
    if not data.is_symlink():
        return False
    present = {str(path.relative_to(data)): path for path in data.rglob("*") if path.is_file()}
    return present.keys() == files.keys() and all(
        path.read_bytes() == files[name].content and path.stat().st_mode & 0o777 == files[name].mode
        for name, path in present.items()
    )
