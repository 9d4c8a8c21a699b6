"""What the values in an objective's window come to: met, violated, or not enough evidence, in figures and in words.

`shares` judges percentiles, ratios and targets, by how many are bad; `times` has the bounds of percentiles and means in
seconds. The bounds are right at the confidence for one look at a window. Who looks after each round for weeks says
`everyLook`, who ends a series by what is seen takes `sequential`; `docs/explanation/slo-statistics.md` has by how
much looking again and again errs otherwise.
"""

import math
from collections.abc import Sequence

import msgspec

from seatrial.policy.objectives import AVAILABILITY, YES_OR_NO, Objective, window_runs
from seatrial.policy.wording import counted
from seatrial.runtime.events import ObjectiveJudged, ObjectiveStatus
from seatrial.slo.budget import budget_in_words, budget_of
from seatrial.slo.developments import warnings_of
from seatrial.slo.intervals import share_ruled_out
from seatrial.slo.means import FEWEST
from seatrial.slo.quantiles import Estimate
from seatrial.slo.series import Count, Point
from seatrial.slo.shares import Shares, look_at_shares
from seatrial.slo.tallies import Sums, Tally, is_good, sums_of, tally_counts, tally_points
from seatrial.slo.times import mean_of, percentile_of
from seatrial.slo.wording import percent, time_in_words

MET, VIOLATED, UNDECIDED = ObjectiveStatus.MET, ObjectiveStatus.VIOLATED, ObjectiveStatus.UNDECIDED


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to judge an objective by, at a Unix time.

    `points` are the values of its window, in the order of time; for availability there are `counts` instead, by run.
    `latest` has, for an error budget, what was good and bad in the hours of its burn rates. So many runs failed without
    a value (`failed_without`): whatever they were about to measure is not among the points.
    """

    now: float
    points: Sequence[Point] = ()
    counts: Sequence[Count] = ()
    latest: Sequence[Count] = ()
    failed_without: int = 0


class _Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A status and the figures that it rests on."""

    status: ObjectiveStatus
    words: str
    unit: str = "s"
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    more_needed: int | None = None


def judge(objective: Objective, evidence: Evidence) -> ObjectiveJudged:
    """What the evidence comes to."""
    if objective.measurement == AVAILABILITY:
        tallies = tally_counts(evidence.counts)
    else:
        tallies = tally_points(evidence.points, objective)
    sums = sums_of(tallies)
    finding = _finding(objective, evidence.points, tallies, sums)
    budget = None
    if objective.target is not None:
        budget = budget_of(objective.share or 0.0, sums, evidence.latest, now=evidence.now)
        finding = msgspec.structs.replace(finding, words=f"{finding.words}; {budget_in_words(budget)}")
    return ObjectiveJudged(
        objective=objective.label,
        status=finding.status,
        text=f"{objective.label}: {finding.status}: {finding.words}",
        measurement=objective.measurement,
        limit=objective.limit,
        is_above=objective.is_above,
        confidence=objective.confidence,
        window="this run" if objective.sequential else objective.window,
        samples=sums.samples,
        unit=finding.unit,
        estimate=_finite(finding.estimate),
        lower=finding.lower,
        upper=finding.upper,
        more_needed=finding.more_needed,
        budget=budget,
        warnings=(*_unmeasured(evidence), *warnings_of(objective, evidence.points, evidence.counts)),
        is_decided=objective.sequential is not None and finding.status is not UNDECIDED,
    )


def unseen(objective: Objective, problem: str) -> ObjectiveJudged:
    """What is said where the values can't be read: nothing is known of it."""
    return ObjectiveJudged(
        objective=objective.label,
        status=UNDECIDED,
        text=f"{objective.label}: {UNDECIDED}: {problem}",
        measurement=objective.measurement,
        limit=objective.limit,
        is_above=objective.is_above,
        confidence=objective.confidence,
        window="this run" if objective.sequential else objective.window,
        samples=0,
        unit="share" if objective.measurement in YES_OR_NO else "s",
        problem=problem,
    )


def latest_of(points: Sequence[Point], objective: Objective) -> Sequence[Count]:
    """Values as counts with their times, for burn rates."""
    judged = ((is_good(point, objective), point.at) for point in points)
    return [Count(int(good), int(not good), at) for good, at in judged if good is not None]


def _finding(objective: Objective, points: Sequence[Point], tallies: Sequence[Tally], sums: Sums) -> _Finding:
    unit = "share" if objective.measurement in YES_OR_NO else "s"
    if not sums.samples:
        needed, words = None, "nothing measured in the window yet"
        if objective.share is not None:
            known = look_at_shares(objective, ())
            needed, words = known.more_needed, words + _more(known, objective)
        return _Finding(status=UNDECIDED, words=words, unit=unit, more_needed=needed)
    if objective.mean:
        return _of_mean(objective, points, sums)
    if objective.max:
        return _of_maximum(objective, points, sums)
    return _of_share(objective, points, tallies, sums)


def _of_mean(objective: Objective, points: Sequence[Point], sums: Sums) -> _Finding:
    is_above = objective.is_above
    found = mean_of(points, confidence=objective.confidence)
    status = UNDECIDED
    if found.upper is not None and found.upper <= objective.limit:
        status = VIOLATED if is_above else MET
    elif found.lower is not None and found.lower > objective.limit:
        status = MET if is_above else VIOLATED
    words = f"the mean of {len(points)} is {_bounded(found, objective)}"
    if cut := sum(point.is_lower_bound for point in points):
        words += f", {cut} not seen to the end"
    needed = None
    if status is UNDECIDED and sums.runs < FEWEST:
        needed = FEWEST - sums.runs
        words += f"; it takes {FEWEST} runs for bounds"
    return _Finding(
        status=status,
        words=words,
        estimate=found.estimate,
        lower=found.lower,
        upper=found.upper,
        more_needed=needed,
    )


def _of_maximum(objective: Objective, points: Sequence[Point], sums: Sums) -> _Finding:
    longest = max(point.value for point in points)
    words = f"the longest of {len(points)} is {time_in_words(longest)}"
    if sums.bad:
        words = f"{sums.bad} of {len(points)} took longer, the longest {time_in_words(longest)}"
        status = VIOLATED
    elif sums.unknown:
        words += f", {sums.unknown} not seen to the end"
        status = UNDECIDED
    else:
        most = share_ruled_out(sums.runs, confidence=objective.confidence)
        words += f"; {percent(most)} of runs or more with a longer one are ruled out ({_sure(objective)})"
        status = MET
    return _Finding(status=status, words=words, estimate=longest, lower=longest)


def _of_share(objective: Objective, points: Sequence[Point], tallies: Sequence[Tally], sums: Sums) -> _Finding:
    known = look_at_shares(objective, tallies)
    if objective.measurement in YES_OR_NO:
        good, lower, upper = sums.good / sums.samples, 1 - known.most_bad, 1 - known.least_bad
        runs = counted(sums.runs, "run")
        what = f"{runs} passed" if objective.measurement != AVAILABILITY else f"{sums.samples:,} samples in {runs}"
        words = f"{percent(good)} of {what} ({percent(lower)} to {percent(upper)}, each {_sure(objective)})"
        found = Estimate(lower, good, upper)
    else:
        found = percentile_of(objective, points, known.status, runs=sums.runs)
        words = f"{(objective.share or 0.0) * 100:g} % of {sums.samples:,} {_within(found, objective)}"
        words += _bad_ones(objective, sums)
    words += _more(known, objective)
    return _Finding(
        status=known.status,
        words=words,
        unit="share" if objective.measurement in YES_OR_NO else "s",
        estimate=found.estimate,
        lower=found.lower,
        upper=found.upper,
        more_needed=known.more_needed,
    )


def _within(found: Estimate, objective: Objective) -> str:
    if _finite(found.estimate) is None:
        return f"not within what was waited for{_bounds(found, objective)}"
    return f"{'took at least' if objective.is_above else 'within'} {_bounded(found, objective)}"


def _bounded(found: Estimate, objective: Objective) -> str:
    """An estimate and its bounds: `3.2 s (2.9 s to 4.1 s, each at 95 %)`."""
    return f"{time_in_words(found.estimate or 0.0)}{_bounds(found, objective)}"


def _bounds(found: Estimate, objective: Objective) -> str:
    match found.lower, found.upper:
        case None, None:
            return ""
        case float() as lower, None:
            return f" (at least {time_in_words(lower)}, {_sure(objective)})"
        case None, float() as upper:
            return f" (at most {time_in_words(upper)}, {_sure(objective)})"
        case lower, upper:
            return f" ({time_in_words(lower or 0.0)} to {time_in_words(upper or 0.0)}, each {_sure(objective)})"


def _bad_ones(objective: Objective, sums: Sums) -> str:
    word = "quicker" if objective.is_above else "slower"
    words = f", {sums.bad or 'none'} {word}"
    return words + (f", {sums.unknown} not seen to the end" if sums.unknown else "")


def _unmeasured(evidence: Evidence) -> tuple[str, ...]:
    """Who judges by the runs that came so far as to measure something should know of the others."""
    if not evidence.failed_without:
        return ()
    return (f"{counted(evidence.failed_without, 'run')} failed before it was measured, and can't count here",)


def _sure(objective: Objective) -> str:
    return f"at {objective.confidence * 100:g} %"


def _more(known: Shares, objective: Objective) -> str:
    if known.status is not UNDECIDED:
        return ""
    if known.more_needed is not None:
        return f"; {counted(known.more_needed, 'more good run')} needed"
    if objective.sequential is not None:
        return "; too many were not seen to the end for good runs to decide it"
    return f"; {objective.window} are too few to ever show it" if window_runs(objective.window) else ""


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
