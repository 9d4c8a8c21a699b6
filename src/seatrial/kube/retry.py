"""When a request is sent again, and after how long.

Full jitter spreads clients that failed together (each waits a random part of a doubling limit); a server's
Retry-After is honoured as the least. Who may be repeated is the caller's knowledge: reading, and changes that are
idempotent, such as a delete with a UID precondition.
"""

import email.utils
import random
from collections.abc import Mapping
from datetime import UTC, datetime

from seatrial.kube.errors import (
    CertificateRejected,
    DisruptionBudgetBlocked,
    ServerError,
    TooManyRequests,
    Unreachable,
)

_FEW = 3
_PASSING = frozenset({502, 503, 504})


_shared_rng = random.Random()  # noqa: S311 -- spreads load, guards nothing


class Backoff:
    """Delays that grow: full jitter between zero and a limit that doubles from `first_seconds` to `most_seconds`."""

    def __init__(
        self, *, first_seconds: float = 0.1, most_seconds: float = 5.0, rng: random.Random | None = None
    ) -> None:
        self._first = first_seconds
        self._most = most_seconds
        self._rng = rng or _shared_rng
        self.failures = 0

    def reset(self) -> None:
        """Begin again: something worked."""
        self.failures = 0

    def next_delay(self, *, at_least: float = 0.0) -> float:
        """Seconds to wait after one more failure."""
        limit = min(self._most, self._first * 2 ** min(self.failures, 30))
        self.failures += 1
        return at_least + self._rng.uniform(0, limit)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """What a Retry-After header says (RFC 9110, 10.2.3): seconds, or a date; None where it says nothing readable."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (when - datetime.now(UTC)).total_seconds()) if when.tzinfo else None


def is_worth_repeating(error: Exception, *, repeatable: bool, failures: int, ever_answered: bool) -> bool:
    """Whether to send a request again after it failed.

    Args:
        error: what it failed with.
        repeatable: a second execution does no harm.
        failures: how many times this request has failed so far, this one included.
        ever_answered: the server has answered us before; one that never did is soon given up.
    """
    if isinstance(error, CertificateRejected | DisruptionBudgetBlocked):
        return False
    if isinstance(error, TooManyRequests):
        # Rejected before it was executed when the server says when to come back.
        return repeatable or error.retry_after_seconds is not None
    if isinstance(error, Unreachable):
        return (repeatable or not error.was_sent) and (ever_answered or failures < _FEW)
    if isinstance(error, ServerError):
        return repeatable and (error.code in _PASSING or (error.code == 500 and failures < _FEW))
    return False
