"""Bounds for percentiles by order statistics: published sample sizes and ranks, exact coverage, censored times."""

import math
from fractions import Fraction
from functools import partial
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.slo.intervals import more_runs_needed
from seatrial.slo.quantiles import Estimate, quantile_bounds, quantile_rank, quantile_ranks, samples_needed
from tests.slo.simulations import is_plausible, kept_in_simulation
from tests.slo.test_distributions import exactly_at_least

QUANTILES = st.sampled_from([0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99])


@pytest.mark.parametrize(
    ("q", "confidence", "samples"),
    [(0.9, 0.9, 22), (0.9, 0.95, 29), (0.95, 0.95, 59), (0.95, 0.99, 90), (0.99, 0.95, 299), (0.99, 0.99, 459),
     (0.999, 0.95, 2995)],
)  # fmt: skip
def test_a_percentile_has_an_upper_bound_from_the_published_number_of_runs_on(q, confidence, samples):
    """The 95th has one from 59 runs on, the 99th from 299, the 99.9th from 2995 (Hahn & Meeker)."""
    assert samples_needed(q, confidence=confidence) == samples
    assert quantile_ranks(samples, q, confidence=confidence)[1] == samples
    assert quantile_ranks(samples - 1, q, confidence=confidence)[1] is None


@pytest.mark.parametrize(
    ("count", "ranks"),
    [(5, (None, None)), (6, (1, 6)), (10, (2, 9)), (15, (4, 12)), (20, (6, 15)), (25, (8, 18)), (50, (18, 33))],
)
def test_ranks_for_the_median_are_those_of_the_sign_test(count, ranks):
    """At 95 % (both) the median lies between the values that tables of the sign test name (Conover, table A3)."""
    assert quantile_ranks(count, 0.5, confidence=0.975) == ranks


@pytest.mark.parametrize("twentieths", [1, 10, 15, 18, 19])
@pytest.mark.parametrize("count", [1, 14, 59, 100])
def test_ranks_are_the_tightest_that_keep_the_confidence(count, twentieths):
    """By exact fractions the bounds are right at the confidence, and the next tighter ones are not."""
    q, confidence = Fraction(twentieths, 20), Fraction(95, 100)

    def upper_holds(rank):
        return 1 - exactly_at_least(rank, count, q)

    lower, upper = quantile_ranks(count, float(q), confidence=float(confidence))
    assert lower is None or exactly_at_least(lower, count, q) >= confidence
    assert exactly_at_least((lower or 0) + 1, count, q) < confidence
    assert upper is None or upper_holds(upper) >= confidence
    assert upper_holds((upper or count + 1) - 1) < confidence


@given(st.lists(st.floats(0, 100), max_size=80), st.lists(st.floats(0, 100), max_size=10), QUANTILES)
def test_the_estimate_lies_between_its_bounds(values, longer, q):
    """Whatever the values, with ties and with times not seen to the end, the estimate lies between the bounds."""
    found = quantile_bounds(values, q, confidence=0.95, longer_than=longer)
    assert found.lower is None or found.lower <= found.estimate
    assert found.upper is None or found.upper >= found.estimate


def test_the_estimate_is_a_time_that_was_measured():
    """Of a hundred times the 95th percentile is the 95th; of three the median is the second (Hyndman & Fan, 1)."""
    assert quantile_bounds(range(1, 101), 0.95, confidence=0.95).estimate == 95
    assert quantile_bounds([3.0, 1.0, 2.0], 0.5, confidence=0.95).estimate == 2
    assert quantile_rank(100, 0.07) == 7  # though 100 * 0.07 is a little more than 7
    assert quantile_rank(3, 0.999999) == 3


def test_no_values_have_no_percentile():
    """Of nothing there is no estimate."""
    assert quantile_bounds([], 0.95, confidence=0.95) == Estimate(None, None, None)


def test_bounds_by_example():
    """Of 100 runs that took 1 to 100 s the 95th percentile lies between 91 s and 99 s, each at 95 %."""
    found = quantile_bounds([float(each) for each in range(1, 101)], 0.95, confidence=0.95)
    assert found == Estimate(91.0, 95.0, 99.0)


def test_a_time_not_seen_to_the_end_counts_as_longer_than_any():
    """Runs given up after 30 s push the upper bound and the estimate beyond what was waited for."""
    quick = [1.0] * 95
    assert quantile_bounds(quick, 0.85, confidence=0.95, longer_than=[30.0] * 5) == Estimate(1.0, 1.0, 1.0)
    beyond = quantile_bounds(quick, 0.95, confidence=0.95, longer_than=[30.0] * 5)
    assert (beyond.lower, beyond.estimate, beyond.upper) == (1.0, 1.0, None)
    worse = quantile_bounds([1.0] * 80, 0.95, confidence=0.95, longer_than=[30.0] * 20)
    assert (worse.lower, worse.estimate, worse.upper) == (30.0, math.inf, None)


def test_a_time_given_up_early_proves_nothing_slow():
    """Runs given up after 2 s may have taken 3 s: they don't raise the lower bound above 2 s."""
    found = quantile_bounds([1.0] * 50, 0.95, confidence=0.95, longer_than=[2.0] * 50)
    assert found.lower == 2.0


def test_infinite_times_are_those_given_up_after_who_knows_how_long():
    """Where it isn't known how long was waited, infinity stands for it."""
    found = quantile_bounds([1.0] * 50 + [math.inf] * 50, 0.25, confidence=0.95)
    assert found == Estimate(1.0, 1.0, 1.0)


@given(st.integers(0, 20), st.integers(1, 300))
def test_a_percentile_is_shown_to_be_below_a_limit_just_when_enough_runs_were(slow, quick):
    """The upper bound is below the limit just when no more good runs are needed for so few slow ones."""
    found = quantile_bounds([1.0] * quick + [3.0] * slow, 0.95, confidence=0.95)
    is_shown = found.upper is not None and found.upper < 2
    assert is_shown == (more_runs_needed(slow, slow + quick, share=1 - 0.95, confidence=0.95) == 0)


@pytest.mark.parametrize(("q", "count"), [(0.5, 20), (0.95, 60), (0.95, 150)])
def test_bounds_hold_as_often_as_they_say(q, count):
    """Of lognormal times each bound holds at least as often as the confidence, in simulation."""
    kept = kept_in_simulation(
        partial(quantile_bounds, q=q, confidence=0.9),
        lambda draws: draws.lognormvariate(0, 1),
        math.exp(NormalDist().inv_cdf(q)),
        values=count,
        repeats=1000,
    )
    assert is_plausible(round(kept.lower * 1000), 1000, at_least=0.9)
    assert is_plausible(round(kept.upper * 1000), 1000, at_least=0.9)
