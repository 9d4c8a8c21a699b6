"""Bounds in seconds where runs have several values, or are looked at after each."""

import pytest

from seatrial.runtime.events import ObjectiveStatus
from seatrial.slo.anytime import anytime_binomial_bounds, anytime_more_runs_needed, anytime_quantile_ranks
from seatrial.slo.times import mean_of, percentile_of
from tests.slo.conftest import objective, points_of

UNDECIDED = ObjectiveStatus.UNDECIDED


@pytest.mark.parametrize("count", [60, 74, 200, 1000])
def test_ranks_for_every_look_are_those_of_the_bounds_for_shares(count: int) -> None:
    """The value at the lower rank has a share below it that is shown to be less, that at the upper one no less."""
    low, high = anytime_quantile_ranks(count, 0.95, confidence=0.95)
    assert low is not None
    assert anytime_binomial_bounds(low - 1, count, confidence=0.95).upper <= 0.95 + 1e-9
    assert anytime_binomial_bounds(low, count, confidence=0.95).upper > 0.95
    assert (high is None) == (count < 74)
    if high is not None:
        assert anytime_binomial_bounds(high, count, confidence=0.95).lower >= 0.95 - 1e-9
        assert anytime_binomial_bounds(high - 1, count, confidence=0.95).lower < 0.95


@pytest.mark.parametrize(("bad", "runs"), [(0, 0), (0, 70), (3, 80), (20, 40)])
def test_after_as_many_more_good_runs_it_is_shown_and_not_one_sooner(bad: int, runs: int) -> None:
    """For bounds that hold at every look."""
    more = anytime_more_runs_needed(bad, runs, share=0.05, confidence=0.95)
    assert anytime_binomial_bounds(bad, runs + more, confidence=0.95).upper <= 0.05 + 1e-9
    assert anytime_binomial_bounds(bad, runs + more - 1, confidence=0.95).upper > 0.05


def test_what_is_shown_needs_no_more() -> None:
    """None is missing."""
    assert anytime_more_runs_needed(0, 100, share=0.05, confidence=0.95) == 0


def test_runs_that_agree_in_all_their_values_are_one_value_each() -> None:
    """Three equal times a run bound a percentile as one would."""
    single = percentile_of(objective(), points_of([float(each) for each in range(200)]), UNDECIDED, runs=200)
    tripled = points_of([float(each // 3) for each in range(600)], per_run=3)
    several = percentile_of(objective(), tripled, UNDECIDED, runs=200)
    assert (several.estimate, single.estimate) == (189.0, 189.0)
    assert several.lower == pytest.approx(single.lower, abs=2)
    assert several.upper == pytest.approx(single.upper, abs=2)


def test_bounds_agree_with_the_verdict() -> None:
    """What is shown of the share at the limit is shown of the percentile."""
    points = points_of([1.0] * 80 + [100.0] * 2, per_run=2)
    assert percentile_of(objective(), points, ObjectiveStatus.MET, runs=41).upper == 30
    assert percentile_of(objective(), points, ObjectiveStatus.VIOLATED, runs=41).lower == 30


def test_a_run_in_which_one_was_not_seen_to_the_end_has_no_mean() -> None:
    """It is longer than what was seen of it, so there is no upper bound."""
    points = points_of([1.0] * 38, waited=[1.0, 1.0], per_run=2)
    found = mean_of(points, confidence=0.95)
    assert (found.estimate, found.upper) == (1.0, None)
