"""Back-off, Retry-After, and which requests are sent again."""

import email.utils
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import ClusterError
from seatrial.kube import errors
from seatrial.kube.retry import Backoff, is_worth_repeating, retry_after_seconds


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_delays_stay_between_zero_and_a_limit_that_doubles(seed: int, failures: int) -> None:
    """Full jitter: anything up to the limit, which itself is bounded."""
    backoff = Backoff(first_seconds=0.1, most_seconds=5, rng=random.Random(seed))
    for number in range(failures):
        assert 0 <= backoff.next_delay() <= min(5, 0.1 * 2**number)
    backoff.reset()
    assert 3 <= backoff.next_delay(at_least=3) <= 3.1


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7), (" 0 ", 0), ("", None), ("soon", None), ("-1", None), ("²", None)]
)
def test_retry_after_in_seconds(text: str, seconds: float | None) -> None:
    """A number of seconds, or nothing readable."""
    assert retry_after_seconds({"Retry-After": text}) == seconds


def test_retry_after_as_a_date() -> None:
    """A date means the time until then; one that has passed means at once."""
    date = email.utils.formatdate(time.time() + 100, usegmt=True)
    seconds = retry_after_seconds({"Retry-After": date})
    assert seconds is not None
    assert 90 < seconds <= 100
    assert retry_after_seconds({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}) == 0


def _status(code: int, retry_after: float | None = None) -> errors.ApiStatusError:
    return errors.error_for_status(errors.Status(), code=code, retry_after_seconds=retry_after)


_BLOCKED = errors.Status(details=errors.StatusDetails(causes=(errors.StatusCause(reason="DisruptionBudget"),)))


@pytest.mark.parametrize(
    ("error", "repeatable", "failures", "expected"),
    [
        (_status(503), True, 50, True),
        (_status(503), False, 1, False),
        (_status(500), True, 2, True),
        (_status(500), True, 3, False),
        (_status(501), True, 1, False),
        (_status(404), True, 1, False),
        (_status(409), True, 1, False),
        (_status(429), True, 1, True),
        (_status(429), False, 1, False),
        (_status(429, retry_after=1), False, 1, True),
        (errors.error_for_status(_BLOCKED, code=429, retry_after_seconds=10), True, 1, False),
        (errors.Unreachable("x"), True, 50, True),
        (errors.Unreachable("x"), False, 1, False),
        (errors.Unreachable("x", was_sent=False), False, 1, True),
        (errors.CertificateRejected("x", was_sent=False), True, 1, False),
        (errors.UnexpectedAnswer("x"), True, 1, False),
    ],
)
def test_only_what_may_help_and_can_t_harm_is_repeated(
    error: ClusterError, *, repeatable: bool, failures: int, expected: bool
) -> None:
    """Changes are repeated only when they had no effect for sure; a permanent refusal never is."""
    assert is_worth_repeating(error, repeatable=repeatable, failures=failures, ever_answered=True) is expected


def test_a_server_that_never_answered_is_soon_given_up() -> None:
    """A wrong address is said within moments, not after the whole deadline."""
    error = errors.Unreachable("x", was_sent=False)
    assert is_worth_repeating(error, repeatable=True, failures=2, ever_answered=False)
    assert not is_worth_repeating(error, repeatable=True, failures=3, ever_answered=False)
