"""Keeps a machine's containers to their limits: by control groups where there are some, else by watching.

Without groups a container that takes too much memory is noticed and killed (`memory_watch`); processor time can't be
limited from outside then, and isn't.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path

from seatrial.sandbox.kubelet.container_isolation.control_groups import ControlGroups, Limits
from seatrial.sandbox.kubelet.memory_watch import MemoryWatch
from seatrial.sandbox.kubelet.process_usage import tree_of
from seatrial.sandbox.kubelet.protocol import Container
from seatrial.sandbox.kubelet.reactor import Reactor


class ResourceLimits:
    """The limits of a machine's containers.

    Args:
        reactor: the machine's loop.
        groups: the containers' control groups.
        kill: takes the main process of a container that exceeds its memory limit.
    """

    def __init__(self, reactor: Reactor, *, groups: ControlGroups, kill: Callable[[int], None]) -> None:
        self._groups = groups
        self._kill = kill
        self._watch = MemoryWatch(reactor, kill=kill)

    def prepare(self, container: Container) -> tuple[Path, ...]:
        """Before a container's process is forked: the groups that it has to enter."""
        limits = _limits(container)
        if limits == Limits():
            return ()
        try:
            return self._groups.limit(container.id, limits)
        except OSError:
            self._groups.release(container.id)
            return ()

    def started(self, container: Container, pid: int, *, groups: tuple[Path, ...]) -> None:
        """Its main process runs."""
        if not (groups and self._groups.limit_memory):
            self._watch.set_limit(pid, container.memory_limit_bytes)

    def groups_of(self, container_id: str) -> tuple[Path, ...]:
        """The groups that commands in a running container have to enter."""
        return self._groups.groups_of(container_id)

    def change(self, container_id: str, pid: int, limits: Limits) -> None:
        """Give a running container other limits; one that has more memory than that already is killed."""
        try:
            self._groups.limit(container_id, limits, tree_of(pid))
        except OSError:
            self._kill(pid)
            return
        if not self._groups.limit_memory:
            self._watch.set_limit(pid, limits.memory_bytes)

    def ended(self, container_id: str, pid: int) -> bool:
        """Its main process has ended; answers whether the kernel has killed for memory in the container."""
        self._watch.set_limit(pid, 0)
        exceeded = self._groups.exceeded_memory(container_id)
        self._groups.release(container_id)
        return exceeded

    def sweep(self) -> None:
        """Remove what is left of ended containers."""
        with contextlib.suppress(OSError):
            self._groups.sweep()


def _limits(container: Container) -> Limits:
    return Limits(memory_bytes=container.memory_limit_bytes, cpu_cores=container.cpu_limit_cores)
