"""Spans of time as people write and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import UsageError
from seatrial.policy.spans import DAY, HOUR, YEAR, parse_span, span_in_words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5y", 5 * YEAR), ("1.5d", 36 * HOUR), ("1w", 7 * DAY), ("4h", 4 * HOUR), ("30m", 1800), (" 2s ", 2)],
)
def test_spans_are_understood(text, seconds):
    """A number and a unit; five years are 1826 days."""
    assert parse_span(text) == seconds
    assert round(parse_span("5y") / DAY) == 1826


@pytest.mark.parametrize("text", ["", "5", "y", "0d", "-1d", "5 y", "1e3d", "5mo", "nan" + "d", f"{'9' * 400}y"])
def test_what_is_no_span_is_said(text):
    """With an example."""
    with pytest.raises(UsageError, match="is no span of time") as caught:
        parse_span(text)
    assert "such as 5y" in caught.value.hint


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (50 * 7 * DAY, "350 days"), (9.13125 * DAY, "9.13 days"), (36 * HOUR, "1.5 days"), (90, "1.5 minutes"),
        (0.25, "0.25 seconds"), (12_345 * YEAR, "12,345 years"), (99.97 * DAY, "100 days"),
        (1e-4, "less than a millisecond"), (1e9 * YEAR, "more than a million years"),
    ],
)  # fmt: skip
def test_spans_are_told_in_the_largest_unit_that_fits(seconds, words):
    """With three digits."""
    assert span_in_words(seconds) == words


@given(st.floats(1, 1e12))
def test_what_is_told_is_close_to_what_it_was(seconds):
    """Within a hundredth."""
    number, unit = span_in_words(seconds).replace(",", "").split()
    assert float(number) * {"seconds": 1, "minutes": 60, "hours": HOUR, "days": DAY, "years": YEAR}[
        unit
    ] == pytest.approx(seconds, rel=0.01)
