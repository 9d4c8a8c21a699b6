"""Bounds for a percentile by order statistics: they hold whatever the distribution of the times.

Of n independent times the r-th smallest lies above the q-quantile with the chance that fewer than r of n fall below it,
a binomial tail (Conover, Practical Nonparametric Statistics, 3.2; Hahn & Meeker, Statistical Intervals, 5.2). So each
bound is one of the times measured: `upper` the smallest, `lower` the largest that is right at the confidence. With few
runs there is none: the longest of 58 times bounds the 95th percentile at 94.9 % only, it takes 59 (299 for the 99th,
2995 for the 99.9th). Ties only make the bounds more careful than they say.

A time that nobody waited for to the end ("longer than 30 s") is neither left out nor taken as 30 s: for the upper bound
and the estimate it is infinite, for the lower bound it is as long as was waited. An estimate or bound that falls on
such a time says that the percentile is beyond what was waited for.

The estimate is the inverse of the empirical distribution, definition 1 of Hyndman & Fan (The American Statistician 50,
1996): the smallest time that at least a share q of the times doesn't exceed. Of the nine it is the one that needs no
arithmetic on times never seen to the end, and that lies between the bounds always.
"""

import math
from collections.abc import Callable, Sequence

import msgspec

from seatrial.slo.distributions import binomial_at_least, binomial_at_most
from seatrial.slo.intervals import runs_without_failure

_ROUNDING = 1e-9


class Estimate(msgspec.Struct, frozen=True):
    """An estimate with bounds, one-sided each at the confidence; None where nothing bounds it from that side.

    The estimate is infinite where it falls on what was never seen to the end, and None of no values at all.
    """

    lower: float | None
    estimate: float | None
    upper: float | None


def quantile_bounds(
    values: Sequence[float], q: float, *, confidence: float, longer_than: Sequence[float] = ()
) -> Estimate:
    """The q-quantile (q between 0 and 1) of what the values are a sample of.

    Values that were not seen to the end stand in `longer_than` as long as they were waited for, or among the values as
    infinity where it isn't known how long that was.
    """
    longest = sorted([*values, *[math.inf] * len(longer_than)])
    shortest = sorted([*values, *longer_than]) if longer_than else longest
    count = len(longest)
    if not count:
        return Estimate(None, None, None)
    low, high = quantile_ranks(count, q, confidence=confidence)
    upper = None if high is None else longest[high - 1]
    return Estimate(
        lower=None if low is None else shortest[low - 1],
        estimate=longest[quantile_rank(count, q) - 1],
        upper=None if upper == math.inf else upper,
    )


def quantile_rank(count: int, q: float) -> int:
    """Which of so many sorted values, counted from 1, is the q-quantile."""
    return min(count, max(1, math.ceil(count * q - _ROUNDING)))


def quantile_ranks(count: int, q: float, *, confidence: float) -> tuple[int | None, int | None]:
    """Which of so many sorted values, counted from 1, bound the q-quantile from below and from above; None for none.

    That is all that bounds need of the values: where times are kept as a histogram, the buckets of these ranks are the
    bounds.
    """
    low = _last(lambda rank: binomial_at_least(rank, count, q) >= confidence, count)
    short = _last(lambda rank: binomial_at_most(rank - 1, count, q) < confidence, count)
    return low or None, short + 1 if short < count else None


def samples_needed(q: float, *, confidence: float) -> int:
    """From how many samples on the q-quantile has an upper bound."""
    return runs_without_failure(1 - q, confidence=confidence)


def _last(holds: Callable[[int], bool], count: int) -> int:
    """The last of 1 to count for which it holds, where it holds up to some place and not beyond; 0 for none."""
    low, high = 0, count + 1
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low
