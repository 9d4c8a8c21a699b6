"""Tails and quantiles: against exact fractions and published tables."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.slo.distributions import (
    beta_cdf,
    beta_quantile,
    binomial_at_least,
    binomial_at_most,
    normal_at_least,
    normal_quantile,
    student_quantile,
)


def exactly_at_least(successes, trials, share):
    return sum(
        math.comb(trials, each) * share**each * (1 - share) ** (trials - each) for each in range(successes, trials + 1)
    )


@given(st.integers(1, 150), st.data(), st.integers(1, 63))
def test_binomial_tails_are_those_of_exact_fractions(trials, data, sixtyfourths):
    """Binomial tails agree with sums of exact fractions to 12 digits, far out, too."""
    successes, share = data.draw(st.integers(0, trials)), Fraction(sixtyfourths, 64)
    least = exactly_at_least(successes, trials, share)
    most = 1 - exactly_at_least(successes + 1, trials, share)
    assert binomial_at_least(successes, trials, float(share)) == pytest.approx(float(least), rel=1e-12)
    assert binomial_at_most(successes, trials, float(share)) == pytest.approx(float(most), rel=1e-12)


@pytest.mark.parametrize("bad", [0, 1, 50, 100, 150, 300])
def test_binomial_tails_of_a_million_trials_are_exact(bad):
    """With a million trials nothing overflows, and ten digits agree with the sum of exact fractions."""
    trials, share = 10**6, Fraction(1, 2**13)
    # The chances of successive numbers, scaled to whole numbers: (2^13 - 1)^(n - k) * C(n, k) / 2^(13 n).
    term = total = Fraction((1 - share) ** 64) ** 0
    for each in range(bad):
        term = Fraction(round(term * (trials - each) / (each + 1) / (2**13 - 1) * 2**200), 2**200)
        total += term
    exactly = math.exp(trials * math.log1p(-float(share)) + math.log(total))
    assert binomial_at_most(bad, trials, float(share)) == pytest.approx(exactly, rel=1e-9)


@given(st.floats(0.5, 1e6), st.floats(0.5, 1e6), st.floats(1e-9, 1 - 1e-9))
def test_a_quantile_of_the_beta_distribution_has_its_chance(a, b, chance):
    """The quantile of a chance is the point up to which there is that chance."""
    point = beta_quantile(chance, a, b)
    # Near 1 the next number is a step in the chance, too.
    step = max(beta_cdf(min(1.0, math.nextafter(point, 2)), a, b) - beta_cdf(math.nextafter(point, -1), a, b), 0)
    assert beta_cdf(point, a, b) == pytest.approx(chance, rel=1e-7, abs=4 * step + 1e-12)


@given(st.floats(0.1, 1e4), st.floats(0.1, 1e4), st.floats(0, 1), st.floats(0, 1))
def test_the_incomplete_beta_function_never_falls(a, b, x, other):
    """The chance up to a larger point is not smaller."""
    low, high = sorted((x, other))
    assert beta_cdf(low, a, b) <= beta_cdf(high, a, b) + 1e-13


@given(st.floats(0.1, 1e4), st.floats(0.1, 1e4), st.integers(1, 4095))
def test_the_incomplete_beta_function_is_symmetric(a, b, part):
    """The chance up to x is that from 1 - x on with the two parameters exchanged (DLMF 8.17.4)."""
    assert beta_cdf(part / 4096, a, b) == pytest.approx(1 - beta_cdf(1 - part / 4096, b, a), abs=1e-12)


def test_the_ends_of_the_beta_distribution():
    """There is no chance below 0, and nothing but below 1."""
    assert (beta_cdf(0, 2, 3), beta_cdf(1, 2, 3)) == (0, 1)
    assert (beta_quantile(0, 2, 3), beta_quantile(1, 2, 3)) == (0, 1)


@pytest.mark.parametrize(
    ("chance", "degrees", "published"),
    [
        (0.95, 1, 6.314), (0.975, 1, 12.706), (0.975, 2, 4.303), (0.95, 5, 2.015), (0.95, 10, 1.812), (0.99, 10, 2.764),
        (0.975, 30, 2.042), (0.995, 60, 2.660), (0.95, 120, 1.658), (0.975, 1e7, 1.960),
    ],
)  # fmt: skip
def test_quantiles_of_students_distribution_are_the_published_ones(chance, degrees, published):
    """Quantiles of Student's t are those of the usual table (Fisher & Yates)."""
    assert student_quantile(chance, degrees) == pytest.approx(published, abs=5.1e-4)
    assert student_quantile(1 - chance, degrees) == pytest.approx(-published, abs=5.1e-4)


def test_the_normal_distribution():
    """Quantiles and tails of the normal distribution are those of the tables, and don't vanish far out."""
    assert normal_quantile(0.975) == pytest.approx(1.959964, abs=1e-6)
    assert normal_at_least(1.959964) == pytest.approx(0.025, abs=1e-8)
    assert normal_at_least(10) == pytest.approx(7.61985e-24, rel=1e-5)
