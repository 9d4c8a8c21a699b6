"""The file tree that a container sees: a directory of its own, the host's programs read-only, its volumes mounted.

There are no image layers to unpack: `/usr`, `/bin` and `/lib` are the host's, everything else is empty or made for it
(`root_template`, `/etc/hosts`, `/dev`, `/proc`), and what the container writes lands in its own directory, by an
overlay where the kernel lets us, else in a copy of the template. The whole host is at `/.host`, read-only, for what a
program finds by no other path. A command of the host that the user gave as an image sees the host's other directories
as well, and may write to them.

Runs in the container's process, in its own mount namespace, before its program.
"""

import contextlib
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Final

from seatrial.sandbox.kubelet.container_isolation import namespaces
from seatrial.sandbox.kubelet.container_isolation.root_template import HOST, PROGRAMS, shown_directories

_DEVICES: Final = ("full", "null", "random", "tty", "urandom", "zero")
_DEVICE_LINKS: Final = {
    "fd": "/proc/self/fd",
    "ptmx": "pts/ptmx",
    "stderr": "/proc/self/fd/2",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
}


@dataclass(frozen=True)
class Mount:
    """A file or directory of the machine at a path of the container."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Root:
    """What becomes the root of a container.

    Args:
        directory: the container's; what it writes stays there.
        template: what it has from the start.
        mounts: its volumes.
        hostname: for /etc/hostname.
        whole_host: show the host's other directories too, writable.
        read_only: nothing but volumes can be written to.
        hidden: programs of the host that can't be run.
    """

    directory: str
    template: str
    mounts: tuple[Mount, ...] = ()
    hostname: str = ""
    whole_host: bool = False
    read_only: bool = False
    hidden: tuple[str, ...] = ()


def enter(root: Root) -> None:
    """Make a directory the root of this process, which must have a mount namespace of its own.

    Raises:
        OSError: a mount failed.
    """
    namespaces.make_private()
    tree = _Tree(root)
    places = tree.make_places()
    tree.lay_over()
    tree.show_host()
    tree.show_system()
    tree.hide_programs()
    for mount, place in places:
        _make_place(Path(place), is_file=Path(mount.source).is_file())
        namespaces.bind(mount.source, place, read_only=mount.read_only)
    namespaces.change_root(root.directory)
    if root.read_only:
        namespaces.make_read_only("/", alone=True)


def _make_place(place: Path, *, is_file: bool) -> None:
    """A mount point in another mount, /dev or a volume, which hides the one that was made for it."""
    if place.exists():
        return
    if is_file:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    else:
        place.mkdir(parents=True, exist_ok=True)


class HostModules(MetaPathFinder):
    """Finds this Python's modules where `enter` has put them; the last finder, since most are loaded already."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As Python's own finder, on the host's paths."""
        places = [_on_host(entry) for entry in (sys.path if path is None else path)]
        return PathFinder.find_spec(fullname, places, target)


def host_path(path: str) -> str:
    """Where a container finds a file of the host."""
    top = PurePosixPath(path).parts[1:2]
    return path if top and top[0] in PROGRAMS else _on_host(path)


def _on_host(path: str) -> str:
    return f"{HOST}{path}" if path.startswith("/") and not path.startswith(f"{HOST}/") else path


class _Tree:
    """A root directory in the making, still reached from outside."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._own = Path(root.directory)
        self._template = Path(root.template)
        self._shown = shown_directories(whole_host=root.whole_host)
        self._replaced: set[str] = set()

    def make_places(self) -> list[tuple[Mount, str]]:
        """What is the container's own from the start, and mount points, the outer first."""
        self._write_names()
        mounts = sorted(self._root.mounts, key=lambda mount: len(PurePosixPath(mount.target).parts))
        return [(m, str(self._make_room(m.target, is_file=Path(m.source).is_file()))) for m in mounts]

    def lay_over(self) -> None:
        """Show the template below what the container has of its own."""
        own = str(self._own)
        work = self._own.with_name(f"{self._own.name}.work")
        work.mkdir(exist_ok=True)
        options = f"lowerdir={self._template},upperdir={own},workdir={work}"
        try:
            namespaces.mount("overlay", own, kind="overlay", options=options)
        except OSError:
            self._copy_template()
            namespaces.bind(own, own)
        else:
            # The kernel makes a directory there that an ordinary user could not remove.
            (work / "work").chmod(0o700)

    def show_host(self) -> None:
        """The host's directories at their places, and all of it at `/.host`."""
        writable = self._root.whole_host
        namespaces.bind("/", self._place(".host"), read_only=not writable)
        for name in self._shown:
            host = Path("/", name)
            if name not in self._replaced and host.is_dir() and not host.is_symlink():
                namespaces.bind(str(host), self._place(name), read_only=not writable)

    def show_system(self) -> None:
        """/proc, /sys and /dev."""
        try:
            namespaces.mount("proc", self._place("proc"), kind="proc", flags=namespaces.HARMLESS)
        except OSError:
            namespaces.bind("/proc", self._place("proc"))
        with contextlib.suppress(OSError):
            namespaces.bind("/sys", self._place("sys"), read_only=True)
        self._make_devices()

    def hide_programs(self) -> None:
        """Put what can't be run in place of some programs."""
        for name in self._root.hidden:
            found = shutil.which(name)
            place = self._own / str(Path(found).resolve()).removeprefix("/") if found else self._own / name
            if place.is_file():
                namespaces.bind("/dev/null", str(place))

    def _place(self, name: str) -> str:
        return str(self._own / name)

    def _make_devices(self) -> None:
        devices = self._own / "dev"
        namespaces.mount("none", str(devices), kind="tmpfs", options="mode=755,size=65536k")
        for name in _DEVICES:
            (devices / name).touch()
            with contextlib.suppress(OSError):
                namespaces.bind(f"/dev/{name}", str(devices / name))
        for name, target in _DEVICE_LINKS.items():
            (devices / name).symlink_to(target)
        for name in ("pts", "shm"):
            (devices / name).mkdir()
            (devices / name).chmod(0o1777)
        with contextlib.suppress(OSError):
            namespaces.bind("/dev/pts", str(devices / "pts"))

    def _write_names(self) -> None:
        etc, name = self._own / "etc", self._root.hostname
        etc.mkdir()
        (etc / "hostname").write_text(f"{name}\n")

    def _copy_template(self) -> None:
        for entry in self._template.rglob("*"):
            own = self._own / entry.relative_to(self._template)
            if os.path.lexists(own) or any(parent.is_symlink() for parent in own.parents):
                continue
            if entry.is_symlink():
                own.symlink_to(entry.readlink())
            elif entry.is_dir():
                own.mkdir(mode=entry.stat().st_mode)
                own.chmod(entry.stat().st_mode & 0o7777)
            else:
                shutil.copyfile(entry, own)

    def _make_room(self, path: str, *, is_file: bool) -> Path:
        """A mount point in what is the container's own; a link into the host on the way becomes a directory."""
        parts = [part for part in PurePosixPath(path).parts if part not in {"/", ".."}]
        here = self._own
        for index, part in enumerate(parts):
            here = here / part
            rest = PurePosixPath(*parts[index + 1 :])
            is_last = index == len(parts) - 1
            link = self._link_at(here)
            if link is not None and not link.startswith(f"{HOST}/"):
                target = os.path.normpath(PurePosixPath("/", *parts[:index]) / link / rest)
                return self._make_room(target, is_file=is_file)
            if is_last and is_file:
                here.unlink(missing_ok=True)
                here.touch()
            elif here.is_symlink() or not here.exists():
                here.unlink(missing_ok=True)
                here.mkdir()
                self._fill(here, link)
        return here

    def _link_at(self, here: Path) -> str | None:
        """Where a path leads that is a link, by what the container has of its own, the template, and the host."""
        original = self._template / here.relative_to(self._own)
        link = next((str(p.readlink()) for p in (here, original) if p.is_symlink()), None)
        if link is None or (here.is_dir() and not here.is_symlink()):
            return None
        real = Path(link.removeprefix(HOST))
        return str(real.readlink()) if link.startswith(f"{HOST}/") and real.is_symlink() else link

    def _fill(self, here: Path, link: str | None) -> None:
        """Show what the host has at a place that isn't the host's any more."""
        place = here.relative_to(self._own)
        if link is not None:
            real = Path(link.removeprefix(HOST))
        elif str(place) in self._shown:
            real = Path("/", place)
            self._replaced.add(str(place))
        else:
            return
        for child in real.iterdir() if real.is_dir() else ():
            (here / child.name).symlink_to(f"{HOST}{child}")
