"""Keeps containers to their memory limits: looks how much their processes have and kills those that have too much.

The kernel would do this with a cgroup, which an ordinary user seldom may make. What counts is what a container doesn't
share: most of a built-in program's memory is the machine's own.

A thousand containers can't be looked at ten times a second. So what is looked at so often is the free memory of the
whole machine: when much of it has gone, all containers with limits are looked at, else once a second. A container may
exceed its limit for that long.
"""

from collections.abc import Callable
from typing import Final

from seatrial.sandbox.kubelet.process_usage import available_memory, exclusive_memory, resident_memory, tree_of
from seatrial.sandbox.kubelet.reactor import Reactor, Timer

_PERIOD_SECONDS: Final = 0.1
_PERIODS_A_LOOK: Final = 10
_MUCH_BYTES: Final = 16 * 1024 * 1024


class MemoryWatch:
    """Looks while there is a container with a limit.

    Args:
        reactor: the machine's loop.
        kill: takes the main process of a container that exceeds its limit.
    """

    def __init__(self, reactor: Reactor, *, kill: Callable[[int], None]) -> None:
        self._reactor = reactor
        self._kill = kill
        self._limits: dict[int, int] = {}
        self._timer: Timer | None = None
        self._periods = 0
        self._available = 0

    def set_limit(self, pid: int, limit_bytes: int) -> None:
        """Watch a main process and its descendants; 0 to stop."""
        if limit_bytes:
            self._limits[pid] = limit_bytes
            self._periods = 0
            if self._timer is None:
                self._timer = self._reactor.call_later(_PERIOD_SECONDS, self._look)
        else:
            self._limits.pop(pid, None)

    def _look(self) -> None:
        self._timer = None
        available = available_memory()
        if self._periods == 0 or self._available - available > _MUCH_BYTES:
            self._available = available
            self._look_at_all()
        self._periods = (self._periods + 1) % _PERIODS_A_LOOK
        if self._limits:
            self._timer = self._reactor.call_later(_PERIOD_SECONDS, self._look)

    def _look_at_all(self) -> None:
        for pid, limit in tuple(self._limits.items()):
            if self._exceeds(pid, limit):
                self._kill(pid)

    def _exceeds(self, pid: int, limit: int) -> bool:
        tree = tree_of(pid)
        # Cheap first: nobody has more for himself than is resident.
        if sum(resident_memory(each) for each in tree) <= limit:
            return False
        return sum(exclusive_memory(each) for each in tree) > limit
