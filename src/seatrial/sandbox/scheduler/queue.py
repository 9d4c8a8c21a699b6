"""The pods that wait for a node: those to look at now, by priority, and those for which nothing fitted.

A pod that fitted nowhere is parked until something changes that could help it (`wake`). One that is woken soon after it
failed comes after all others, later with each failure; but nobody waits while the scheduler has nothing else to do.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from typing import Final, NamedTuple

from seatrial.sandbox.informer import Key
from seatrial.sandbox.scheduler.pod_info import PodInfo

_FIRST_BACKOFF_SECONDS: Final = 1.0
_LONGEST_BACKOFF_SECONDS: Final = 10.0


class _Parked(NamedTuple):
    info: PodInfo
    until: float


class SchedulingQueue:
    """Hands out pods, the most important first."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        # Entries that were overtaken stay in the heaps and are passed over.
        self._active: list[tuple[int, int, Key]] = []
        self._resting: list[tuple[int, int, int, Key]] = []
        self._entries: dict[Key, int] = {}
        self._parked: dict[Key, _Parked] = {}
        self._failures: dict[Key, int] = {}
        self._filled = asyncio.Event()

    def add(self, key: Key, priority: int) -> None:
        """Ask for a look at a pod, now."""
        self._parked.pop(key, None)
        if key in self._entries:
            return
        number = self._entries[key] = next(self._numbers)
        heapq.heappush(self._active, (-priority, number, key))
        self._filled.set()

    def park(self, info: PodInfo) -> None:
        """Keep a pod that fitted nowhere until it is woken."""
        failures = self._failures.get(info.key, 0)
        self._failures[info.key] = failures + 1
        pause = min(_FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 8), _LONGEST_BACKOFF_SECONDS)
        self._parked[info.key] = _Parked(info, asyncio.get_running_loop().time() + pause)

    def discard(self, key: Key) -> None:
        """Forget a pod: it is gone, or has its node."""
        self._parked.pop(key, None)
        self._failures.pop(key, None)
        self._entries.pop(key, None)

    def wake(self, is_helped: Callable[[PodInfo], bool]) -> None:
        """Look again at the parked pods that a change could help."""
        if not self._parked:
            return
        now = asyncio.get_running_loop().time()
        for key, parked in [item for item in self._parked.items() if is_helped(item[1].info)]:
            if parked.until <= now:
                self.add(key, parked.info.priority)
                continue
            del self._parked[key]
            number = self._entries[key] = next(self._numbers)
            # Of those whose rest ends in the same second, the most important first.
            heapq.heappush(self._resting, (int(parked.until), -parked.info.priority, number, key))
            self._filled.set()

    async def pop(self) -> Key:
        """Wait for a pod and take it."""
        while True:
            key = self._next()
            if key is not None:
                return key
            self._filled.clear()
            await self._filled.wait()

    def _next(self) -> Key | None:
        while self._active:
            _, number, key = heapq.heappop(self._active)
            if self._entries.get(key) == number:
                del self._entries[key]
                return key
        while self._resting:
            _, _, number, key = heapq.heappop(self._resting)
            if self._entries.get(key) == number:
                del self._entries[key]
                return key
        return None
