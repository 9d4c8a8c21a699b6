"""Bounds for a mean: measured coverage of skewed times, and what isn't known of censored ones."""

import math
from functools import partial
from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.slo.distributions import student_quantile
from seatrial.slo.means import FEWEST, mean_bounds
from seatrial.slo.quantiles import Estimate
from tests.slo.simulations import TIMES, is_plausible, kept_in_simulation, students_bounds

REPEATS = 1500
# How often the upper bound at 95 % holds at least.
SKEWED = {"exponential": 0.94, "Weibull, shape 0.7": 0.93, "lognormal, sigma 0.5": 0.93, "lognormal, sigma 1": 0.9}
PLAIN = {"normal": 0.95, "Weibull, shape 2": 0.94}


def simulated(name, *, values, bounds=mean_bounds, repeats=REPEATS):
    return kept_in_simulation(
        partial(bounds, confidence=0.95), TIMES[name].draw, TIMES[name].mean, values=values, repeats=repeats
    )


@pytest.mark.parametrize("values", [10, 20, 50])
@pytest.mark.parametrize("name", [*SKEWED, *PLAIN])
def test_both_bounds_hold_nearly_as_often_as_they_say(name, values):
    """Of times of many shapes the lower bound at 95 % holds in 94 of 100 series at least, the upper in 90 to 95."""
    kept = simulated(name, values=values)
    assert is_plausible(round(kept.lower * REPEATS), REPEATS, at_least=0.94)
    assert is_plausible(round(kept.upper * REPEATS), REPEATS, at_least={**SKEWED, **PLAIN}[name])


@pytest.mark.parametrize("name", SKEWED)
def test_students_bounds_do_not(name):
    """Student's upper bound fails that of skewed times: what is asked of ours can be failed."""
    kept = simulated(name, values=10, bounds=students_bounds)
    assert not is_plausible(round(kept.upper * REPEATS), REPEATS, at_least=SKEWED[name])


def test_two_hundred_times_are_enough_for_any_of_these_shapes():
    """With 200 runs the upper bound of very skewed times holds in 93 of 100 series at least."""
    for name in ("lognormal, sigma 1", "one in ten 10 times as slow"):
        kept = simulated(name, values=200, repeats=600)
        assert is_plausible(round(kept.upper * 600), 600, at_least=0.93)


def test_symmetric_times_have_students_bounds():
    """Where nothing is skewed the bounds are Student's, as any textbook has them."""
    values = [float(each) for each in range(1, 22)]
    reach = student_quantile(0.95, 20) * stdev(values) / math.sqrt(21)
    found = mean_bounds(values, confidence=0.95)
    assert (found.lower, found.estimate, found.upper) == pytest.approx((11 - reach, 11, 11 + reach))


def test_the_bounds_are_where_halls_cubic_of_the_t_statistic_is_students_quantile():
    """Put into the cubic of Hall's section 2, the t statistics of the bounds give the quantiles of Student's t."""
    values = [0.2, 0.4, 0.5, 0.7, 0.9, 1.1, 1.6, 2.4, 3.9, 7.2, 1.0, 0.6]
    count, mean, quantile = len(values), fmean(values), student_quantile(0.95, len(values) - 1)
    moments = [fmean((each - mean) ** power for each in values) for power in (2, 3)]
    skewness = moments[1] / moments[0] ** 1.5
    corrected = skewness * math.sqrt(count * (count - 1)) / (count - 2) * (1 + 8.5 / count)

    def cubic(bound, skew):
        t = (mean - bound) / math.sqrt(moments[0] / (count - 1))
        square, cube = skew * t**2 / (3 * math.sqrt(count)), skew**2 * t**3 / (27 * count)
        return t + square + cube + skew / (6 * math.sqrt(count))

    found = mean_bounds(values, confidence=0.95)
    assert cubic(found.lower, skewness) == pytest.approx(quantile)
    assert cubic(found.upper, corrected) == pytest.approx(-quantile)


def test_a_long_tail_moves_the_upper_bound_more_than_the_lower():
    """With a few long times the mean may be far above what was seen, and not far below."""
    found = mean_bounds([1.0] * 18 + [10.0, 12.0], confidence=0.95)
    assert found.upper - found.estimate > 2 * (found.estimate - found.lower)


@given(st.lists(st.floats(0.001, 1000), min_size=FEWEST, max_size=200), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_mean_lies_between_its_bounds(values, confidence):
    """Whatever the times, their mean lies between the bounds, and more confidence means wider ones."""
    found = mean_bounds(values, confidence=confidence)
    surer = mean_bounds(values, confidence=(1 + confidence) / 2)
    slack = 1e-9 * fmean(values)
    assert surer.lower - slack <= found.lower <= found.estimate + slack
    assert found.estimate - slack <= found.upper <= surer.upper + slack


@given(st.lists(st.floats(0.1, 100), min_size=FEWEST, max_size=50), st.floats(0.01, 100))
def test_the_unit_does_not_matter(values, factor):
    """In milliseconds the bounds are a thousand times those in seconds."""
    found = mean_bounds(values, confidence=0.95)
    scaled = mean_bounds([each * factor for each in values], confidence=0.95)
    assert (scaled.lower, scaled.upper) == pytest.approx((found.lower * factor, found.upper * factor), rel=1e-6)


def test_the_same_values_give_the_same_bounds():
    """Nothing is drawn at random: bounds can be reproduced, whatever the order of the values."""
    values = [0.3, 1.2, 0.7, 5.1, 0.9, 1.1, 2.2, 0.4, 0.8, 1.3]
    assert mean_bounds(values, confidence=0.95) == mean_bounds(values[::-1], confidence=0.95)


def test_few_values_have_no_bounds():
    """Fewer than ten values have a mean, and no bounds; none have nothing."""
    assert mean_bounds([2.0] * 8 + [11.0], confidence=0.95) == Estimate(None, 3.0, None)
    assert mean_bounds([], confidence=0.95) == Estimate(None, None, None)


def test_equal_values_have_bounds_that_touch():
    """Where all times are equal there is nothing to doubt by."""
    assert mean_bounds([2.0] * 12, confidence=0.95) == Estimate(2.0, 2.0, 2.0)


def test_times_not_seen_to_the_end_leave_no_upper_bound():
    """Runs given up after 30 s count as 30 s for the lower bound, and nothing bounds the mean from above."""
    found = mean_bounds([1.0, 1.5, 2.0] * 5, confidence=0.95, longer_than=[30.0])
    known = mean_bounds([1.0, 1.5, 2.0] * 5 + [30.0], confidence=0.95)
    assert found == Estimate(known.lower, known.estimate, None)
    assert mean_bounds([2.0] * 12, confidence=0.95, longer_than=[2.0]) == Estimate(2.0, 2.0, None)


def test_infinite_times_have_no_bounds():
    """A time given up after who knows how long leaves nothing to say of the mean."""
    assert mean_bounds([1.0] * 20 + [math.inf], confidence=0.95) == Estimate(None, math.inf, None)
