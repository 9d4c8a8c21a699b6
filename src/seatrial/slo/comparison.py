"""Comparison of two series: before and after a release, say. Did it get slower, by how much, and how sure is that?

Three answers that need no assumption about the shape of the times: the rank sum test with the shift between the two
(`slo.rank_sum`), the size of the effect as the chance that a time after is longer than one before (Vargha & Delaney,
Journal of Educational and Behavioral Statistics 25, 2000: 0.56 is small, 0.64 medium, 0.71 large), and the change of a
percentile with bootstrap bounds. The bootstrap draws no values: the place of a quantile in a resample has a beta
distribution (Efron & Tibshirani, An Introduction to the Bootstrap, 1993; Maritz & Jarrett, Journal of the American
Statistical Association 73, 1978), so a draw is one beta variable, however long the series.

Shares (passed or not) are compared by Fisher's exact test, with Newcombe's bounds for their difference (Statistics in
Medicine 17, 1998, method 10).

Here both bounds together hold at the confidence, for a comparison asks for either direction.
"""

import math
import random
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from seatrial.slo.intervals import wilson_bounds
from seatrial.slo.quantiles import Estimate, quantile_rank, quantile_ranks
from seatrial.slo.rank_sum import rank_sum, shift_bounds
from seatrial.slo.wording import time_in_words

_DRAWS = 2000
_SEED = 1978
_EFFECTS = ((0.71, "large"), (0.64, "medium"), (0.56, "small"), (0.0, "negligible"))


class Change(StrEnum):
    """What became of a series."""

    SLOWER = "slower"
    FASTER = "faster"
    NONE_SHOWN = "no difference shown"


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two series of times compared.

    `superiority` is the chance that a time after is longer than one before, `effect` that in a word; `shift` is how
    much longer a time after typically is. `before` and `after` are the percentile `q` of each, infinite where it lies
    beyond what was waited for, `percentile_change` is what became of it. Bounds are None where the runs are too few.
    """

    runs_before: int
    runs_after: int
    confidence: float
    change: Change
    p_value: float
    superiority: float
    effect: str
    shift: Estimate
    q: float
    before: float
    after: float
    percentile_change: Estimate
    tail_change: Change

    @property
    def text(self) -> str:
        """The comparison in a sentence."""
        moved = f"p{100 * self.q:g} went from {_seconds(self.before)} to {_seconds(self.after)}"
        if bounds := _between(self.percentile_change):
            moved += f" ({bounds} at {self._percent})"
        elif bounds := _between(self.shift):
            moved += f" (too few runs for its bounds; the times moved by {bounds} at {self._percent})"
        else:
            moved += " (too few runs for bounds)"
        return f"{moved}: {self._verdict}"

    @property
    def _percent(self) -> str:
        return f"{100 * self.confidence:g} %"

    @property
    def _verdict(self) -> str:
        if self.change is not Change.NONE_SHOWN:
            return f"{self.change}, {self.effect} effect"
        if self.tail_change is not Change.NONE_SHOWN:
            return f"the slowest are {self.tail_change}, as a whole {self.change} (p = {self.p_value:.2g})"
        return f"{self.change} (p = {self.p_value:.2g})"


class ShareComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two shares of bad runs compared: `difference` is by how much the share grew, both bounds at the confidence."""

    before: float
    after: float
    confidence: float
    p_value: float
    difference: Estimate

    @property
    def is_shown(self) -> bool:
        """Whether the two differ, at the confidence."""
        return self.p_value <= 1 - self.confidence


def compare(
    before: Sequence[float],
    after: Sequence[float],
    *,
    confidence: float,
    q: float = 0.95,
    longer_before: Sequence[float] = (),
    longer_after: Sequence[float] = (),
) -> Comparison | None:
    """Compare two series of times; None where one of them is empty.

    Times that were not seen to the end stand in `longer_...` as long as they were waited for. All times from the
    shortest of those on count as equally long: whether they were is not known. (Or they stand among the times as
    infinity, where both series were waited for equally long.)
    """
    waited = min([*longer_before, *longer_after], default=math.inf)
    first = _up_to(waited, before, longer_before)
    second = _up_to(waited, after, longer_after)
    if not first or not second:
        return None
    ranks = rank_sum(first, second)
    percentile_change = _percentile_change(first, second, q=q, confidence=confidence)
    return Comparison(
        runs_before=len(first),
        runs_after=len(second),
        confidence=confidence,
        change=_change(ranks.superiority - 0.5) if ranks.p_value <= 1 - confidence else Change.NONE_SHOWN,
        p_value=ranks.p_value,
        superiority=ranks.superiority,
        effect=next(word for least, word in _EFFECTS if max(ranks.superiority, 1 - ranks.superiority) >= least),
        shift=shift_bounds(first, second, confidence=confidence),
        q=q,
        before=_quantile(first, q),
        after=_quantile(second, q),
        percentile_change=percentile_change,
        tail_change=_shown_by(percentile_change),
    )


def compare_shares(
    bad_before: int, runs_before: int, bad_after: int, runs_after: int, *, confidence: float
) -> ShareComparison | None:
    """Compare the shares of bad runs; None where there is no run on one side."""
    if not runs_before or not runs_after:
        return None
    first, second = bad_before / runs_before, bad_after / runs_after
    one_sided = (1 + confidence) / 2
    bounds = wilson_bounds(bad_before, runs_before, confidence=one_sided)
    others = wilson_bounds(bad_after, runs_after, confidence=one_sided)
    difference = second - first
    return ShareComparison(
        before=first,
        after=second,
        confidence=confidence,
        p_value=_fisher(bad_before, runs_before, bad_after, runs_after),
        difference=Estimate(
            lower=difference - math.hypot(second - others.lower, bounds.upper - first),
            estimate=difference,
            upper=difference + math.hypot(others.upper - second, first - bounds.lower),
        ),
    )


def _up_to(waited: float, values: Sequence[float], longer: Sequence[float]) -> list[float]:
    """All times, in order; those from `waited` on are infinite."""
    return sorted(each if each < waited else math.inf for each in (*values, *longer))


def _percentile_change(first: Sequence[float], second: Sequence[float], *, q: float, confidence: float) -> Estimate:
    """What became of a percentile: bounds where there are enough runs for the percentile itself to have them."""
    begin, end = _quantile(first, q), _quantile(second, q)
    estimate = end - begin if math.isfinite(begin) or math.isfinite(end) else None
    one_sided = (1 + confidence) / 2
    if any(None in quantile_ranks(len(each), q, confidence=one_sided) for each in (first, second)):
        return Estimate(None, estimate, None)
    draws = random.Random(_SEED)  # noqa: S311 - reproducible, not secret
    pairs = [(_redrawn(first, q, draws), _redrawn(second, q, draws)) for _ in range(_DRAWS)]
    # Who waited longer than for all others waited at least as long as for the longest of them.
    longest = max((each for each in (*first, *second) if math.isfinite(each)), default=math.inf)
    shortest_changes = sorted(-math.inf if then == math.inf else min(now, longest) - then for then, now in pairs)
    longest_changes = sorted(math.inf if now == math.inf else now - min(then, longest) for then, now in pairs)
    outside = math.floor(_DRAWS * (1 - confidence) / 2)
    lower, upper = shortest_changes[outside], longest_changes[-1 - outside]
    return Estimate(lower if lower > -math.inf else None, estimate, upper if upper < math.inf else None)


def _redrawn(ordered: Sequence[float], q: float, draws: random.Random) -> float:
    """The q-quantile of a resample."""
    count = len(ordered)
    rank = quantile_rank(count, q)
    return ordered[min(count - 1, math.floor(count * draws.betavariate(rank, count - rank + 1)))]


def _quantile(ordered: Sequence[float], q: float) -> float:
    return ordered[quantile_rank(len(ordered), q) - 1]


def _change(difference: float) -> Change:
    return Change.SLOWER if difference > 0 else Change.FASTER


def _shown_by(change: Estimate) -> Change:
    if change.lower is not None and change.lower > 0:
        return Change.SLOWER
    return Change.FASTER if change.upper is not None and change.upper < 0 else Change.NONE_SHOWN


def _fisher(bad_before: int, runs_before: int, bad_after: int, runs_after: int) -> float:
    """Fisher's exact test, two-sided: all tables of the same sums that are no likelier than the one seen."""
    bad, runs = bad_before + bad_after, runs_before + runs_after
    log_all = _log_choose(runs, bad)

    def chance(before: int) -> float:
        return math.exp(_log_choose(runs_before, before) + _log_choose(runs_after, bad - before) - log_all)

    seen = chance(bad_before) * (1 + 1e-7)
    tables = map(chance, range(max(0, bad - runs_after), min(bad, runs_before) + 1))
    return min(1.0, math.fsum(each for each in tables if each <= seen))


def _log_choose(count: int, chosen: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(chosen + 1) - math.lgamma(count - chosen + 1)


def _between(change: Estimate) -> str:
    if change.lower is None and change.upper is None:
        return ""
    if change.upper is None:
        return f"{_signed(change.lower)} or more"
    if change.lower is None:
        return f"{_signed(change.upper)} or less"
    return f"{_signed(change.lower)} to {_signed(change.upper)}"


def _signed(seconds: float | None) -> str:
    sign = "-" if seconds is not None and seconds < 0 else "+"
    return f"{sign}{time_in_words(abs(seconds or 0.0))}"


def _seconds(value: float) -> str:
    return time_in_words(value) if math.isfinite(value) else "longer than was waited"
