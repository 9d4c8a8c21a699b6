"""Times as the Kubernetes API writes them."""

from hypothesis import given
from hypothesis import strategies as st

from seatrial.sandbox.timestamps import format_micros, format_seconds, parse_time


@given(st.integers(min_value=0, max_value=4_000_000_000))
def test_whole_seconds_survive(seconds: int) -> None:
    """What is written is read back."""
    assert parse_time(format_seconds(seconds)) == seconds


def test_fractions_are_read() -> None:
    """Microseconds of a Lease, nanoseconds of a log."""
    assert format_micros(1.25) == "1970-01-01T00:00:01.250000Z"
    assert parse_time("1970-01-01T00:00:01.250000000Z") == 1.25
    assert parse_time("1970-01-01T01:00:01+01:00") == 1


def test_no_time_is_the_epoch() -> None:
    """An absent field is 0."""
    assert parse_time(None) == 0
