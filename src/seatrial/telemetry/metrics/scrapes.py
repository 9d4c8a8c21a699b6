"""Whether the page of metrics has been read: a run that ends has last words, and Prometheus comes at its own time."""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
"""A WSGI application (PEP 3333)."""


class Scrapes:
    """Knows when somebody has read what is on the page now."""

    def __init__(self) -> None:
        self._is_awaited = False
        self._seen = threading.Event()

    def noting(self, application: Application) -> Application:
        """The application, whose answers are noted."""

        def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            # What began before the last words were said does not have them, however late it ends.
            has_all = self._is_awaited
            return _Answer(application(environ, start_response), sent=self._seen.set if has_all else _nothing)

        return answer

    def wait(self, seconds: float) -> bool:
        """Return when the page was read from here on, or after so long; whether it was."""
        self._is_awaited = True
        return self._seen.wait(seconds)

    def give_up(self) -> None:
        """Let whoever waits wait no longer; may be called by a handler of signals."""
        self._seen.set()


class _Answer:
    """An answer whose end is noted: a server closes it when all of it was sent (PEP 3333)."""

    def __init__(self, body: Iterable[bytes], *, sent: Callable[[], None]) -> None:
        self._body = body
        self._sent = sent

    def __iter__(self) -> Iterator[bytes]:
        yield from self._body

    def close(self) -> None:
        self._sent()


def _nothing() -> None:
    """Nobody waits."""
