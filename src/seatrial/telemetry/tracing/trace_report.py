"""A run's events as spans: the run, its rounds, their scenarios, their steps, and in each what happened there.

Times are the events' own. Within a trace they go by the monotonic clock from the trace's beginning on, so that a wall
clock that is set meanwhile tears no trace apart. A scenario's span ends when the scenario did, but is kept until what
is judged after it has come.
"""

import logging
from typing import TYPE_CHECKING, Any

from seatrial import __version__
from seatrial.runtime.events import (
    ObjectiveJudged,
    PauseStarted,
    Record,
    RoundStarted,
    RunFinished,
    RunStarted,
    ScenarioFinished,
    ScenarioStarted,
    StepFinished,
    StepStarted,
    Where,
)
from seatrial.runtime.trace_ids import span_id, trace_id
from seatrial.runtime.verdict import Verdict
from seatrial.telemetry.library_complaints import ComplaintsOnce
from seatrial.telemetry.tracing.attributes import (
    Value,
    is_span_event,
    of_event,
    of_objective,
    of_outcome,
    of_resource,
    of_run,
)
from seatrial.telemetry.tracing.exporting import GivenIds, exporter_to, provider_of, shut_down

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_log = logging.getLogger("seatrial.traces")

_NANO = 1_000_000_000
_RUN = Where()


class TraceReport:
    """A listener that makes a trace of a run, or of each of its rounds.

    Args:
        endpoint: the URL of a collector; empty for the environment's.

    Raises:
        UsageError: the extra `otel` isn't installed, or the URL is none.
    """

    def __init__(self, *, endpoint: str = "") -> None:
        self._exporter = exporter_to(endpoint)
        self._complaints = ComplaintsOnce("opentelemetry", trouble="traces are not taken", log=_log)
        self._complaints.__enter__()
        self._run: RunStarted | None = None
        self._provider: Any = None
        self._ids = GivenIds()
        self._spans: dict[Where, Span] = {}
        self._ended: dict[Where, int] = {}
        self._anchor = (0, 0.0)
        self._now = 0

    def __call__(self, record: Record) -> None:
        """Take in an event."""
        self._now = self._time(record)
        if isinstance(record.event, RunStarted):
            self._begin_run(record.event, record)
        elif self._run is not None and not self._course(record):
            self._happened(record)

    def close(self) -> None:
        """End what is open, and send what waits."""
        self._settle()
        for where in sorted(self._spans, key=_depth, reverse=True):
            self._end(where)
        if self._provider is not None:
            shut_down(self._provider)
        self._complaints.__exit__()

    def _course(self, record: Record) -> bool:
        """Whether an event begins or ends a span, or says what one came to."""
        match record.event:
            case RoundStarted(number=number):
                self._end_round()
                self._begin_round(number, record)
            case ScenarioStarted(name=name):
                self._settle()
                self._begin(name, Where(record.where.round, name), parent=Where(record.where.round))
            case StepStarted(index=index, key=key):
                where = _place(record.where)
                self._begin(key, where, parent=Where(where.round, where.scenario), attributes={"seatrial.step": index})
            case StepFinished(verdict=verdict, reasons=reasons):
                self._outcome(_place(record.where), verdict, reasons)
                self._end(_place(record.where))
            case ScenarioFinished(name=name, verdict=verdict, reasons=reasons):
                where = Where(record.where.round, name)
                self._outcome(where, verdict, reasons)
                self._ended[where] = self._now
            case ObjectiveJudged() as judged:
                self._objective(judged, record)
            case PauseStarted():
                self._end_round()
            case RunFinished(verdict=verdict, reasons=reasons):
                self._end_round()
                self._outcome(_RUN, verdict, reasons)
                self._end(_RUN)
            case _:
                return False
        return True

    def _begin_run(self, started: RunStarted, record: Record) -> None:
        self._run = started
        self._provider = provider_of(self._exporter, of_resource(started, version=__version__), self._ids)
        self._set_anchor(record)
        self._begin(f"run {started.policy}", _RUN, attributes=of_run(started))

    def _begin_round(self, number: int, record: Record) -> None:
        """A trace of its own in a run for ever, with a link to the run's; a part of the run's otherwise."""
        if self._by_round:
            self._set_anchor(record)
        parent = None if self._by_round else _RUN
        self._begin(f"round {number}", Where(number), parent=parent, attributes={"seatrial.round": number})

    @property
    def _by_round(self) -> bool:
        assert self._run is not None  # noqa: S101 -- nothing comes before it
        return self._run.rounds is None

    def _begin(
        self, name: str, where: Where, *, parent: Where | None = None, attributes: dict[str, Value] | None = None
    ) -> None:
        from opentelemetry.context import Context  # noqa: PLC0415 -- an extra
        from opentelemetry.trace import Link, set_span_in_context  # noqa: PLC0415 -- likewise

        assert self._run is not None  # noqa: S101 -- nothing comes before it
        above = self._spans.get(parent) if parent is not None else None
        context = set_span_in_context(above, Context()) if above else Context()
        run = self._spans.get(_RUN)
        links = [Link(run.get_span_context())] if above is None and run is not None else []
        self._ids.trace = trace_id(self._run.run_id, round_=where.round, by_round=self._by_round)
        self._ids.span = span_id(self._run.run_id, where)
        own = {"seatrial.run.id": self._run.run_id, **(attributes or {})}
        tracer = self._provider.get_tracer("seatrial", __version__)
        self._spans[where] = tracer.start_span(name, context=context, links=links, attributes=own, start_time=self._now)

    def _outcome(self, where: Where, verdict: Verdict, reasons: tuple[str, ...]) -> None:
        """Inconclusive is neither OK nor an error: the status stays unset, and the attribute says it."""
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 -- an extra

        span = self._spans.get(where)
        if span is None:
            return
        span.set_attributes(of_outcome(verdict, reasons))
        if verdict is Verdict.FAILED:
            span.set_status(Status(StatusCode.ERROR, "; ".join(reasons)))
        elif verdict is Verdict.PASSED:
            span.set_status(Status(StatusCode.OK))

    def _objective(self, judged: ObjectiveJudged, record: Record) -> None:
        span = self._spans.get(Where(record.where.round, record.where.scenario))
        if span is not None:
            span.set_attributes(of_objective(judged))

    def _happened(self, record: Record) -> None:
        """An event of the innermost span that is open there."""
        where = _place(record.where)
        for place in (where, Where(where.round, where.scenario), Where(where.round), _RUN):
            if (span := self._spans.get(place)) is not None:
                if is_span_event(record):
                    name, attributes = of_event(record.event)
                    span.add_event(name, attributes, timestamp=self._now)
                return

    def _end_round(self) -> None:
        self._settle()
        for where in [each for each in self._spans if each != _RUN]:
            self._end(where)

    def _settle(self) -> None:
        """End the spans of scenarios that have ended, at the time when they did."""
        ended, self._ended = self._ended, {}
        for where, time in ended.items():
            self._end(where, time=time)

    def _end(self, where: Where, *, time: int | None = None) -> None:
        if (span := self._spans.pop(where, None)) is not None:
            span.end(end_time=time or self._now)

    def _set_anchor(self, record: Record) -> None:
        self._anchor = (round(record.time.timestamp() * _NANO), record.monotonic)
        self._now = self._anchor[0]

    def _time(self, record: Record) -> int:
        wall, monotonic = self._anchor
        return wall + round((record.monotonic - monotonic) * _NANO)


def _place(where: Where) -> Where:
    """The place of a step, whatever is tried or done in it."""
    return Where(where.round, where.scenario, where.step)


def _depth(where: Where) -> int:
    return (where.round > 0) + bool(where.scenario) + (where.step is not None)
