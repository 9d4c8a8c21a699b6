"""The objectives of a run as they were judged last, and how it came to that."""

from collections.abc import Iterator

from seatrial.report.run_report.model import LimitTold, ObjectivePoint, ObjectiveTold
from seatrial.runtime.events import ObjectiveJudged, Record

_MOST_POINTS = 300


class ObjectiveCollector:
    """Takes in judgements; keeps the last of each objective, and a trail that grows to a bounded length."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], ObjectiveJudged] = {}
        self._trails: dict[tuple[str, str], _Trail] = {}

    def add(self, record: Record) -> None:
        """Take in one event."""
        judged = record.event
        if not isinstance(judged, ObjectiveJudged):
            return
        key = (record.where.scenario, judged.objective)
        self._latest[key] = judged
        self._trails.setdefault(key, _Trail()).add(
            ObjectivePoint(
                round=record.where.round,
                status=judged.status,
                estimate=judged.estimate,
                lower=judged.lower,
                upper=judged.upper,
            )
        )

    def told(self) -> tuple[ObjectiveTold, ...]:
        """The objectives, in the order in which they were judged first."""
        return tuple(
            ObjectiveTold(
                scenario=scenario,
                objective=judged.objective,
                status=judged.status,
                text=judged.text,
                measurement=judged.measurement,
                limit=judged.limit,
                unit=judged.unit,
                confidence=judged.confidence,
                window=judged.window,
                samples=judged.samples,
                estimate=judged.estimate,
                lower=judged.lower,
                upper=judged.upper,
                more_needed=judged.more_needed,
                budget=judged.budget,
                warnings=judged.warnings,
                trail=self._trails[scenario, objective].points(),
            )
            for (scenario, objective), judged in self._latest.items()
        )

    def limits(self, scenario: str, measurement: str) -> Iterator[LimitTold]:
        """The limits, in seconds, that objectives set to a measurement of a scenario."""
        for (of, objective), judged in self._latest.items():
            if of == scenario and judged.measurement == measurement and judged.unit == "s":
                yield LimitTold(objective=objective, limit=judged.limit, status=judged.status)


class _Trail:
    """Points at even distances: where there are too many, every other one goes; the last one is always there."""

    def __init__(self) -> None:
        self._kept: list[ObjectivePoint] = []
        self._last: ObjectivePoint | None = None
        self._stride = 1
        self._seen = 0

    def add(self, point: ObjectivePoint) -> None:
        if self._seen % self._stride == 0:
            self._kept.append(point)
        self._seen += 1
        self._last = point
        if len(self._kept) > _MOST_POINTS:
            self._kept = self._kept[::2]
            self._stride *= 2

    def points(self) -> tuple[ObjectivePoint, ...]:
        if self._last is None or self._kept[-1] is self._last:
            return tuple(self._kept)
        return (*self._kept, self._last)
