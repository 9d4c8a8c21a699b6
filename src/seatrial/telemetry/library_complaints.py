"""What a library that sends something away logs of its trouble: it complains of each packet, we say it once.

`dogstatsd` and `tracing` use it; what is sent there may be lost, and nobody wants to read of that a thousand times.
"""

import logging
import re
from typing import Self

from seatrial.policy.wording import printable

_SYSTEM_ERROR = re.compile(r"\[Errno -?\d+\] ([^\"'(),:]+)")
_LONGEST = 200


class ComplaintsOnce(logging.Handler):
    """Hears what a library logs while the block runs, and says the first of it in a line of ours, at the end how many.

    Args:
        library: the name of its logger.
        trouble: what it means to us, such as "traces are not taken".
        log: where that is said.
    """

    def __init__(self, library: str, *, trouble: str, log: logging.Logger) -> None:
        super().__init__(logging.WARNING)
        self._library = logging.getLogger(library)
        self._trouble = trouble
        self._log = log
        self._said = 0

    def __enter__(self) -> Self:
        self._library.propagate = False
        self._library.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._library.removeHandler(self)
        self._library.propagate = True
        if self._said > 1:
            self._log.warning("%s: %d complaints in all", self._trouble, self._said)

    def emit(self, record: logging.LogRecord) -> None:
        """Say the first."""
        self._said += 1
        if self._said == 1:
            self._log.warning("%s: %s; the run goes on", self._trouble, _reason(record.getMessage()))


def _reason(message: str) -> str:
    """What the system said, which libraries wrap in names of their classes; else the message, in one line."""
    found = _SYSTEM_ERROR.search(message)
    return printable(found[1].strip().lower() if found else " ".join(message.split())[:_LONGEST])
