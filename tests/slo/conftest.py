"""Series for the tests of judgements, kept in memory as a store would."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from seatrial.policy.objectives import Objective
from seatrial.runtime.events import ObjectiveJudged
from seatrial.slo.series import Count, Point, SeriesKey

KEY = SeriesKey(cluster="c", policy="p.yml", scenario="one", digest="d")
NOW = 1_900_000_000.0


@dataclass
class Kept:
    """Keeps series in lists, for `points` by the name of the measurement; `asked` has what was asked for."""

    points_of: dict[str, list[Point]] = field(default_factory=dict)
    counts_of: dict[str | None, list[Count]] = field(default_factory=dict)
    minutes_of: dict[str | None, list[Count]] = field(default_factory=dict)
    judged: list[tuple[float, ObjectiveJudged]] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    error: Exception | None = None

    def points(
        self, key: SeriesKey, measurement: str, *, since: float | None = None, last: int | None = None
    ) -> Sequence[Point]:
        self._answer(key, measurement, since, last)
        found = self.points_of.get(measurement, [])
        runs = list(dict.fromkeys((each.run_id, each.round) for each in found))[-(last or 0) :]
        return [each for each in found if each.at >= (since or 0) and (each.run_id, each.round) in runs]

    def counts(
        self, key: SeriesKey, probe: str | None, *, since: float | None = None, last: int | None = None
    ) -> Sequence[Count]:
        self._answer(key, probe, since, last)
        return [each for each in self.counts_of.get(probe, []) if each.at >= (since or 0)][-(last or 0) :]

    def minutes(self, key: SeriesKey, probe: str | None, *, since: float) -> Sequence[Count]:
        self._answer(key, probe, since)
        return [each for each in self.minutes_of.get(probe, []) if each.at >= since]

    def judgements(self, key: SeriesKey, *, most: int = 100) -> Sequence[tuple[float, ObjectiveJudged]]:
        self._answer(key, most)
        return self.judged[-most:]

    def _answer(self, *asked: Any) -> None:
        self.asked.append(asked)
        if self.error is not None:
            raise self.error


@pytest.fixture
def kept() -> Kept:
    return Kept()


def objective(**said: Any) -> Objective:
    """An objective as a policy has it; 95 % of the times below 30 seconds, unless something else is said."""
    times = {"measurement": "t", "percentile": 95, "below": 30}
    is_other = said.keys() & {"mean", "max", "ratio", "target", "percentile"}
    given = {**({"measurement": "t"} if is_other else times), **said}
    return Objective.model_validate(given, by_alias=True, by_name=False)


def points_of(values: Sequence[float], *, per_run: int = 1, waited: Sequence[float] = ()) -> list[Point]:
    """Values a minute apart, up to now, so many a run; those in `waited` were not seen to the end."""
    every = [(value, False) for value in values] + [(value, True) for value in waited]
    begin = NOW - 60 * len(every)
    return [
        Point(value, begin + 60 * place, "r", place // per_run, bound) for place, (value, bound) in enumerate(every)
    ]
