"""The time limit of a test, kept in a way that its event loop survives.

pytest-timeout raises an exception wherever its signal finds the program. In an event loop that may be between taking
a callback from the queue and calling it: its task is never woken again, and cancelling all tasks at the end of the
test waits for it for ever. Or it is inside of a callback, whose exceptions a loop logs and forgets: the test has no
limit any more. So what the loop runs is cancelled, as asyncio does at Ctrl-C, and only a test that holds up its loop,
or catches that, is interrupted wherever it is. A test's teardown has a time limit of its own.
"""

import asyncio
import signal
import threading
from types import FrameType
from typing import Any

import pytest
import pytest_timeout

_AGAIN_SECONDS = 20.0
"""How long a test has to end after it was told to; then it is interrupted, and again after as long."""


class _Limit:
    def __init__(self, item: pytest.Item, settings: pytest_timeout.Settings) -> None:
        self._item = item
        self._settings = settings
        self._rung = False

    def set(self) -> None:
        self._rung = False
        signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, self._settings.timeout, _AGAIN_SECONDS)

    @staticmethod
    def cancel() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _ring(self, _number: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        awaited = None if self._rung else _awaited(frame)
        self._rung = True
        if awaited is None:
            pytest_timeout.timeout_sigalrm(self._item, self._settings)
        elif not pytest_timeout.is_debugging():
            message = pytest_timeout.PYTEST_FAILURE_MESSAGE % self._settings.timeout
            awaited.get_loop().call_soon_threadsafe(awaited.cancel, message)


def _awaited(frame: FrameType | None) -> "asyncio.Future[Any] | None":
    """What the innermost event loop under this frame runs to its end."""
    while frame is not None:
        if frame.f_code is asyncio.BaseEventLoop.run_until_complete.__code__:
            return frame.f_locals["future"]  # type: ignore[no-any-return]
        frame = frame.f_back
    return None


_LIMIT = pytest.StashKey[_Limit]()


def pytest_timeout_set_timer(item: pytest.Item, settings: pytest_timeout.Settings) -> bool | None:
    """Stand in for pytest-timeout's own signal."""
    if settings.method != "signal" or threading.current_thread() is not threading.main_thread():
        return None
    limit = item.stash[_LIMIT] = _Limit(item, settings)
    item.cancel_timeout = limit.cancel  # type: ignore[attr-defined] -- where pytest-timeout looks for it
    limit.set()
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Begin anew: pytest-timeout's limit is over as soon as a test has failed."""
    if limit := item.stash.get(_LIMIT, None):
        limit.set()
