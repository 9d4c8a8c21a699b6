"""The rank sum test: whether the values of one sample tend to be larger than those of another, of whatever shape.

Mann & Whitney, Annals of Mathematical Statistics 18, 1947. Without ties and up to 2,500 pairs the distribution is
exact; beyond, and with ties, it is the normal approximation with corrections for ties and for continuity (Hollander &
Wolfe, Nonparametric Statistical Methods, 4.1). The shift between the two is Hodges and Lehmann's (Annals of
Mathematical Statistics 34, 1963), the median of all differences between a value of one and a value of the other, with
the bounds of the same test.

What was never seen to the end is infinite: longer than all others, and as long as each other such value. For the bounds
of the shift it is as short, or as long, as makes them wider.
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

import msgspec

from seatrial.slo.distributions import normal_at_least, normal_quantile
from seatrial.slo.quantiles import Estimate

_EXACT_UP_TO = 2500
_FINE = 1e-12
_ROUNDING = 1 + 1e-9


class RankSum(msgspec.Struct, frozen=True, kw_only=True):
    """What the test comes to: `u` counts the pairs in which the second value is the larger (ties by half).

    `superiority` is that as a share of all pairs, Vargha and Delaney's A; `p_value` is two-sided.
    """

    u: float
    superiority: float
    p_value: float


def rank_sum(first: Sequence[float], second: Sequence[float]) -> RankSum:
    """Test whether values of the second sample tend to be larger or smaller than those of the first; none is empty."""
    ordered = sorted(first)
    u = sum(bisect_left(ordered, each) + bisect_right(ordered, each) for each in second) / 2
    pairs = len(first) * len(second)
    ties = [times for times in Counter([*first, *second]).values() if times > 1]
    if not ties and pairs <= _EXACT_UP_TO:
        at_most = _exact_tails(*sorted((len(first), len(second))))
        p_value = min(1.0, 2 * at_most[round(min(u, pairs - u))])
    else:
        reach = abs(u - pairs / 2) - 0.5
        deviation = _deviation(len(first), len(second), ties)
        p_value = min(1.0, 2 * normal_at_least(reach / deviation)) if deviation and reach > 0 else 1.0
    return RankSum(u=u, superiority=u / pairs, p_value=p_value)


def shift_bounds(first: Sequence[float], second: Sequence[float], *, confidence: float) -> Estimate:
    """By how much values of the second sample are larger than those of the first; both bounds at the confidence.

    A bound is None where so few values give none, or where it falls on values that were not seen to the end.
    """
    pairs = len(first) * len(second)
    longest = max((each for each in (*first, *second) if math.isfinite(each)), default=math.inf)
    if longest == math.inf:
        return Estimate(None, None, None)
    # Who waited longer than for all others waited at least as long as for the longest of them.
    narrowest = (first, [min(each, longest) for each in second])
    widest = ([min(each, longest) for each in first], second)
    estimate = _middle_difference(*narrowest)
    if math.inf in (*first, *second) and estimate != _middle_difference(*widest):
        estimate = None
    outside = _differences_outside(len(first), len(second), chance=(1 - confidence) / 2)
    if not outside:
        return Estimate(None, estimate, None)
    return Estimate(_difference(*narrowest, outside), estimate, _difference(*widest, pairs + 1 - outside))


@lru_cache(maxsize=8)
def _exact_tails(fewer: int, more: int) -> tuple[float, ...]:
    """The chance of at most 0, 1, 2... if the two don't differ: coefficients of the Gaussian binomial."""
    ways = [1] + [0] * (fewer * more)
    for each in range(1, fewer + 1):
        for place in range(len(ways) - 1, more + each - 1, -1):
            ways[place] -= ways[place - more - each]
        for place in range(each, len(ways)):
            ways[place] += ways[place - each]
    total = math.comb(fewer + more, fewer)
    return tuple(each / total for each in accumulate(ways))


def _deviation(first: int, second: int, ties: Sequence[int] = ()) -> float:
    """The standard deviation of u if the two don't differ."""
    both = first + second
    tied = sum(times**3 - times for times in ties) / (both * (both - 1)) if both > 1 else 0.0
    return math.sqrt(max(0.0, first * second / 12 * (both + 1 - tied)))


def _differences_outside(first: int, second: int, *, chance: float) -> int:
    """The rank of the difference, from either end, that bounds the shift with that chance of error; 0 for none."""
    pairs = first * second
    if pairs <= _EXACT_UP_TO:
        return bisect_right(_exact_tails(*sorted((first, second))), chance * _ROUNDING)
    return max(0, math.floor(pairs / 2 + 0.5 + normal_quantile(chance) * _deviation(first, second)))


def _middle_difference(first: Sequence[float], second: Sequence[float]) -> float | None:
    """The median of all differences."""
    pairs = len(first) * len(second)
    upper = _difference(first, second, pairs // 2 + 1)
    lower = upper if pairs % 2 else _difference(first, second, pairs // 2)
    return None if lower is None or upper is None else (lower + upper) / 2


def _difference(first: Sequence[float], second: Sequence[float], rank: int) -> float | None:
    """The rank-th smallest difference of a value of the second less one of the first; None for what wasn't seen.

    It is found by bisection, counting the differences below: of 10,000 values each there are too many to write down.
    """
    scale = 4 * max((abs(each) for each in (*first, *second) if math.isfinite(each)), default=0.0) + 1
    left, right = (sorted(min(each, 10 * scale) for each in values) for values in (first, second))
    low, high = right[0] - left[-1], right[-1] - left[0]
    while high - low > _FINE * scale:
        middle = (low + high) / 2
        if _count_up_to(middle, left, right)[0] >= rank:
            high = middle
        else:
            low = middle
    found = _count_up_to(high, left, right)[1]
    return found if abs(found) < scale else None


def _count_up_to(limit: float, left: Sequence[float], right: Sequence[float]) -> tuple[int, float]:
    """How many differences are at most the limit, and the largest of them."""
    count, largest, place = 0, -math.inf, 0
    size = len(left)
    for each in right:
        while place < size and each - left[place] > limit:
            place += 1
        if place == size:
            break
        count += size - place
        largest = max(largest, each - left[place])
    return count, largest
