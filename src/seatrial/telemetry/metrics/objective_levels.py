"""What is known of an objective, as levels of metrics: its status, its bounds, its error budget."""

from collections.abc import Iterator

from seatrial.runtime.events import BudgetState, ObjectiveJudged, ObjectiveStatus
from seatrial.slo.budget import BURN_WINDOWS
from seatrial.telemetry.metrics.table import (
    BUDGET_LEFT,
    BUDGET_TARGET,
    BURN_RATE,
    ESTIMATE_RATIO,
    ESTIMATE_SECONDS,
    LIMIT_RATIO,
    LIMIT_SECONDS,
    LOWER_RATIO,
    LOWER_SECONDS,
    OBJECTIVE_CONFIDENCE,
    OBJECTIVE_INFO,
    OBJECTIVE_JUDGED_AT,
    OBJECTIVE_MORE_RUNS,
    OBJECTIVE_SAMPLES,
    OBJECTIVE_STATUS,
    OBJECTIVE_STATUSES,
    OBJECTIVE_UNREADABLE,
    OBJECTIVE_WARNINGS,
    UPPER_RATIO,
    UPPER_SECONDS,
    Level,
    Metric,
)

_SECONDS = (LIMIT_SECONDS, ESTIMATE_SECONDS, LOWER_SECONDS, UPPER_SECONDS)
_RATIOS = (LIMIT_RATIO, ESTIMATE_RATIO, LOWER_RATIO, UPPER_RATIO)

OBJECTIVE_METRICS: tuple[Metric, ...] = (
    OBJECTIVE_INFO, OBJECTIVE_STATUS, OBJECTIVE_JUDGED_AT, OBJECTIVE_SAMPLES, OBJECTIVE_MORE_RUNS, OBJECTIVE_CONFIDENCE,
    OBJECTIVE_WARNINGS, OBJECTIVE_UNREADABLE,
    *_SECONDS, *_RATIOS, BUDGET_TARGET, BUDGET_LEFT, BURN_RATE,
)  # fmt: skip
"""The metrics of objectives; the first two labels of each are the scenario and the objective."""


def levels_of(judged: ObjectiveJudged, *, scenario: str, at: float) -> Iterator[Level]:
    """The levels of all metrics of an objective; what isn't known (any more) ends."""
    of = (scenario, judged.objective)
    yield Level(OBJECTIVE_INFO, (*of, judged.measurement, judged.window), 1)
    for status in ObjectiveStatus:
        yield Level(OBJECTIVE_STATUS, (*of, OBJECTIVE_STATUSES[status]), float(status is judged.status))
    yield Level(OBJECTIVE_JUDGED_AT, of, at)
    yield Level(OBJECTIVE_SAMPLES, of, judged.samples)
    yield Level(OBJECTIVE_MORE_RUNS, of, judged.more_needed)
    yield Level(OBJECTIVE_CONFIDENCE, of, judged.confidence)
    yield Level(OBJECTIVE_WARNINGS, of, len(judged.warnings))
    yield Level(OBJECTIVE_UNREADABLE, of, float(bool(judged.problem)))
    numbers = (judged.limit, judged.estimate, judged.lower, judged.upper)
    for metric, number in zip(_RATIOS if judged.unit == "share" else _SECONDS, numbers, strict=True):
        yield Level(metric, of, number)
    yield from _budget(judged.budget, of)


def _budget(budget: BudgetState | None, of: tuple[str, str]) -> Iterator[Level]:
    if budget is None:
        return
    yield Level(BUDGET_TARGET, of, budget.target)
    yield Level(BUDGET_LEFT, of, budget.left)
    for window in BURN_WINDOWS:
        yield Level(BURN_RATE, (*of, window), budget.burn_rates.get(window))
