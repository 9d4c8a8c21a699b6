"""The machine's event loop: file descriptors, timers and signals, in one thread without asyncio.

A process that forks all its life must stay simple: asyncio's loop does not survive a fork, this one is
forgotten in the child by closing its descriptors.
"""

import heapq
import itertools
import os
import selectors
import signal
import time
from collections.abc import Callable
from typing import Final

Callback = Callable[[], None]
_READ: Final = selectors.EVENT_READ
_WRITE: Final = selectors.EVENT_WRITE


class Timer:
    """A call to come; `cancel` it and it doesn't."""

    def __init__(self, callback: Callback) -> None:
        self.callback: Callback | None = callback

    def cancel(self) -> None:
        """Don't call."""
        self.callback = None


class Reactor:
    """Calls back when something happens, and sleeps otherwise."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._signals: dict[int, Callback] = {}
        self._running = False
        self._wakeup_reader, self._wakeup_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.watch(self._wakeup_reader, self._take_signals)

    def watch(self, fd: int, on_readable: Callback, on_writable: Callback | None = None) -> None:
        """Call back when `fd` can be read, and when it can be written if that is asked for; may be repeated."""
        events = _READ | (_WRITE if on_writable else 0)
        try:
            self._selector.modify(fd, events, (on_readable, on_writable))
        except KeyError:
            self._selector.register(fd, events, (on_readable, on_writable))

    def unwatch(self, fd: int) -> None:
        """Stop watching; the descriptor may be closed after this."""
        self._selector.unregister(fd)

    def call_later(self, seconds: float, callback: Callback) -> Timer:
        """Call once, that much later."""
        timer = Timer(callback)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), timer))
        return timer

    def on_signal(self, number: signal.Signals, callback: Callback) -> None:
        """Call back from the loop (not from the handler) when a signal has arrived."""
        self._signals[number] = callback
        signal.set_wakeup_fd(self._wakeup_writer, warn_on_full_buffer=False)
        signal.signal(number, lambda *_: None)

    def stop(self) -> None:
        """Let `run` return after what is being called."""
        self._running = False

    def run(self) -> None:
        """Serve until `stop`."""
        self._running = True
        while self._running:
            for key, events in self._selector.select(self._next_timeout()):
                on_readable, on_writable = key.data
                if events & _WRITE and on_writable:
                    on_writable()
                # What was called before may have unwatched this one.
                if events & _READ and key.fd in self._selector.get_map():
                    on_readable()
            self._fire_timers()

    def _next_timeout(self) -> float | None:
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return max(self._timers[0][0] - time.monotonic(), 0.0) if self._timers else None

    def _fire_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            _, _, timer = heapq.heappop(self._timers)
            if timer.callback is not None:
                timer.callback()

    def _take_signals(self) -> None:
        try:
            numbers = set(os.read(self._wakeup_reader, 4096))
        except BlockingIOError:
            return
        for number in numbers:
            callback = self._signals.get(number)
            if callback is not None:
                callback()
