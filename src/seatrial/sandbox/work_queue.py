"""A queue of keys that have to be looked at again: what stands between a watch and a controller.

Works as client-go's: a key that is waiting is not queued twice; a key that is being worked on and changes
meanwhile is worked on once more afterwards, never by two workers at the same time; a key whose work failed
comes back after a pause that doubles with each failure. Keys carry no content: a worker reads the newest
state, so a hundred changes of one object may cost one look at it.

`informer.py` fills such queues, `controllers/` empty them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import structlog

from seatrial.sandbox.api import ApiError

Key = TypeVar("Key", bound=Hashable)

_log = structlog.get_logger(__name__)


class WorkQueue(Generic[Key]):
    """Keys to work on, each at most once at a time.

    Args:
        name: stands in log lines.
        base_delay_seconds: the pause after a key's first failure; doubles with each further one.
        max_delay_seconds: the longest such pause.
    """

    def __init__(self, name: str = "", *, base_delay_seconds: float = 0.005, max_delay_seconds: float = 60.0) -> None:
        self._name = name
        self._base_delay_seconds = base_delay_seconds
        self._max_delay_seconds = max_delay_seconds
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()
        self._in_work: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        """How many keys are ready to be worked on; delayed ones don't count."""
        return self._ready.qsize()

    def add(self, key: Key) -> None:
        """Ask for work on a key, now."""
        if key in self._waiting:
            return
        self._waiting.add(key)
        if key not in self._in_work:
            self._ready.put_nowait(key)

    def add_after(self, key: Key, delay_seconds: float) -> None:
        """Ask for work on a key after a pause; of several pauses only the one that ends first counts.

        So whoever needs a later look asks for it again at each look, as with client-go's queue.
        """
        if delay_seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + delay_seconds
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= due:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(due, self._timer_ended, key)

    def add_rate_limited(self, key: Key) -> None:
        """Ask for work on a key whose last try failed: the pause doubles each time."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        # The exponent is bounded, since a float overflows at 2**1024.
        delay_seconds = self._base_delay_seconds * 2.0 ** min(failures, 64)
        self.add_after(key, min(delay_seconds, self._max_delay_seconds))

    def forget(self, key: Key) -> None:
        """Take a key's failures off its record."""
        self._failures.pop(key, None)

    def failures(self, key: Key) -> int:
        """How often in a row the work on a key failed."""
        return self._failures.get(key, 0)

    async def get(self) -> Key:
        """Wait for a key and take it; `done` gives it back."""
        key = await self._ready.get()
        self._waiting.discard(key)
        self._in_work.add(key)
        return key

    def done(self, key: Key) -> None:
        """Say that the work on a key has ended; it comes again if it was asked for meanwhile."""
        self._in_work.discard(key)
        if key in self._waiting:
            self._ready.put_nowait(key)

    async def work(self, handle: Callable[[Key], Awaitable[None]], *, workers: int = 1) -> None:
        """Hand each key to `handle`, until cancelled; a key whose handling raises comes back later.

        Args:
            handle: brings the world closer to what the key's object asks for.
            workers: how many keys may be worked on at the same time.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._work_on(handle))
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()

    async def _work_on(self, handle: Callable[[Key], Awaitable[None]]) -> None:
        while True:
            key = await self.get()
            try:
                await handle(key)
            except ApiError as error:
                # A conflict or an object that went away is daily business: the next look settles it.
                log = _log.debug if error.code in {404, 409} else _log.warning
                log("work failed", queue=self._name, key=str(key), error=str(error))
                self.add_rate_limited(key)
            except Exception:  # noqa: BLE001 -- one key's bug must not stop the work on the others
                _log.exception("work failed", queue=self._name, key=str(key))
                self.add_rate_limited(key)
            else:
                self.forget(key)
            finally:
                self.done(key)

    def _timer_ended(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)
