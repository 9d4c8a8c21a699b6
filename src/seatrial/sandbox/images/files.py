"""Files that a web server hands out from a mounted volume."""

from collections.abc import Mapping
from pathlib import Path


def mounted(path: str, environ: Mapping[str, str]) -> Path | None:
    """The folder of a volume that is mounted at a path of the container, or None."""
    folder = Path(environ.get("SEATRIAL_ROOTFS") or "/nonexistent", path.lstrip("/"))
    return folder if folder.is_dir() else None


def file_below(root: Path | None, path: str) -> Path | None:
    """The file that a request's path names, or None; a directory stands for its index.html.

    Symbolic links are followed inside the volume only (a config map's volume is made of them).
    """
    if root is None:
        return None
    file = (root / path.lstrip("/")).resolve()
    if not file.is_relative_to(root.resolve()):
        return None
    if file.is_dir():
        file /= "index.html"
    return file if file.is_file() else None
