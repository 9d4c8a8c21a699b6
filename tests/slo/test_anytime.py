"""Bounds that hold at every look: their chance of ever being wrong, counted exactly."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.slo.anytime import anytime_binomial_bounds, anytime_runs_without_failure
from seatrial.slo.intervals import Bounds, binomial_bounds, runs_without_failure
from tests.slo.simulations import ever_wrong


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_looked_at_after_each_run_they_are_wrong_as_seldom_as_they_say(share):
    """Over 200 looks each bound at 95 % is wrong at any of them with a chance of 5 % at most."""
    wrong = ever_wrong(partial(anytime_binomial_bounds, confidence=0.95), share, looks=200)
    assert 0 < wrong.lower <= 0.05
    assert 0 < wrong.upper <= 0.05


def test_bounds_for_one_look_are_not():
    """Clopper and Pearson's bounds, looked at as often, are wrong at some look three times as often as they say."""
    wrong = ever_wrong(partial(binomial_bounds, confidence=0.95), 0.3, looks=200)
    assert wrong.lower > 0.15
    assert wrong.upper > 0.15


@given(st.integers(0, 300), st.integers(0, 300), st.sampled_from([0.8, 0.95, 0.99]))
def test_they_hold_those_for_one_look_between_them(good, bad, confidence):
    """They are wider than the bounds for one look, and hold the share seen between them."""
    found = anytime_binomial_bounds(good, good + bad, confidence=confidence)
    once = binomial_bounds(good, good + bad, confidence=confidence)
    assert 0 <= found.lower <= once.lower + 1e-9
    assert once.upper - 1e-9 <= found.upper <= 1


@given(st.integers(0, 200), st.integers(0, 200))
def test_another_bad_run_never_lowers_a_bound(good, bad):
    """With a bad run in place of a good one no bound is lower."""
    fewer = anytime_binomial_bounds(bad, good + bad + 1, confidence=0.95)
    more = anytime_binomial_bounds(bad + 1, good + bad + 1, confidence=0.95)
    assert fewer.lower <= more.lower + 1e-12
    assert fewer.upper <= more.upper + 1e-12


def test_watching_costs_a_quarter_more_runs():
    """Without a failure it takes 74 runs rather than 59 to show fewer than 5 %, and 377 rather than 299 for 1 %."""
    assert [anytime_runs_without_failure(share, confidence=0.95) for share in (0.05, 0.01)] == [74, 377]
    assert [runs_without_failure(share, confidence=0.95) for share in (0.05, 0.01)] == [59, 299]


@given(st.floats(1e-4, 0.9))
def test_so_many_runs_without_a_failure_are_enough(share):
    """With so many runs the upper bound is at most the share, and with one fewer it is above."""
    runs = anytime_runs_without_failure(share, confidence=0.95)
    assert anytime_binomial_bounds(0, runs, confidence=0.95).upper <= share + 1e-9
    assert anytime_binomial_bounds(0, runs - 1, confidence=0.95).upper > share - 1e-9


def test_before_the_first_run_nothing_is_known():
    """Without any run the share lies between 0 and 1."""
    assert anytime_binomial_bounds(0, 0, confidence=0.95) == Bounds(0, 1)


def test_a_million_runs():
    """A million runs with 500 bad ones bound the share within a fifth."""
    found = anytime_binomial_bounds(500, 10**6, confidence=0.95)
    assert (found.lower, found.upper) == pytest.approx((0.000406, 0.000581), abs=1e-6)
