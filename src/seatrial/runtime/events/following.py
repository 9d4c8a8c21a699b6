"""Events for those who work on the event loop: what reaches a listener's thread is handed over to a task's queue."""

import asyncio
import contextlib
from collections.abc import Collection

from seatrial.runtime.events.event import Event, Record
from seatrial.runtime.events.stream import EventStream

_MOST_WAITING = 10_000


class Following:
    """The records of some kinds of events, from the moment on that this is made, for one task on this loop.

    Who follows too slowly loses what comes (counted in `lost`), rather than filling the memory.

    Args:
        events: the stream.
        kinds: the events that are followed; all others never get to the loop.
    """

    def __init__(self, events: EventStream, kinds: Collection[type[Event]]) -> None:
        self._events = events
        self._kinds = frozenset(kinds)
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Record | None] = asyncio.Queue()
        self.lost = 0
        events.subscribe(self._hear)

    async def next(self) -> Record | None:
        """The next record; None at the end, when `finish` was called and all before it were given."""
        return await self._queue.get()

    async def finish(self) -> None:
        """Let all come that was published so far, and then the end."""
        await self._events.caught_up()
        self._queue.put_nowait(None)

    def _hear(self, record: Record) -> None:
        if type(record.event) in self._kinds:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and with it whoever followed
                self._loop.call_soon_threadsafe(self._offer, record)

    def _offer(self, record: Record) -> None:
        if self._queue.qsize() < _MOST_WAITING:
            self._queue.put_nowait(record)
        else:
            self.lost += 1
