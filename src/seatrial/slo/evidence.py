"""Reading what an objective is judged by from where series are kept."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from seatrial.policy.objectives import AVAILABILITY, PASSED, Objective, window_runs, window_seconds
from seatrial.slo.budget import LONGEST_BURN_WINDOW
from seatrial.slo.objective import Evidence, latest_of
from seatrial.slo.series import Count, Point, SeriesKey, SeriesSource

T = TypeVar("T")

_CLOCK_JUMP_SECONDS = 86_400.0  # by so much the clock on the wall may be set back during a run


class EvidenceReader:
    """Reads the evidence of a series' objectives at one moment; what several need is read once.

    Args:
        source: where series are kept.
        key: which series.
        now: Unix time.
        run_id: the run whose rounds sequential tests count; the latest one by default.
        run_began: when it began, Unix time; without it all that is kept is looked through.
    """

    def __init__(
        self,
        source: SeriesSource,
        key: SeriesKey,
        *,
        now: float,
        run_id: str | None = None,
        run_began: float | None = None,
    ) -> None:
        self._source = source
        self._key = key
        self._now = now
        self._run_id = run_id
        self._run_began = run_began
        self._read: dict[object, object] = {}

    def of(self, objective: Objective, *, probe: str | None = None) -> Evidence:
        """What there is for an objective; `probe` is the name of that which it is about, where it names one.

        Raises:
            StateError: it can't be read.
        """
        if objective.measurement == AVAILABILITY:
            return self._of_availability(objective, probe)
        if objective.sequential is not None:
            points = self._of_one_run(objective.measurement)
            return Evidence(now=self._now, points=points, failed_without=self._failed_without(objective, points))
        points = self._points(objective, objective.measurement)
        latest: Sequence[Count] = ()
        if objective.target is not None:
            # A window of a few runs may be shorter than the hours of a burn rate.
            since = self._now - LONGEST_BURN_WINDOW
            within = points if self._since(objective) is not None else self._points_since(objective.measurement, since)
            latest = latest_of([each for each in within if each.at > since], objective)
        failed_without = self._failed_without(objective, points)
        return Evidence(now=self._now, points=points, latest=latest, failed_without=failed_without)

    def _of_availability(self, objective: Objective, probe: str | None) -> Evidence:
        since, last = self._since(objective), window_runs(objective.window)
        counts: Sequence[Count] = self._once(
            ("counts", probe, since, last), lambda: self._source.counts(self._key, probe, since=since, last=last)
        )
        latest: Sequence[Count] = ()
        if objective.target is not None:
            begin = self._now - LONGEST_BURN_WINDOW
            latest = self._once(("minutes", probe), lambda: self._source.minutes(self._key, probe, since=begin))
        return Evidence(now=self._now, counts=counts, latest=latest)

    def _failed_without(self, objective: Objective, points: Sequence[Point]) -> int:
        """How many runs of the window failed before they measured anything."""
        if objective.measurement == PASSED:
            return 0
        is_one_run = objective.sequential is not None
        ended = self._of_one_run(PASSED) if is_one_run else self._points(objective, PASSED)
        measured = {(each.run_id, each.round) for each in points}
        return sum(each.value <= 0 and (each.run_id, each.round) not in measured for each in ended)

    def _of_one_run(self, measurement: str) -> Sequence[Point]:
        since = None if self._run_began is None else self._run_began - _CLOCK_JUMP_SECONDS
        points = self._points_since(measurement, since)
        run_id = self._run_id or (points[-1].run_id if points else "")
        return [each for each in points if each.run_id == run_id]

    def _points(self, objective: Objective, measurement: str) -> Sequence[Point]:
        last = window_runs(objective.window)
        if last is None:
            return self._points_since(measurement, self._since(objective))
        return self._once((measurement, last), lambda: self._source.points(self._key, measurement, last=last))

    def _points_since(self, measurement: str, since: float | None) -> Sequence[Point]:
        return self._once((measurement, since, None), lambda: self._source.points(self._key, measurement, since=since))

    def _since(self, objective: Objective) -> float | None:
        seconds = window_seconds(objective.window)
        return None if seconds is None else self._now - seconds

    def _once(self, what: object, read: Callable[[], T]) -> T:
        if what not in self._read:
            self._read[what] = read()
        return self._read[what]  # type: ignore[return-value] # what was read under that name
