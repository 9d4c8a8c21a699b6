"""Judging a share: how many are bad, and whether that is no more than may be.

Met is where even the upper bound for the share of bad ones is no more than may be bad, violated where even the lower
one is more. For a percentile that is the same as comparing the limit with its bounds by order statistics. What is
unknown counts as bad for the one, as good for the other. Where runs have several values each, the bounds are those of
clusters; for tests and bounds that may be looked at after each run, a run is one witness.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from itertools import accumulate

import msgspec

from seatrial.policy.objectives import Objective, window_runs
from seatrial.runtime.events import ObjectiveStatus
from seatrial.slo.anytime import anytime_binomial_bounds, anytime_is_shown, anytime_more_runs_needed
from seatrial.slo.clustered import ratio_bounds
from seatrial.slo.intervals import Bounds, binomial_bounds, is_shown, more_runs_needed
from seatrial.slo.sequential import Decision, SequentialTest
from seatrial.slo.series import Count
from seatrial.slo.tallies import Tally


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the share of bad ones: it lies between the two.

    `more_needed` is None unless it is open, and where the window is too short to ever show it.
    """

    status: ObjectiveStatus
    least_bad: float
    most_bad: float
    more_needed: int | None = None


def look_at_shares(objective: Objective, tallies: Sequence[Tally]) -> Shares:
    """Judge an objective that is about a share."""
    may_be_bad = 1 - (objective.share or 0.0)
    at_worst = [each.at_worst() for each in tallies]
    worst = best = _bounds(at_worst, objective)
    if any(each.unknown for each in tallies):
        best = _bounds([each.at_best() for each in tallies], objective)
    most_bad, least_bad = worst.upper, best.lower
    if objective.sequential is not None:
        status, needed = _sequential(objective, tallies)
    elif most_bad <= may_be_bad:
        status, needed = ObjectiveStatus.MET, None
    elif least_bad > may_be_bad:
        status, needed = ObjectiveStatus.VIOLATED, None
    else:
        status, needed = ObjectiveStatus.UNDECIDED, _runs_needed(at_worst, objective, share=may_be_bad)
        needed = None if needed is None else max(1, needed)  # a bound may miss the limit by a last digit
    return Shares(status=status, least_bad=least_bad, most_bad=most_bad, more_needed=needed)


def _bounds(counts: Sequence[Count], objective: Objective) -> Bounds:
    """Bounds for the share of bad ones."""
    confidence, runs = objective.confidence, len(counts)
    if objective.is_looked_at_often:
        # By how many runs have any bad one, and by how many have nothing else.
        any_bad, all_bad = sum(each.bad > 0 for each in counts), sum(not each.good for each in counts)
        upper = anytime_binomial_bounds(any_bad, runs, confidence=confidence).upper
        return Bounds(anytime_binomial_bounds(all_bad, runs, confidence=confidence).lower, upper)
    if _are_single(counts):
        return binomial_bounds(sum(each.bad for each in counts), runs, confidence=confidence)
    good = ratio_bounds(counts, confidence=confidence)
    return Bounds(1 - good.upper, 1 - good.lower)


def _runs_needed(counts: Sequence[Count], objective: Objective, *, share: float) -> int | None:
    """At least: as if further runs had as many values as those so far, which told as much."""
    bad, runs, confidence = sum(each.bad for each in counts), len(counts), objective.confidence
    last = window_runs(objective.window)
    if last is not None and (objective.every_look or _are_single(counts)):
        return _runs_until_shown(counts, objective, last=last, share=share)
    if objective.every_look:
        bad = sum(each.bad > 0 for each in counts)
        return anytime_more_runs_needed(bad, runs, share=share, confidence=confidence)
    if _are_single(counts):
        return more_runs_needed(bad, runs, share=share, confidence=confidence)
    known = ratio_bounds(counts, confidence=confidence)
    telling = max(1, int(known.effective_samples))
    missing = more_runs_needed(math.ceil(bad * telling / known.samples), telling, share=share, confidence=confidence)
    if missing is None:
        return None
    needed = max(1, math.ceil(missing * runs / telling))
    return needed if last is None else min(needed, last)


def _runs_until_shown(counts: Sequence[Count], objective: Objective, *, last: int, share: float) -> int | None:
    """In a window of so many runs each further one drives out the oldest, which may be the bad one."""
    test = anytime_is_shown if objective.every_look else is_shown
    is_enough = partial(test, share=share, confidence=objective.confidence)
    if not is_enough(0, last):
        return None
    bad_of_latest = [0, *accumulate(each.bad > 0 for each in reversed(counts))]

    def is_enough_after(more: int) -> bool:
        kept = min(len(counts), last - more)
        return is_enough(bad_of_latest[kept], kept + more)

    return bisect_left(range(last + 1), True, key=is_enough_after)


def _are_single(counts: Sequence[Count]) -> bool:
    """Whether each run has one value."""
    return all(each.good + each.bad == 1 for each in counts)


def _sequential(objective: Objective, tallies: Sequence[Tally]) -> tuple[ObjectiveStatus, int | None]:
    spec = objective.sequential
    assert spec is not None  # noqa: S101 -- asked of those that have one
    test = SequentialTest(
        acceptable=spec.acceptable,
        unacceptable=1 - (objective.share or 0.0),
        confidence=objective.confidence,
        power=spec.power,
    )
    at_worst = [bool(each.bad + each.unknown) for each in tallies]
    worst = test.first_decision(at_worst)
    if worst and worst[0] is Decision.ACCEPTABLE:
        return ObjectiveStatus.MET, None
    if (best := test.first_decision(bool(each.bad) for each in tallies)) and best[0] is Decision.UNACCEPTABLE:
        return ObjectiveStatus.VIOLATED, None
    # Where what is unknown may have decided it the other way, no good run helps.
    return ObjectiveStatus.UNDECIDED, None if worst else test.more_runs_needed(sum(at_worst), len(at_worst))
