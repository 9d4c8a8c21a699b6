"""Percentiles and means of times, with bounds in seconds, where runs may have several values each."""

import math
from collections.abc import Sequence

from seatrial.policy.objectives import Objective
from seatrial.runtime.events import ObjectiveStatus
from seatrial.slo.anytime import anytime_quantile_ranks
from seatrial.slo.clustered import ratio_bounds
from seatrial.slo.means import mean_bounds
from seatrial.slo.quantiles import Estimate, quantile_bounds, quantile_ranks
from seatrial.slo.series import Count, Point


def mean_of(points: Sequence[Point], *, confidence: float) -> Estimate:
    """The mean of what the runs are a sample of; a run with several values counts by their mean."""
    seen: list[float] = []
    cut: list[float] = []
    for values in _by_run(points):
        mean = math.fsum(each.value for each in values) / len(values)
        (cut if any(each.is_lower_bound for each in values) else seen).append(mean)
    return mean_bounds(seen, confidence=confidence, longer_than=cut)


def percentile_of(objective: Objective, points: Sequence[Point], status: ObjectiveStatus, *, runs: int) -> Estimate:
    """The percentile that the objective is about, of so many runs, with bounds that agree with its status.

    A sequential test ends when what was seen is telling, so its bounds are those that may be looked at at any time.
    """
    share = objective.share or 0.0
    q = 1 - share if objective.is_above else share
    seen = [point.value for point in points if not point.is_lower_bound]
    cut = [point.value for point in points if point.is_lower_bound]
    found = quantile_bounds(seen, q, confidence=objective.confidence, longer_than=cut)
    lower, upper = found.lower, found.upper
    if found.estimate is not None and (objective.is_looked_at_often or runs < len(points)):
        lower, upper = _of_runs(points, found.estimate, q, objective)
    # What is shown of the share at the limit is shown of the percentile, too; and what isn't, isn't.
    is_within = upper is not None and (upper < objective.limit if objective.is_above else upper <= objective.limit)
    is_beyond = lower is not None and (lower >= objective.limit if objective.is_above else lower > objective.limit)
    if status is ObjectiveStatus.UNDECIDED:
        return Estimate(None if is_beyond else lower, found.estimate, None if is_within else upper)
    if objective.sequential is None:
        if (status is ObjectiveStatus.MET) == (not objective.is_above):
            upper = upper if is_within else objective.limit
        else:
            lower = lower if is_beyond else objective.limit
    return Estimate(lower, found.estimate, upper)


def _by_run(points: Sequence[Point]) -> list[list[Point]]:
    runs: dict[tuple[str, int], list[Point]] = {}
    for point in points:
        runs.setdefault((point.run_id, point.round), []).append(point)
    return list(runs.values())


def _of_runs(
    points: Sequence[Point], estimate: float, q: float, objective: Objective
) -> tuple[float | None, float | None]:
    """Bounds by order statistics of as many independent values as the runs are worth."""
    runs = _by_run(points)
    if objective.is_looked_at_often:
        worth = len(runs)
        low, high = anytime_quantile_ranks(worth, q, confidence=objective.confidence)
    else:
        counts = [_count_below(estimate, values) for values in runs]
        worth = max(1, int(ratio_bounds(counts, confidence=objective.confidence).effective_samples))
        low, high = quantile_ranks(worth, q, confidence=objective.confidence)
    each = len(points) / worth
    lower = None
    if low is not None:
        lower = min(estimate, sorted(point.value for point in points)[max(0, int(low * each) - 1)])
    if high is None:
        return lower, None
    longest = sorted(math.inf if point.is_lower_bound else point.value for point in points)
    upper = max(estimate, longest[min(len(points), math.ceil(high * each)) - 1])
    return lower, None if math.isinf(upper) else upper


def _count_below(time: float, values: Sequence[Point]) -> Count:
    below = sum(each.value <= time and not each.is_lower_bound for each in values)
    return Count(below, len(values) - below, 0.0)
