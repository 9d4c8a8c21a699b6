"""Control groups of the kernel: what keeps a container to its limits where this user may have them (cgroups(7)).

One group a container with limits, below the group that the machine itself is in; none for a container without. Others'
groups are left alone: only a group that was handed to this user is built on, that is one that belongs to it, that its
manager has marked as delegated, or the topmost one that it sees. Where there is none, `resource_limits` makes do.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seatrial.sandbox.kubelet import process

_ROOT: Final = Path("/sys/fs/cgroup")
_PREFIX: Final = "seatrial-"
_NAMED_CHARACTERS: Final = 12
_PERIOD_MICROSECONDS: Final = 100_000
# What the kernel accepts at least.
_LEAST_QUOTA_MICROSECONDS: Final = 1_000
_PARENTS_FILE: Final = "control-groups"
# A process that was killed stays in its group for a moment.
_TRIES: Final = 100
_TRY_SECONDS: Final = 0.01
_MARKS: Final = ("user.delegate", "trusted.delegate")


@dataclass(frozen=True)
class Hierarchy:
    """Where groups may be made.

    Args:
        memory: the directory for those that limit memory; None where that isn't allowed.
        cpu: the same for processor time.
        unified: whether it is version 2, which has one hierarchy for both.
    """

    memory: Path | None = None
    cpu: Path | None = None
    unified: bool = False

    @property
    def parents(self) -> frozenset[Path]:
        """The directories that groups are made in."""
        return frozenset(parent for parent in (self.memory, self.cpu) if parent is not None)


def find_hierarchy(*, root: Path = _ROOT, membership: str | None = None) -> Hierarchy:
    """Find out what this process may do.

    Args:
        root: where the hierarchies are mounted.
        membership: what proc(5) tells in `/proc/self/cgroup`.
    """
    if membership is None:
        try:
            membership = Path("/proc/self/cgroup").read_text()
        except OSError:
            return Hierarchy()
    lines = [line.split(":", 2) for line in membership.splitlines()]
    places = {name: path for _, names, path in lines for name in names.split(",")}
    if (root / "cgroup.controllers").exists():
        return _find_unified(root, places.get("", "/"))
    memory, cpu = (_usable(root / name, places.get(name)) for name in ("memory", "cpu"))
    return Hierarchy(memory, cpu)


def _find_unified(root: Path, path: str) -> Hierarchy:
    # A group that holds processes has no groups with limits: they stand beside it.
    for place in dict.fromkeys((path, str(Path(path).parent))):
        parent = _usable(root, place)
        if parent is not None:
            controllers = _read(parent / "cgroup.subtree_control").split()
            memory, cpu = (parent if name in controllers else None for name in ("memory", "cpu"))
            if memory or cpu:
                return Hierarchy(memory, cpu, unified=True)
    return Hierarchy()


def _usable(root: Path, path: str | None) -> Path | None:
    """The group of that path, if groups may be made in it."""
    if path is None:
        return None
    directory = root / path.lstrip("/")
    writable = os.access(directory, os.W_OK) and os.access(directory / "cgroup.procs", os.W_OK)
    return directory if writable and (path == "/" or _is_handed_over(directory)) else None


def _is_handed_over(directory: Path) -> bool:
    if os.geteuid() and directory.stat().st_uid == os.geteuid():
        return True
    for mark in _MARKS:
        with contextlib.suppress(OSError):
            if os.getxattr(directory, mark) == b"1":
                return True
    return False


@dataclass(frozen=True)
class Limits:
    """What a container may use at most; 0 for as much as there is."""

    memory_bytes: int = 0
    cpu_cores: float = 0.0


class ControlGroups:
    """The groups of one machine's containers.

    Args:
        hierarchy: where they may be made.
        directory: the machine's; it is noted there which groups are to be removed with it.
        sandbox: begins the groups' names.
    """

    def __init__(self, hierarchy: Hierarchy, *, directory: Path, sandbox: str) -> None:
        self._hierarchy = hierarchy
        self._directory = directory
        self._prefix = f"{_PREFIX}{sandbox}.{directory.name}."
        self._doomed = set(_noted_groups(directory, self._prefix))
        self._noted = False
        self.sweep()

    @property
    def limit_memory(self) -> bool:
        """Whether memory can be limited by groups."""
        return self._hierarchy.memory is not None

    def groups_of(self, container_id: str) -> tuple[Path, ...]:
        """The groups that a container has."""
        name = self._name(container_id)
        return tuple(group for parent in self._hierarchy.parents if (group := parent / name).is_dir())

    def limit(self, container_id: str, limits: Limits, pids: Iterable[int] = ()) -> tuple[Path, ...]:
        """Set a container's limits; answers the groups that its processes are to enter.

        Args:
            container_id: whose.
            limits: what it may use.
            pids: those of its processes that run already.

        Raises:
            OSError: the kernel refuses, such as a limit below what can't be taken away any more.
        """
        wanted = self._wanted(limits)
        for parent in wanted:
            group = parent / self._name(container_id)
            if not group.is_dir():
                self._note()
                group.mkdir()
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        (group / "cgroup.procs").write_text(str(pid))
        groups = self.groups_of(container_id)
        for group in groups:
            self._write(group, limits)
        return groups

    def _name(self, container_id: str) -> str:
        return self._prefix + container_id[:_NAMED_CHARACTERS]

    def _wanted(self, limits: Limits) -> set[Path]:
        memory = self._hierarchy.memory if limits.memory_bytes else None
        cpu = self._hierarchy.cpu if limits.cpu_cores else None
        return {parent for parent in (memory, cpu) if parent is not None}

    def _write(self, group: Path, limits: Limits) -> None:
        files = _unified_files(limits) if self._hierarchy.unified else _separate_files(limits)
        for name, value in files.items():
            if (group / name).exists():
                (group / name).write_text(value)

    def exceeded_memory(self, container_id: str) -> bool:
        """Whether the kernel has killed one of a container's processes for memory."""
        if self._hierarchy.memory is None:
            return False
        group = self._hierarchy.memory / self._name(container_id)
        told = _read(group / ("memory.events" if self._hierarchy.unified else "memory.oom_control"))
        counts = dict(line.split() for line in told.splitlines())
        return int(counts.get("oom_kill", 0)) > 0

    def release(self, container_id: str) -> None:
        """A container has ended: kill what it left in its groups, and remove them."""
        self._doomed.update(self.groups_of(container_id))
        self.sweep()

    def sweep(self) -> None:
        """Remove the groups of ended containers that nobody is in any more."""
        self._doomed = {group for group in self._doomed if not _remove(group)}

    def _note(self) -> None:
        if not self._noted:
            self._noted = True
            lines = sorted(map(str, self._hierarchy.parents))
            (self._directory / _PARENTS_FILE).write_text("\n".join(lines), encoding="utf-8")


def remove_groups(sandbox: str, machines: Path) -> None:
    """Remove the groups of all containers of a sandbox whose processes are gone.

    Args:
        sandbox: its id.
        machines: where the machines' directories are.
    """
    noted = machines.glob(f"*/{_PARENTS_FILE}")
    left = {group for file in noted for group in _noted_groups(file.parent, f"{_PREFIX}{sandbox}.")}
    for _ in range(_TRIES):
        left = {group for group in left if not _remove(group)}
        if not left:
            return
        time.sleep(_TRY_SECONDS)


def _noted_groups(machine: Path, prefix: str) -> list[Path]:
    """The groups that are there, where a machine's directory tells that it made some."""
    parents = [Path(line) for line in _read(machine / _PARENTS_FILE).splitlines()]
    return [group for parent in parents for group in parent.glob(f"{prefix}*")]


def enter(groups: Iterable[Path]) -> None:
    """Go into groups, with what will be forked.

    Raises:
        OSError: one is gone.
    """
    for group in groups:
        (group / "cgroup.procs").write_text("0")


def _remove(group: Path) -> bool:
    """Whether the group is gone; else what is in it is killed."""
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        for pid in _members(group):
            process.send_signal(pid, signal.SIGKILL)
        return False
    return True


def _members(group: Path) -> Iterator[int]:
    return (int(pid) for pid in _read(group / "cgroup.procs").split())


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""


def _quota(limits: Limits) -> int:
    return max(round(limits.cpu_cores * _PERIOD_MICROSECONDS), _LEAST_QUOTA_MICROSECONDS) if limits.cpu_cores else 0


def _unified_files(limits: Limits) -> dict[str, str]:
    return {
        # All of the container goes, as the kubelet asks for.
        "memory.oom.group": "1",
        "memory.swap.max": "0" if limits.memory_bytes else "max",
        "memory.max": str(limits.memory_bytes or "max"),
        "cpu.max": f"{_quota(limits) or 'max'} {_PERIOD_MICROSECONDS}",
    }


def _separate_files(limits: Limits) -> dict[str, str]:
    return {
        "memory.limit_in_bytes": str(limits.memory_bytes or -1),
        "cpu.cfs_period_us": str(_PERIOD_MICROSECONDS),
        "cpu.cfs_quota_us": str(_quota(limits) or -1),
    }
