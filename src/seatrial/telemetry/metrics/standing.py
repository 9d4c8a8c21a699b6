"""The levels that stand of scenarios and objectives, and when they no longer do: a policy's file may change.

What a new version of the policy doesn't have ends: a scenario at once; an objective once its scenario has run and was
judged without it. Everything else stands until it is said anew, so that an alert on it doesn't end and begin.
"""

from collections.abc import Collection, Iterator

from seatrial.runtime.events import (
    PauseStarted,
    PolicyReloaded,
    Record,
    RoundStarted,
    RunFinished,
    ScenarioFinished,
    ScenarioStarted,
)
from seatrial.telemetry.metrics.objective_levels import OBJECTIVE_METRICS
from seatrial.telemetry.metrics.samples import changes_of
from seatrial.telemetry.metrics.table import SCENARIO_FINISHED_AT, SCENARIO_VERDICT, Change, Level, Metric

OF_SCENARIOS = frozenset(metric.name for metric in (*OBJECTIVE_METRICS, SCENARIO_VERDICT, SCENARIO_FINISHED_AT))
"""The metrics whose first label is a scenario of the policy, and which stand for as long as it is there."""

_Series = tuple[Metric, tuple[str, ...]]


class StandingLevels:
    """What each event means to the metrics, with the ends of what stands no longer."""

    def __init__(self) -> None:
        self._standing: set[_Series] = set()
        self._in_doubt: set[_Series] = set()
        self._ended_scenarios: set[str] = set()

    def changes_of(self, record: Record) -> Iterator[Change]:
        """What an event means; events are to come in their order."""
        match record.event:
            case ScenarioStarted() | PauseStarted() | RoundStarted() | RunFinished() if self._ended_scenarios:
                # Everything that is still there of these has been said anew: they have ended and were judged.
                said_no_more = [each for each in self._in_doubt if each[1][0] in self._ended_scenarios]
                self._ended_scenarios.clear()
                yield from self._end(said_no_more)
            case ScenarioFinished(name=name) if self._in_doubt:
                self._ended_scenarios.add(name)
            case PolicyReloaded(digests=digests):
                yield from self._end([each for each in self._standing if each[1][0] not in digests])
                self._in_doubt = set(self._standing)
        for change in changes_of(record):
            self._note(change)
            yield change

    def _note(self, change: Change) -> None:
        if not isinstance(change, Level) or change.metric.name not in OF_SCENARIOS:
            return
        series = (change.metric, change.labels)
        self._in_doubt.discard(series)
        if change.value is None:
            self._standing.discard(series)
        else:
            self._standing.add(series)

    def _end(self, series: Collection[_Series]) -> Iterator[Level]:
        for metric, labels in series:
            self._standing.discard((metric, labels))
            self._in_doubt.discard((metric, labels))
            yield Level(metric, labels, None)
