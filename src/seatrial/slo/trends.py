"""Trends and change points: is a series creeping up, or did it jump at some run?

- Mann (Econometrica 13, 1945) and Kendall's test asks whether later values tend to be larger; how fast they grow is the
  slope of Theil and Sen (Journal of the American Statistical Association 63, 1968), the median of the slopes between
  all pairs.
- Pettitt's test (Applied Statistics 28, 1979) finds the run after which a series is another one, with an approximate
  chance of seeing as much where nothing changed.

Both go by ranks: no shape of the times is assumed, and one that was never seen to the end is the longest. Both take
runs as independent: where neighbours resemble each other (a busy night) they warn too often, so their findings are
warnings, never verdicts. To each test what the other looks for is a finding, too: `development` tells which of the two
describes the series better.
"""

import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean, median

import msgspec

from seatrial.slo.distributions import normal_at_least

FEWEST = 10
SIGNIFICANCE = 0.01


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """A series that rises or falls by so much a run; by `total` from its first to its last.

    Both are None where what rises is how often it was never seen to the end.
    """

    slope: float | None
    total: float | None
    p_value: float


class ChangePoint(msgspec.Struct, frozen=True, kw_only=True):
    """A series that is another one from the value at `place` on (from 0): typical was `before`, and is `after`."""

    place: int
    before: float
    after: float
    p_value: float


def trend(values: Sequence[float], *, significance: float = SIGNIFICANCE, are_shares: bool = False) -> Trend | None:
    """The trend of values in the order of time; None where none is shown, or there are fewer than ten.

    The test takes all values; the slope of a long series is that between the medians of 150 blocks of neighbours, of
    shares that between the means of 20 (most runs have no failure: the median of shares is none).
    """
    count = len(values)
    if count < FEWEST:
        return None
    ties = sum(times * (times - 1) * (2 * times + 5) for times in Counter(values).values() if times > 1)
    variance = (count * (count - 1) * (2 * count + 5) - ties) / 18
    score = _larger_less_smaller(values)
    if variance <= 0 or abs(score) < 1:
        return None
    p_value = min(1.0, 2 * normal_at_least((abs(score) - 1) / math.sqrt(variance)))
    if p_value > significance:
        return None
    slope = _slope(values, blocks=20, typical=fmean) if are_shares else _slope(values, blocks=150, typical=median)
    return Trend(slope=slope, total=None if slope is None else slope * (count - 1), p_value=p_value)


def change_point(
    values: Sequence[float], *, significance: float = SIGNIFICANCE, are_shares: bool = False
) -> ChangePoint | None:
    """The run after which values are others; None where none is shown, or there are fewer than ten.

    Pettitt's chance is for values that differ; where some are equal, as failures among passes are, their ranks vary
    less, which is allowed for as in the rank sum test.
    """
    count = len(values)
    ties = sum(times**3 - times for times in Counter(values).values())
    if count < FEWEST or ties == count**3 - count:
        return None
    ordered = sorted(values)
    largest, place, running = 0, 0, 0
    for index, each in enumerate(values, start=1):
        # Twice the midrank, less its mean: whole numbers, so that equal series give equal results.
        running += bisect_left(ordered, each) + bisect_right(ordered, each) - count
        if abs(running) > largest:
            largest, place = abs(running), index
    differing = 1 - ties / (count**3 - count)
    p_value = min(1.0, 2 * math.exp(-6 * largest**2 / ((count**3 + count**2) * differing)))
    if p_value > significance:
        return None
    typical = fmean if are_shares else median
    return ChangePoint(place=place, before=typical(values[:place]), after=typical(values[place:]), p_value=p_value)


def development(
    values: Sequence[float], *, significance: float = SIGNIFICANCE, are_shares: bool = False
) -> Trend | ChangePoint | None:
    """What became of a series, if anything: the trend or the change point that leaves less unexplained.

    Each of the two is looked for at half the significance, so that nothing at all is found as seldom as it says. What
    is typical of times is their median, of shares (also of yes and no, as 1 and 0) their mean.
    """
    rising = trend(values, significance=significance / 2, are_shares=are_shares)
    jump = change_point(values, significance=significance / 2, are_shares=are_shares)
    if rising is None or jump is None:
        return rising or jump
    if rising.slope is None:
        return jump
    unexplained = _variation if are_shares else _spread
    straight = [each - rising.slope * place for place, each in enumerate(values)]
    by_jump = unexplained(values[: jump.place]) + unexplained(values[jump.place :])
    return jump if by_jump <= unexplained(straight) else rising


def _spread(values: Sequence[float]) -> float:
    """How far values are from their median, all together; those that were not seen to the end are left out."""
    seen = [each for each in values if math.isfinite(each)]
    middle = median(seen) if seen else 0.0
    return math.fsum(abs(each - middle) for each in seen)


def _variation(values: Sequence[float]) -> float:
    """How far values are from their mean, squared, all together."""
    middle = fmean(values)
    return math.fsum((each - middle) ** 2 for each in values)


def _larger_less_smaller(values: Sequence[float]) -> int:
    """Kendall's S: in how many pairs the later value is larger, less those in which it is smaller."""
    earlier: list[float] = []
    score = 0
    for each in values:
        score += bisect_left(earlier, each) + bisect_right(earlier, each) - len(earlier)
        insort(earlier, each)
    return score


def _slope(values: Sequence[float], *, blocks: int, typical: Callable[[Sequence[float]], float]) -> float | None:
    """Theil and Sen's slope, between what is typical of blocks (few values are one each); None where it is infinite."""
    size = math.ceil(len(values) / blocks)
    parts = [values[begin : begin + size] for begin in range(0, len(values), size)]
    places = [index * size + (len(part) - 1) / 2 for index, part in enumerate(parts)]
    middles = [typical(part) for part in parts]
    slopes = [
        (later - earlier) / (places[j] - places[i])
        for i, earlier in enumerate(middles)
        for j, later in enumerate(middles[i + 1 :], start=i + 1)
        if math.isfinite(later) or math.isfinite(earlier)
    ]
    slope = median(slopes) if slopes else math.inf
    return slope if math.isfinite(slope) else None
