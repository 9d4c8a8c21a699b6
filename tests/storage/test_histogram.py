"""Latencies in a few bytes, at most 0.4 % beside the truth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.storage.histogram import Histogram

_TIMES = st.lists(st.floats(min_value=0, max_value=1e8, allow_nan=False), max_size=60)


@given(_TIMES)
def test_bytes_bring_back_what_was_written(times):
    """Whatever the times, the histogram comes back equal."""
    histogram = Histogram.of(times)
    assert Histogram.from_bytes(histogram.to_bytes()) == histogram
    assert histogram.total == len(times)


@given(_TIMES, _TIMES)
def test_two_add_up_without_loss(first, second):
    """The sum is the histogram of all the times."""
    assert Histogram.of(first) + Histogram.of(second) == Histogram.of([*first, *second])


@given(_TIMES.filter(bool), st.floats(min_value=0.1, max_value=100))
def test_percentiles_are_close_to_the_truth(times, percent):
    """Within 0.4 % of the time at that rank, or half a microsecond."""
    rank = max(1, -int(-len(times) * percent // 100))
    truth = sorted(times)[rank - 1]
    assert Histogram.of(times).percentile(percent) == pytest.approx(truth, rel=0.004, abs=0.0006)


def test_an_empty_one_has_no_percentile():
    """Nothing is made up."""
    assert Histogram().percentile(50) is None
    assert Histogram.from_bytes(b"") == Histogram()


def test_a_minute_takes_few_bytes():
    """Sixty times between one and fifty milliseconds: two or three bytes each."""
    assert len(Histogram.of([1 + each * 0.8 for each in range(60)]).to_bytes()) <= 180


@pytest.mark.parametrize("data", [b"\x80", b"\x01", b"\x01\x02\x03"])
def test_other_bytes_are_refused(data):
    """A number that doesn't end, or one too many."""
    with pytest.raises(ValueError, match="histogram"):
        Histogram.from_bytes(data)
