"""Comparing two series: what is shown, in figures and in words; published tests of shares."""

import math
import random
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.slo.comparison import Change, compare, compare_shares
from tests.slo.simulations import TIMES, is_plausible, kept_by_comparison


def times(count, *, mean=2.0, more=0.0, seed=1):
    draws = random.Random(seed)
    return [draws.expovariate(1 / mean) + more for _ in range(count)]


def test_a_release_that_slowed_everything_down_is_called_slower():
    """With 200 runs each and 2 s more on each, the sentence says so, with the percentile, its bounds and the effect."""
    found = compare(times(200), times(200, more=2.0, seed=2), confidence=0.95)
    assert found.change is Change.SLOWER
    assert found.effect == "large"
    assert found.p_value < 1e-6
    assert found.shift.lower < 2 < found.shift.upper
    assert found.text == "p95 went from 5.6 s to 8.25 s (+890 ms to +4.33 s at 95 %): slower, large effect"


def test_a_release_that_made_it_quicker_is_called_faster():
    """The other way round it is faster, by as much."""
    found = compare(times(200, more=2.0, seed=2), times(200), confidence=0.95)
    assert found.change is Change.FASTER
    assert found.superiority < 0.29
    assert found.effect == "large"
    assert found.text.endswith("faster, large effect")


def test_the_same_times_show_no_difference():
    """A series does not differ from itself, and the words don't say that it is the same."""
    found = compare(times(100), times(100), confidence=0.95)
    assert found.change is Change.NONE_SHOWN
    assert (found.p_value, found.superiority, found.effect, found.shift.estimate) == (1, 0.5, "negligible", 0)
    assert found.text.endswith("no difference shown (p = 1)")


def test_a_tail_that_grew_is_seen_where_the_whole_did_not_move():
    """Where one run in ten became much slower, the slowest are slower, though the whole is not shown to be."""
    before = times(200)
    after = [each if place % 10 else each + 30 for place, each in enumerate(before)]
    found = compare(before, after, confidence=0.95)
    assert (found.change, found.tail_change) == (Change.NONE_SHOWN, Change.SLOWER)
    assert "the slowest are slower, as a whole no difference shown" in found.text


def test_few_runs_have_no_bounds_for_a_percentile():
    """With too few runs for bounds of the percentile the sentence has those of the shift, or says that none are."""
    found = compare(times(12), times(12, more=4.0, seed=2), confidence=0.95)
    assert (found.percentile_change.lower, found.percentile_change.upper) == (None, None)
    assert "(too few runs for its bounds; the times moved by +" in found.text
    few = compare([1.0, 2.0], [3.0], confidence=0.95)
    assert few.text == "p95 went from 2 s to 3 s (too few runs for bounds): no difference shown (p = 0.67)"


def test_nothing_is_compared_with_nothing():
    """Where one of the series is empty there is no comparison."""
    assert compare([], [1.0], confidence=0.95) is None
    assert compare([1.0], [], confidence=0.95) is None


def test_times_not_seen_to_the_end_are_the_longest():
    """Where one in ten is given up after 30 s the 95th percentile is longer than was waited, by so much or more."""
    found = compare(times(200), times(180, seed=2), confidence=0.95, longer_after=[30.0] * 20)
    assert found.after == math.inf
    assert found.percentile_change.lower > 3
    assert found.percentile_change.upper is None
    assert "to longer than was waited (+" in found.text
    assert " or more at 95 %)" in found.text


def test_a_longer_patience_is_no_slowness():
    """Times beyond the shorter patience count as equally long: whoever waits longer after it sees nothing slower."""
    before = [each for each in times(100) if each < 3]
    given_up = [3.0] * (100 - len(before))
    found = compare(before, times(100), confidence=0.95, longer_before=given_up)
    assert found.change is Change.NONE_SHOWN
    assert found.superiority == 0.5


def test_the_same_data_give_the_same_bounds():
    """The bootstrap is seeded: a comparison can be reproduced."""
    first, second = times(100), times(100, seed=2)
    assert compare(first, second, confidence=0.95) == compare(first[::-1], second, confidence=0.95)


@pytest.mark.parametrize(("factor", "runs"), [(1.0, 80), (1.5, 80)])
def test_the_bounds_of_a_change_hold_as_often_as_they_say(factor, runs):
    """In simulation the bounds for the change of the 95th percentile hold in 94 of 100 comparisons at least."""
    change = (factor - 1) * math.log(20)
    kept, shown = kept_by_comparison(
        TIMES["exponential"], factor, change, runs=runs, repeats=60, q=0.95, confidence=0.95
    )
    assert is_plausible(round(kept * 60), 60, at_least=0.94)
    assert (shown < 0.15) if factor == 1 else (shown > 0.35)


@pytest.mark.parametrize(
    ("first", "second", "bounds"),
    [
        ((48, 80), (56, 70), (0.0524, 0.3339)),
        ((3, 10), (9, 10), (0.1705, 0.8090)),
        ((2, 7), (6, 7), (0.0582, 0.8062)),
        ((0, 29), (5, 56), (-0.0381, 0.1926)),
        ((0, 20), (0, 10), (-0.1611, 0.2775)),
        ((0, 20), (10, 10), (0.6791, 1.0)),
    ],
)
def test_bounds_of_a_difference_of_shares_are_newcombes(first, second, bounds):
    """They are those of Newcombe (Statistics in Medicine 17, 1998, 873-890, table II, method 10)."""
    found = compare_shares(*first, *second, confidence=0.95)
    assert (found.difference.lower, found.difference.upper) == pytest.approx(bounds, abs=5.1e-5)


@pytest.mark.parametrize(
    ("first", "second", "published"),
    [((3, 4), (1, 4), 0.4857), ((2, 17), (10, 13), 0.0005367)],
)
def test_fishers_exact_test_gives_the_published_chances(first, second, published):
    """Of Fisher's own examples: the lady tasting tea, and the convictions of twins."""
    assert compare_shares(*first, *second, confidence=0.95).p_value == pytest.approx(published, rel=1e-4)


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_fishers_exact_test_is_the_sum_of_all_tables_no_likelier(runs, others, data):
    """The chance is that of all tables of the same sums that are at most as likely."""
    bad, worse = data.draw(st.integers(0, runs)), data.draw(st.integers(0, others))
    ways = {
        each: comb(runs, each) * comb(others, bad + worse - each)
        for each in range(max(0, bad + worse - others), min(runs, bad + worse) + 1)
    }
    expected = sum(way for way in ways.values() if way <= ways[bad]) / comb(runs + others, bad + worse)
    assert compare_shares(bad, runs, worse, others, confidence=0.95).p_value == pytest.approx(expected)


def test_shares_are_said_to_differ_where_it_is_shown():
    """One bad run of 100 before and eight after is shown at 95 %, two after one is not; no runs are not compared."""
    assert compare_shares(1, 100, 8, 100, confidence=0.95).is_shown
    assert not compare_shares(1, 100, 2, 100, confidence=0.95).is_shown
    assert compare_shares(0, 0, 2, 100, confidence=0.95) is None
