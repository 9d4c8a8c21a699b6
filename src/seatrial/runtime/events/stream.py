"""The stream that hands each event to every listener, in a thread of the listener's own.

A listener has a queue: one that is slow or fails loses events (counted) and never hurts the experiment.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable

from seatrial.runtime.clock import Clock
from seatrial.runtime.events.event import Event, Record, Where

_log = logging.getLogger(__name__)
_QUEUE_SIZE = 10_000
_BATCH_SECONDS = 0.02
_NOWHERE = Where()

Listener = Callable[[Record], None]


class EventStream:
    """Hands each event to every listener, in order, without ever waiting for one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sequence = 0
        self._subscriptions: list[_Subscription] = []

    def subscribe(self, listener: Listener) -> None:
        """Add a listener, called in a thread of its own; it sees what is published from here on."""
        self._subscriptions.append(_Subscription(listener))

    def publish(self, event: Event, where: Where = _NOWHERE) -> None:
        """Stamp an event and queue it for every listener."""
        self._sequence += 1
        record = Record(self._sequence, self._clock.now(), self._clock.monotonic(), where, event)
        for subscription in self._subscriptions:
            subscription.offer(record)

    async def caught_up(self, *, deadline_seconds: float = 5) -> None:
        """Return when every listener has seen what was published so far; a slow one is waited for at most that long."""
        catching_up = (asyncio.to_thread(each.catch_up, deadline_seconds) for each in self._subscriptions)
        await asyncio.gather(*catching_up)

    async def close(self, *, deadline_seconds: float = 5) -> None:
        """Let the listeners finish what is queued, at most that long."""
        subscriptions, self._subscriptions = self._subscriptions, []
        closing = (asyncio.to_thread(each.close, deadline_seconds) for each in subscriptions)
        await asyncio.gather(*closing)


class _Subscription:
    """One listener with its queue and thread: a terminal that stands still blocks the thread, not the run.

    The thread wakes up at most every `_BATCH_SECONDS`: one wake-up an event would cost the run more than the events do.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._waiting: deque[Record | threading.Event] = deque()
        self._something_waits = threading.Event()
        self._somebody_waits = threading.Event()
        self._closing = threading.Event()
        self._lost = 0
        self._failures = 0
        self._thread = threading.Thread(target=self._deliver, name="event listener", daemon=True)
        self._thread.start()

    def offer(self, record: Record) -> None:
        if len(self._waiting) >= _QUEUE_SIZE:
            self._lost += 1
            return
        self._waiting.append(record)
        if not self._something_waits.is_set():
            self._something_waits.set()

    def catch_up(self, deadline_seconds: float) -> None:
        reached = threading.Event()
        self._waiting.append(reached)
        self._somebody_waits.set()
        self._something_waits.set()
        reached.wait(deadline_seconds)

    def close(self, deadline_seconds: float) -> None:
        self._closing.set()
        self._somebody_waits.set()
        self._something_waits.set()
        self._thread.join(deadline_seconds)
        if self._thread.is_alive():
            _log.warning("an event listener did not keep up and was left behind")
        if self._lost:
            _log.warning("%d events were lost to a slow listener", self._lost)

    def _deliver(self) -> None:
        while True:
            self._something_waits.wait()
            self._somebody_waits.wait(_BATCH_SECONDS)
            self._somebody_waits.clear()
            self._something_waits.clear()
            # Read after the signal is cleared: whoever closes sets this first, so it is seen here or signalled anew.
            closing = self._closing.is_set()
            while self._waiting:
                match self._waiting.popleft():
                    case Record() as record:
                        self._hand_over(record)
                    case reached:
                        reached.set()
            if closing:
                return

    def _hand_over(self, record: Record) -> None:
        try:
            self._listener(record)
        except Exception:  # noqa: BLE001 -- a listener is anybody's code; it must not hurt the run
            self._failures += 1
            if self._failures == 1:
                _log.exception("an event listener failed; the run goes on")
