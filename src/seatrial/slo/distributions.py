"""Tails and quantiles of the distributions that the intervals rest on: beta, binomial, Student's t, normal.

Everything but the normal comes down to the regularized incomplete beta function I_x(a, b): its continued fraction (NIST
Digital Library of Mathematical Functions 8.17.22, https://dlmf.nist.gov/8.17) is evaluated by the modified Lentz method
(Thompson & Barnett, Journal of Computational Physics 64, 1986), the factor before it by the saddle-point form of Loader
("Fast and Accurate Computation of Binomial Probabilities", 2000), which neither overflows nor cancels: millions of
samples cost milliseconds, and the tests hold the results to exact fractions. There is no scipy here because it weighs
158 MB and takes seconds to load.
"""

import math
from functools import lru_cache
from statistics import NormalDist

_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)
_STIRLING_FROM = 16.0
_HALF_LOG_TAU = math.log(2 * math.pi) / 2
_TINY = 1e-300
_PRECISE = 1e-16
_TERMS = 1_000_000
_STEPS = 200
_NORMAL = NormalDist()


def beta_cdf(x: float, a: float, b: float) -> float:
    """I_x(a, b): the chance that a beta variable is at most x."""
    return _lower_tail(x, 1 - x, a, b)


def beta_quantile(chance: float, a: float, b: float) -> float:
    """The x at which I_x(a, b) is the chance: Newton's method, kept inside a bracket that bisection narrows."""
    if not 0 < chance < 1:
        return 0.0 if chance <= 0 else 1.0
    low, high = 0.0, 1.0
    mean = a / (a + b)
    spread = math.sqrt(mean * (1 - mean) / (a + b + 1))
    x = min(max(mean + normal_quantile(chance) * spread, mean / 16), 1 - (1 - mean) / 16)
    for _ in range(_STEPS):
        excess = beta_cdf(x, a, b) - chance
        if excess > 0:
            high = x
        else:
            low = x
        slope = _density_factor(x, 1 - x, a, b) / (x * (1 - x))
        following = x - excess / slope if slope > 0 else low
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - x) <= 4 * _PRECISE * x:
            return following
        x = following
    return x


def binomial_at_least(successes: int, trials: int, chance: float) -> float:
    """The chance of at least so many successes in so many trials."""
    if successes <= 0:
        return 1.0
    return 0.0 if successes > trials else _lower_tail(chance, 1 - chance, successes, trials - successes + 1)


def binomial_at_most(successes: int, trials: int, chance: float) -> float:
    """The chance of at most so many successes in so many trials."""
    if successes >= trials:
        return 1.0
    return 0.0 if successes < 0 else _lower_tail(1 - chance, chance, trials - successes, successes + 1)


def log_beta(a: float, b: float) -> float:
    """The logarithm of the complete beta function."""
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


@lru_cache(maxsize=64)
def student_quantile(chance: float, degrees: float) -> float:
    """The quantile of Student's t distribution with so many degrees of freedom."""
    if chance < 0.5:
        return -student_quantile(1 - chance, degrees)
    part = beta_quantile(2 * chance - 1, 0.5, degrees / 2)
    return math.sqrt(degrees * part / (1 - part)) if part < 1 else math.inf


def normal_quantile(chance: float) -> float:
    """The quantile of the standard normal distribution."""
    return _NORMAL.inv_cdf(chance)


def normal_at_least(z: float) -> float:
    """The chance that a standard normal variable is at least z; exact far out, too."""
    return math.erfc(z / math.sqrt(2)) / 2


def _lower_tail(x: float, rest: float, a: float, b: float) -> float:
    """I_x(a, b), given x and 1 - x."""
    if x <= 0:
        return 0.0
    if rest <= 0:
        return 1.0
    if x > (a + 1) / (a + b + 2):
        return max(0.0, 1 - _density_factor(rest, x, b, a) * _continued_fraction(rest, b, a) / b)
    return min(1.0, _density_factor(x, rest, a, b) * _continued_fraction(x, a, b) / a)


def _density_factor(x: float, rest: float, a: float, b: float) -> float:
    """x^a (1-x)^b / B(a, b)."""
    n = a + b
    exponent = (
        _stirling_error(n) - _stirling_error(a) - _stirling_error(b) - _deviance(a, n * x) - _deviance(b, n * rest)
    )
    return math.exp(exponent) * math.sqrt(a * b / (n * 2 * math.pi))


def _stirling_error(n: float) -> float:
    """What Stirling's formula for log n! is short of."""
    if n < _STIRLING_FROM:
        return math.lgamma(n + 1) - (n + 0.5) * math.log(n) + n - _HALF_LOG_TAU
    inverse_square = 1 / (n * n)
    total = 0.0
    for term in reversed(_STIRLING):
        total = total * inverse_square + term
    return total / n


def _deviance(seen: float, expected: float) -> float:
    """Seen * log(seen / expected) + expected - seen, also where the two are nearly the same."""
    difference = seen - expected
    if abs(difference) >= 0.1 * (seen + expected):
        return seen * math.log(seen / expected) - difference
    ratio = difference / (seen + expected)
    total, power = difference * ratio, 2 * seen * ratio
    for odd in range(3, 1000, 2):
        power *= ratio * ratio
        following = total + power / odd
        if following == total:
            break
        total = following
    return total


def _continued_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of I_x(a, b), for x below (a + 1) / (a + b + 2)."""
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _TERMS):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away_from_zero(1 + numerator * d)
            c = _away_from_zero(1 + numerator / c)
            value *= c * d
        if abs(c * d - 1) < 3 * _PRECISE:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
