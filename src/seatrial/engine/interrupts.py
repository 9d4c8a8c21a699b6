"""What ends a run before its time: Ctrl-C and SIGTERM (once means stop and clean up, twice means hurry), and a halt.

The first of them cancels the experiment; its clean-up runs where cancellation can't reach it. A signal after that
shortens the deadlines of the clean-up. Nothing skips it.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Whether the run shall stop, for what reason, and whether somebody asked to hurry.

    `requested` is true of a request by signal, `halted` has the words of a halt.
    """

    def __init__(self, announce: Callable[[str, bool], None] | None = None) -> None:
        """`announce` is told the signal's name and whether to hurry, each time."""
        self.requested = False
        self.reason = ""
        self.halted = ""
        self.hurry = asyncio.Event()
        self.announce = announce or (lambda _reason, _hurry: None)
        self._task: asyncio.Task[object] | None = None

    @contextmanager
    def guarding(self, task: "asyncio.Task[object]") -> Iterator[None]:
        """Let requests cancel that task while the block runs."""
        outer, self._task = self._task, task
        if self._is_stopping:
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
            self._cancel()
        self.requested = True

    def halt(self, words: str) -> None:
        """Stop because all experiments on the cluster are halted; what was asked before stands."""
        if not self._is_stopping:
            self._cancel()
            self.halted = words

    @property
    def _is_stopping(self) -> bool:
        return self.requested or bool(self.halted)

    def _cancel(self) -> None:
        if self._task is not None and not self._is_stopping:
            self._task.cancel()
