"""The rank sum test and the shift: published critical values and examples, and what counting all pairs gives."""

import math
import random
from itertools import combinations
from statistics import NormalDist, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.slo.quantiles import Estimate
from seatrial.slo.rank_sum import _deviation, _differences_outside, _exact_tails, rank_sum, shift_bounds

TIMES = st.lists(st.integers(0, 1000).map(float), min_size=1, max_size=25)


@pytest.mark.parametrize(
    ("size", "critical"),
    [(4, 0), (5, 2), (6, 5), (7, 8), (8, 13), (9, 17), (10, 23), (12, 37), (15, 64), (20, 127)],
)
def test_critical_values_are_the_published_ones(size, critical):
    """At 5 %, two-sided, U is significant up to the value in the tables (Mann & Whitney; Milton 1964)."""
    tails = _exact_tails(size, size)
    assert 2 * tails[critical] <= 0.05 < 2 * tails[critical + 1]


def test_the_distribution_is_that_of_all_orders():
    """Each choice of places for three among eight is as likely as any other."""
    counted = [0] * 16
    for places in combinations(range(8), 3):
        counted[sum(places) - 3] += 1
    assert _exact_tails(3, 5) == pytest.approx([sum(counted[: u + 1]) / 56 for u in range(16)])


def test_hollander_and_wolfes_example():
    """Of Hollander & Wolfe, example 4.1: W is 35 of 50, p 0.2544, the shift 0.305 between -0.15 and 0.76."""
    at_term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    early = [1.15, 0.88, 0.90, 0.74, 1.21]
    found = rank_sum(early, at_term)
    assert found.u == 35
    assert found.superiority == 0.7
    assert found.p_value == pytest.approx(0.2544, abs=5e-5)
    shift = shift_bounds(early, at_term, confidence=0.95)
    assert (shift.lower, shift.estimate, shift.upper) == pytest.approx((-0.15, 0.305, 0.76))


@given(TIMES, TIMES)
def test_superiority_is_the_share_of_pairs(first, second):
    """It is the share of pairs in which the second value is the larger, ties by half."""
    pairs = [(b > a) + 0.5 * (b == a) for a in first for b in second]
    assert rank_sum(first, second).superiority == pytest.approx(sum(pairs) / len(pairs))


@given(TIMES, TIMES)
def test_exchanged_samples_are_exchanged(first, second):
    """With the samples exchanged the chance is the same, the superiority the opposite, the shift the other way."""
    one, other = rank_sum(first, second), rank_sum(second, first)
    assert one.p_value == pytest.approx(other.p_value)
    assert one.superiority == pytest.approx(1 - other.superiority)
    here, there = (shift_bounds(*it, confidence=0.9) for it in ((first, second), (second, first)))
    assert here.estimate == pytest.approx(-there.estimate)
    assert (here.lower is None) == (there.upper is None)
    assert here.lower is None or here.lower == pytest.approx(-there.upper)


@given(TIMES, TIMES)
def test_the_shift_is_the_median_of_all_differences(first, second):
    """The estimate is the median of the differences of all pairs, the bounds are two of them."""
    differences = sorted(b - a for a in first for b in second)
    found = shift_bounds(first, second, confidence=0.9)
    half = len(differences) // 2
    assert found.estimate == pytest.approx((differences[half] + differences[-1 - half]) / 2)
    outside = _differences_outside(len(first), len(second), chance=0.05)
    if outside:
        assert (found.lower, found.upper) == (differences[outside - 1], differences[-outside])
    else:
        assert (found.lower, found.upper) == (None, None)


def test_the_approximation_agrees_with_the_exact_distribution():
    """Where both can be had, the normal approximation with its corrections is within 0.002 of the exact chance."""
    draws = random.Random(3)
    tails = _exact_tails(50, 51)
    for shift in range(20):
        first = [draws.random() for _ in range(50)]
        second = [draws.random() + shift / 50 for _ in range(51)]
        found = rank_sum(first, second)
        exact = min(1, 2 * tails[round(min(found.u, 50 * 51 - found.u))])
        assert found.p_value == pytest.approx(exact, abs=0.002)
        assert found.p_value != exact


def test_ties_are_allowed_for():
    """The standard deviation of U with ties is that over all ways to choose one sample among the values."""
    values = [1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 4.0, 4.0, 4.0]
    found = []
    for places in combinations(range(9), 4):
        first = [values[place] for place in places]
        second = [values[place] for place in range(9) if place not in places]
        found.append(rank_sum(first, second).u)
    assert _deviation(4, 5, [3, 2, 3]) == pytest.approx(pstdev(found))
    # Half a pair is taken off the distance from the mean, for U comes in steps.
    u = rank_sum(values[:4], values[4:]).u
    chance = 2 * (1 - NormalDist().cdf((abs(u - 10) - 0.5) / pstdev(found)))
    assert rank_sum(values[:4], values[4:]).p_value == pytest.approx(chance)


def test_no_difference_is_found_as_seldom_as_it_says():
    """Of samples that don't differ, with ties and without, 5 % are called different at 5 %."""
    draws = random.Random(5)
    for digits in (0, 12):
        found = 0
        for _ in range(600):
            first = [round(draws.expovariate(0.2), digits) for _ in range(30)]
            second = [round(draws.expovariate(0.2), digits) for _ in range(25)]
            found += rank_sum(first, second).p_value <= 0.05
        assert 12 <= found <= 52  # 30 on average


def test_the_shift_lies_between_its_bounds_as_often_as_they_say():
    """In simulation the bounds of the shift at 95 % hold in 95 of 100, for small samples and for large ones."""
    draws = random.Random(7)
    for count, repeats in ((12, 300), (60, 150)):
        held = 0
        for _ in range(repeats):
            first = [draws.expovariate(1) for _ in range(count)]
            second = [draws.expovariate(1) + 0.5 for _ in range(count)]
            found = shift_bounds(first, second, confidence=0.95)
            held += found.lower <= 0.5 <= found.upper
        assert held >= 0.9 * repeats


def test_equal_values_are_not_different():
    """Where all values are equal there is no difference, and no chance to find one."""
    found = rank_sum([1.0] * 60, [1.0] * 60)
    assert (found.superiority, found.p_value) == (0.5, 1.0)
    assert shift_bounds([1.0] * 60, [1.0] * 60, confidence=0.95) == Estimate(0, 0, 0)


def test_few_values_show_nothing():
    """Two values against three can't differ at 5 %, and have no bounds."""
    assert rank_sum([1.0, 2.0], [10.0, 11.0, 12.0]).p_value == pytest.approx(0.2)
    assert shift_bounds([1.0, 2.0], [10.0, 11.0, 12.0], confidence=0.95) == Estimate(None, 9.5, None)


def test_times_not_seen_to_the_end_widen_the_bounds():
    """With times not seen to the end the bounds are no narrower than with any lengths that they may have had."""
    first = [1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, math.inf]
    second = [1.5, 1.7, 1.9, 2.1, 2.3, 2.5, math.inf, math.inf]
    found = shift_bounds(first, second, confidence=0.9)
    for mine, theirs in ((2.6, 50.0), (50.0, 2.6), (3.0, 3.0)):
        known = shift_bounds(
            [min(each, mine) for each in first], [min(each, theirs) for each in second], confidence=0.9
        )
        assert found.lower <= known.lower
        assert found.upper is None or found.upper >= known.upper


def test_what_was_never_seen_has_no_shift():
    """Where no time was seen to the end nothing is said; where all after were not, it rose by so much or more."""
    unseen = [math.inf] * 10
    assert shift_bounds(unseen, unseen, confidence=0.95) == Estimate(None, None, None)
    rose = shift_bounds([float(each) for each in range(1, 11)], unseen, confidence=0.95)
    assert (rose.estimate, rose.upper) == (None, None)
    assert 0 <= rose.lower <= 9


def test_ten_thousand_values_each():
    """The hundred million differences of long series are not written down."""
    draws = random.Random(1)
    first = [draws.gauss(0, 1) for _ in range(10_000)]
    found = shift_bounds(first, [each + 0.25 for each in first], confidence=0.95)
    assert found.lower < 0.25 < found.upper
    assert found.estimate == pytest.approx(0.25)
