"""What is known of the objectives of a policy after so many runs."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from seatrial.runtime.events.event import Event


class ObjectiveStatus(StrEnum):
    """Whether an objective holds, at the confidence that it asks for."""

    MET = "met"
    VIOLATED = "violated"
    UNDECIDED = "not enough evidence"


class BudgetState(msgspec.Struct, frozen=True, kw_only=True):
    """An error budget: `left` is the share of it that is left (below 0 where it is overspent).

    `burn_rates` tells, by window (`5m`, `1h`, `6h`), how many times faster than sustainable it is spent: at 1 it lasts
    exactly as long as the objective's window. A window in which nothing was seen is missing.
    """

    target: float
    good: int
    bad: int
    left: float
    burn_rates: Mapping[str, float] = msgspec.field(default_factory=dict)


class ObjectiveJudged(Event, frozen=True, kw_only=True):
    """An objective of the scenario was judged on what its window holds.

    `estimate` lies between `lower` and `upper`, the bounds at the confidence (one-sided each); all are seconds, or
    shares where `unit` is `share`; `lower` is None where nothing bounds it from below, and so on. Times must be no
    longer than the `limit`, or no shorter where `is_above`. `more_needed` is how many more good runs are needed at
    least before it can be met, where that is known. `previous` is what was said of it
    before this run, or the round before; None at first. `text` says it in a sentence. `warnings` are findings that
    change no status: a trend, a jump, runs without a value. Where the values could not be read, `problem` says why. A
    sequential test that has its answer `is_decided`.
    """

    objective: str
    status: ObjectiveStatus
    text: str
    measurement: str
    limit: float
    is_above: bool = False
    confidence: float
    window: str
    samples: int
    unit: str = "s"
    previous: ObjectiveStatus | None = None
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    more_needed: int | None = None
    budget: BudgetState | None = None
    warnings: tuple[str, ...] = ()
    problem: str = ""
    is_decided: bool = False
