"""The objectives of a run for a person: their latest judgements, the line about each, and when there is news."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from seatrial.report.durations import duration
from seatrial.report.sparkline import sparkline
from seatrial.runtime.events import ObjectiveJudged, ObjectiveStatus, PolicyReloaded, Record, SteadyStateSampled
from seatrial.slo.measurements import measurements_of
from seatrial.slo.wording import percent

AVAILABILITY = "availability"

STYLES: Mapping[ObjectiveStatus, str] = {
    ObjectiveStatus.MET: "green",
    ObjectiveStatus.VIOLATED: "bold red",
    ObjectiveStatus.UNDECIDED: "yellow",
}
_MARKS = {ObjectiveStatus.MET: "✓", ObjectiveStatus.VIOLATED: "✗", ObjectiveStatus.UNDECIDED: "?"}
_PLAIN_MARKS = {ObjectiveStatus.MET: "+", ObjectiveStatus.VIOLATED: "!", ObjectiveStatus.UNDECIDED: "?"}
_REPEATED_EVERY = 25
_LATEST = 24


class ObjectiveNews:
    """Tells which judgements are worth a line: the first, a change, and one of so many that say the same."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], ObjectiveJudged] = {}
        self._untold: dict[tuple[str, str], int] = {}

    def is_news(self, judged: ObjectiveJudged, *, scenario: str) -> bool:
        """Whether to say it."""
        key = scenario, judged.objective
        told, untold = self._told.get(key), self._untold.get(key, 0) + 1
        is_same = told is not None and _gist(told) == _gist(judged)
        if is_same and untold < _REPEATED_EVERY:
            self._untold[key] = untold
            return False
        self._told[key] = judged
        self._untold[key] = 0
        return True


def _gist(judged: ObjectiveJudged) -> tuple[object, ...]:
    is_overspent = judged.budget is not None and judged.budget.left < 0
    return judged.status, judged.problem, is_overspent, bool(judged.warnings)


class ObjectiveBoard:
    """A listener that keeps the latest judgement of each objective, and the latest values of what is measured."""

    def __init__(self) -> None:
        self.judged: dict[tuple[str, str], ObjectiveJudged] = {}
        self._values: dict[tuple[str, str], deque[tuple[float, bool]]] = {}
        self._sampled: dict[str, int] = {}

    def __call__(self, record: Record) -> None:
        """Take in one event."""
        scenario = record.where.scenario
        match record.event:
            case ObjectiveJudged() as judged:
                self.judged[scenario, judged.objective] = judged
            case PolicyReloaded():
                self.judged.clear()  # what is still asked for is judged after the next round
            case SteadyStateSampled(samples=samples, failed=failed) if samples:
                self._sample(scenario, 1 - failed / samples, number=record.where.round)
            case _:
                for measured in measurements_of(record):
                    self._keep(scenario, measured.name, measured.value, is_lower_bound=measured.is_lower_bound)

    def history(self, scenario: str, judged: ObjectiveJudged, *, plain: bool = False, most: int = _LATEST) -> str:
        """The latest values of what an objective is about, as bars."""
        values = list(self._values.get((scenario, judged.measurement), ()))[-most:]
        if judged.unit == "share":
            return sparkline([(1 - value, value >= 1) for value, _ in values], plain=plain)
        if judged.is_above:
            return sparkline([(value, value >= judged.limit) for value, _ in values], plain=plain)
        return sparkline([(value, value <= judged.limit and not is_cut) for value, is_cut in values], plain=plain)

    def lines(self) -> list[tuple[str, str]]:
        """A row for each objective, of the closing summary."""
        return [
            ("objective", f"{scenario}, {judged.text}{''.join(f'; {each}' for each in judged.warnings)}")
            for (scenario, _), judged in self.judged.items()
        ]

    def as_json(self) -> list[dict[str, Any]]:
        """What is known of each, as `--output json` prints it."""
        return [judged_as_json(judged, scenario=scenario) for (scenario, _), judged in self.judged.items()]

    def _sample(self, scenario: str, good: float, *, number: int) -> None:
        """One bar a round: that of the probe which failed most."""
        if self._sampled.get(scenario) == number:
            values = self._values[scenario, AVAILABILITY]
            values[-1] = min(values[-1], (good, False))
            return
        self._sampled[scenario] = number
        self._keep(scenario, AVAILABILITY, good)

    def _keep(self, scenario: str, name: str, value: float, *, is_lower_bound: bool = False) -> None:
        self._values.setdefault((scenario, name), deque(maxlen=_LATEST)).append((value, is_lower_bound))


def judged_as_json(judged: ObjectiveJudged, *, scenario: str) -> dict[str, Any]:
    """A judgement as a map."""
    budget = judged.budget
    return {
        "scenario": scenario,
        "objective": judged.objective,
        "status": str(judged.status),
        "text": judged.text,
        "measurement": judged.measurement,
        "unit": judged.unit,
        "limit": judged.limit,
        "window": judged.window,
        "confidence": judged.confidence,
        "samples": judged.samples,
        "estimate": judged.estimate,
        "lower": judged.lower,
        "upper": judged.upper,
        "moreNeeded": judged.more_needed,
        "budget": None
        if budget is None
        else {
            "target": budget.target,
            "good": budget.good,
            "bad": budget.bad,
            "left": budget.left,
            "burnRates": dict(budget.burn_rates),
        },
        "warnings": list(judged.warnings),
        "problem": judged.problem or None,
        "isDecided": judged.is_decided,
    }


def mark(status: ObjectiveStatus, *, plain: bool = False) -> str:
    """A sign for a status."""
    return (_PLAIN_MARKS if plain else _MARKS)[status]


def figures(judged: ObjectiveJudged) -> str:
    """The estimate with its bounds, in few characters: `4.1 s (3.2 s to 5.0 s)`."""
    if judged.problem:
        return "not known"
    if judged.estimate is None:
        return "-"
    estimate = _value(judged.estimate, judged)
    if judged.lower is None and judged.upper is None:
        return estimate
    if judged.upper is None:
        return f"{estimate} (> {_value(judged.lower or 0.0, judged)})"
    if judged.lower is None:
        return f"{estimate} (< {_value(judged.upper, judged)})"
    lower, upper = _value(judged.lower, judged), _value(judged.upper, judged)
    return f"{estimate} ({lower.removesuffix(' %')} to {upper})"


def standing(judged: ObjectiveJudged) -> str:
    """How it stands beyond its status, in few characters: how many more runs it takes, or its budget."""
    if judged.more_needed:
        return f"{judged.more_needed:,} more"
    return "" if judged.budget is None else f"budget {judged.budget.left * 100:.0f} %"


def burn_rates(judged: ObjectiveJudged) -> str:
    """How fast its budget goes, by window."""
    rates = judged.budget.burn_rates if judged.budget else {}
    return ", ".join(f"{window} {rate:.3g}" for window, rate in rates.items()) or "-"


def worst_first(judged: Iterable[tuple[str, ObjectiveJudged]]) -> list[tuple[str, ObjectiveJudged]]:
    """Those that are violated, then those that are open, then those that are met."""
    order = [ObjectiveStatus.VIOLATED, ObjectiveStatus.UNDECIDED, ObjectiveStatus.MET]
    return sorted(judged, key=lambda each: order.index(each[1].status))


def _value(value: float, judged: ObjectiveJudged) -> str:
    if judged.unit != "share":
        return duration(value * 1000)
    return percent(value)


__all__ = [
    "STYLES",
    "ObjectiveBoard",
    "ObjectiveNews",
    "burn_rates",
    "figures",
    "judged_as_json",
    "mark",
    "standing",
    "worst_first",
]
