"""Spans of life: drawn as their distribution says, and what an age makes one expect."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.policy.spans import DAY, YEAR
from seatrial.risk.lifetimes import Lifetime
from tests.risk.statistics import fits


@pytest.mark.parametrize("shape", [0.5, 0.8, 1.0, 1.5, 4.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_lives_are_distributed_as_weibull_says(shape, seed):
    """Kolmogorov and Smirnov find nothing in 5000 lives, at a level of 0.1 %; with the shape 1 they are exponential."""
    lifetime = Lifetime(mean_seconds=5 * YEAR, shape=shape)
    numbers = random.Random(seed)
    lives = [lifetime.draw(numbers) for _ in range(5000)]
    scale = 5 * YEAR / math.gamma(1 + 1 / shape)
    assert fits(lives, lambda age: 1 - math.exp(-((age / scale) ** shape)))
    assert not fits(lives, lambda age: 1 - math.exp(-((age / scale / 1.2) ** shape)))


@pytest.mark.parametrize("shape", [0.7, 1.0, 3.0])
def test_the_mean_is_the_mean_time_to_failure(shape):
    """Whatever the shape: within four standard errors of 20,000 lives."""
    lifetime, numbers = Lifetime(mean_seconds=90 * DAY, shape=shape), random.Random(7)
    lives = [lifetime.draw(numbers) for _ in range(20_000)]
    deviation = math.sqrt(math.gamma(1 + 2 / shape) / math.gamma(1 + 1 / shape) ** 2 - 1)
    assert math.fsum(lives) / len(lives) / (90 * DAY) == pytest.approx(1, abs=4 * deviation / math.sqrt(len(lives)))


def test_a_constant_rate_forgets_ages():
    """Exponential: in a tenth of the mean time a tenth of a failure is to be expected, young or old."""
    lifetime = Lifetime(mean_seconds=10.0)
    assert lifetime.hazard(until_seconds=1) == pytest.approx(0.1)
    assert lifetime.hazard(from_seconds=99, until_seconds=100) == pytest.approx(0.1)


@pytest.mark.parametrize(("shape", "old_fail_more"), [(0.7, False), (3.0, True)])
def test_the_shape_says_who_fails_more(shape, old_fail_more):
    """Below 1 the young, above 1 the old."""
    lifetime = Lifetime(mean_seconds=10.0, shape=shape)
    young, old = lifetime.hazard(until_seconds=1), lifetime.hazard(from_seconds=9, until_seconds=10)
    assert (old > young) is old_fail_more


@given(st.floats(0.1, 20), st.floats(1, 1e9), st.floats(0, 2))
def test_what_is_to_be_expected_up_to_an_age_gives_the_chance(shape, mean, part):
    """The chance of no failure is e to the minus of it."""
    lifetime = Lifetime(mean_seconds=mean, shape=shape)
    survives = math.exp(-lifetime.hazard(until_seconds=part * mean))
    assert 1 - lifetime.chance(within_seconds=part * mean) == pytest.approx(survives, abs=1e-12)
