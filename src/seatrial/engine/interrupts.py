"""Ctrl-C and SIGTERM: once means stop and clean up, twice means hurry.

The first signal cancels the experiment; its clean-up runs where cancellation can't reach it. The second shortens the
deadlines of the clean-up. No signal skips it.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Whether somebody asked to stop, for what reason, and to hurry."""

    def __init__(self, announce: Callable[[str, bool], None] | None = None) -> None:
        """`announce` is told the signal's name and whether to hurry, each time."""
        self.requested = False
        self.reason = ""
        self.hurry = asyncio.Event()
        self.announce = announce or (lambda _reason, _hurry: None)
        self._task: asyncio.Task[object] | None = None

    @contextmanager
    def guarding(self, task: "asyncio.Task[object]") -> Iterator[None]:
        """Let requests cancel that task while the block runs."""
        outer, self._task = self._task, task
        if self.requested:
            task.cancel()
        try:
            yield
        finally:
            self._task = outer

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Listen to the process's signals while the block runs."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.request, number.name)
        try:
            yield
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    def request(self, reason: str) -> None:
        """Ask to stop, or (again) to hurry."""
        if self.requested:
            self.hurry.set()
        self.announce(reason, self.requested)
        if not self.requested:
            self.reason = reason
            if self._task is not None:
                self._task.cancel()
        self.requested = True
