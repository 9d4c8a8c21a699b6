"""`tar`: what `kubectl cp` runs in a container, with busybox's words.

`c`, `x` and `t` with `f`, `C`, `z`, `v`, `m`, `O`; other flags, and long options, are read and make no difference.
Where a container has no file tree of its own, absolute paths are those below its root directory.
"""

import os
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from seatrial.sandbox.images.serving import complain

_WITH_ARGUMENT = frozenset("fCTXb")


class _WrongUsageError(Exception):
    """The arguments make no sense."""


@dataclass
class _Wanted:
    flags: set[str] = field(default_factory=set)
    file: str = "-"
    directory: str = ""
    names: list[str] = field(default_factory=list)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Make, unpack or list an archive."""
    try:
        wanted = _parse(list(argv[1:]))
        root = Path(environ.get("SEATRIAL_ROOTFS") or "/")
        if wanted.directory:
            os.chdir(_inside(root, wanted.directory))
        return _create(wanted, root) if "c" in wanted.flags else _read(wanted, root)
    except _WrongUsageError as error:
        complain(f"tar: {error}")
    except tarfile.TarError as error:
        complain(f"tar: {str(error) or 'short read'}")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as error:
        complain(f"tar: can't open '{error.filename}': {error.strerror}")
    return 1


def _parse(words: list[str]) -> _Wanted:
    wanted = _Wanted()
    is_first = True
    while words:
        word = words.pop(0)
        if word == "--":
            wanted.names += words
            break
        if word.startswith("--"):
            continue
        if is_first or (word.startswith("-") and len(word) > 1):
            _take_flags(word.removeprefix("-"), words, wanted)
        else:
            wanted.names.append(word)
        is_first = False
    if len(wanted.flags & set("cxt")) != 1:
        raise _WrongUsageError("need at least one option of c, x and t")
    return wanted


def _take_flags(bundle: str, words: list[str], wanted: _Wanted) -> None:
    for place, flag in enumerate(bundle):
        if flag not in _WITH_ARGUMENT:
            wanted.flags.add(flag)
            continue
        rest = bundle[place + 1 :]
        # `-Cdir` or `-C dir`; in an old-style bundle (`xfC`) arguments follow in order.
        is_attached = bool(rest) and flag == "C"
        if not is_attached and not words:
            raise _WrongUsageError(f"option requires an argument -- '{flag}'")
        value = rest if is_attached else words.pop(0)
        if flag == "f":
            wanted.file = value
        elif flag == "C":
            wanted.directory = value
        if is_attached:
            return


def _inside(root: Path, name: str) -> Path:
    """Where a path of the container is: below its root, unless only the host has it."""
    if not name.startswith("/"):
        return Path(name)
    below = root / name.lstrip("/")
    return below if below.exists() or not Path(name).exists() or below.parent.exists() else Path(name)


def _create(wanted: _Wanted, root: Path) -> int:
    if not wanted.names:
        raise _WrongUsageError("empty archive")
    mode: Literal["w|gz", "w|"] = "w|gz" if "z" in wanted.flags else "w|"
    failed = False
    with _open(wanted.file, root, "wb", sys.stdout.buffer) as file:
        with tarfile.open(fileobj=file, mode=mode, format=tarfile.GNU_FORMAT) as archive:
            is_told = False
            for name in wanted.names:
                if name.startswith("/") and not is_told:
                    complain("tar: removing leading '/' from member names")
                    is_told = True
                try:
                    archive.add(_inside(root, name), arcname=name.lstrip("/") or ".")
                except OSError as error:
                    complain(f"tar: {name}: {error.strerror}")
                    failed = True
        file.flush()
    if failed:
        complain("tar: error exit delayed from previous errors")
    return int(failed)


def _read(wanted: _Wanted, root: Path) -> int:
    mode: Literal["r|gz", "r|"] = "r|gz" if "z" in wanted.flags else "r|"
    with (
        _open(wanted.file, root, "rb", sys.stdin.buffer) as file,
        tarfile.open(fileobj=file, mode=mode) as archive,
    ):
        for member in archive:
            if wanted.names and not any(_is_below(member.name, name) for name in wanted.names):
                continue
            if "t" in wanted.flags or "v" in wanted.flags:
                sys.stdout.write(member.name + ("/" if member.isdir() else "") + "\n")
            if "x" in wanted.flags:
                _extract(archive, member, wanted)
        while file.read(65536):
            # To the end, so that whoever writes the padding isn't cut off.
            pass
    sys.stdout.flush()
    return 0


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, wanted: _Wanted) -> None:
    if "O" in wanted.flags:
        content = archive.extractfile(member)
        if content is not None:
            sys.stdout.buffer.write(content.read())
        return
    if not {"p"} & wanted.flags:
        member.mode = (member.mode or 0o644) & ~_umask()
    member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
    _keep_inside(member)
    archive.extraction_filter = lambda extracted, _path: extracted
    archive.extract(member, ".")
    if "m" in wanted.flags and not member.issym():
        os.utime(member.name)


def _keep_inside(member: tarfile.TarInfo) -> None:
    """What `tarfile.tar_filter` does, which Python has since 3.11.4: relative names, none that lead out, tame modes."""
    member.name = member.name.lstrip("/")
    member.mode = (member.mode or 0o644) & 0o755
    here, target = Path.cwd().resolve(), Path(member.name).resolve()
    if not target.is_relative_to(here):
        raise tarfile.TarError(
            f"{member.name!r} would be extracted to {str(target)!r}, which is outside the destination"
        )


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _is_below(name: str, wanted: str) -> bool:
    wanted = wanted.strip("/")
    return name.strip("/") == wanted or name.startswith(f"{wanted}/")


def _open(name: str, root: Path, mode: Literal["rb", "wb"], standard: IO[bytes]) -> IO[bytes]:
    if name == "-":
        return open(os.dup(standard.fileno()), mode, buffering=0 if mode == "rb" else -1)  # noqa: PTH123 -- a descriptor
    return _inside(root, name).open(mode)
