"""The run as log lines, for where nobody watches a terminal: text for people, JSON for machines.

One line an event, on standard error: the event's name in snake case and its fields. Secrets never get here, since
events hold none.
"""

import logging
import re
import sys
from datetime import datetime
from enum import Enum
from typing import Any, Literal, TextIO

from seatrial.runtime.events import (
    ChangesKept,
    CommandExecuted,
    CommandOutput,
    EarlierRunFound,
    Event,
    EvictionBlocked,
    EvictionSkipped,
    ExperimentAborted,
    FailureAwaited,
    GuardrailHeld,
    HaltUnreadable,
    MachineSkipped,
    MachineStopFailed,
    MeasurementMissed,
    MeasurementTaken,
    MeshSampled,
    NodeRef,
    NotificationFailed,
    ObjectiveJudged,
    ObjectiveStatus,
    PodKillSkipped,
    PodRef,
    PolicyRejected,
    PolicyReloaded,
    ProbeSampled,
    ProofMissing,
    Record,
    RecoveryMissed,
    ReplacementForeseen,
    RunHalted,
    SampleTaken,
    ScenarioStarted,
    ScheduleMissed,
    SteadyStateLost,
    StopRequested,
    UndoFailed,
    UndoRetried,
)
from seatrial.runtime.verdict import Verdict
from seatrial.telemetry.log_lines import JsonLines, TextLines, with_fields

LogFormat = Literal["text", "json"]

_WORD_RE = re.compile(r"(?<!^)(?=[A-Z])")


def configure_logging(
    *,
    log_format: LogFormat,
    verbose: int = 0,
    silent: bool = False,
    plain: bool = False,
    stream: TextIO | None = None,
    file: logging.Handler | None = None,
) -> None:
    """Send this process's log lines, Seatrial's and the libraries' warnings, to standard error, and to a file.

    `plain` forbids colours, which text lines have on a terminal otherwise; `silent` does not concern the file.
    """
    target = stream or sys.stderr
    handler = logging.StreamHandler(target)
    handler.setFormatter(JsonLines() if log_format == "json" else TextLines(colours=target.isatty() and not plain))
    handler.addFilter(lambda record: not silent or record.levelno >= logging.ERROR)
    root = logging.getLogger()
    root.handlers[:] = [handler, *([file] if file else [])]
    root.setLevel(logging.WARNING)
    logging.getLogger("seatrial").setLevel(logging.DEBUG if verbose else logging.INFO)


def file_logger(file: logging.Handler) -> logging.Logger:
    """A logger whose lines go to a file alone, for what is shown in another way elsewhere."""
    logger = logging.getLogger("seatrial.file")
    logger.handlers[:] = [file]
    logger.propagate = False
    return logger


_LEFT_OUT: dict[type[Event], frozenset[str]] = {
    MeshSampled: frozenset({"names", "calls_ms"}),  # each look at goldpinger's graph, call by call
    PolicyReloaded: frozenset({"policy_text", "digests"}),
}


class LogReport:
    """A listener that writes each event as a log line."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("seatrial")
        self._mesh: tuple[int, tuple[str, ...], str] | None = None

    def __call__(self, record: Record) -> None:
        """Log one event."""
        event = record.event
        left_out = _LEFT_OUT.get(type(event), ())
        values = {name: _plain(getattr(event, name)) for name in event.__struct_fields__ if name not in left_out}
        where = record.where
        place = {"round": where.round or None, "scenario": where.scenario or None, "step": where.step}
        said = {key: value for key, value in {**place, **values}.items() if value not in (None, "", [])}
        self._logger.log(self._level(record), event_name(type(event)), extra=with_fields(said))

    def close(self) -> None:
        """Nothing to put back."""

    def _level(self, record: Record) -> int:
        event, where = record.event, record.where
        match event:
            case ProbeSampled() if where.scenario and where.step is None:
                return logging.DEBUG  # one of many samples beside the steps
            case NotificationFailed(again=True, lost=False):
                return logging.DEBUG  # said when it began to fail
            case SampleTaken():
                return logging.DEBUG  # likewise
            case CommandOutput():
                return logging.DEBUG  # what the command came to is told at its end
            case UndoFailed():
                return logging.ERROR
            case MeshSampled() as sample:
                return self._level_of_mesh(sample)
            case ScenarioStarted():
                self._mesh = None
        return logging.WARNING if _is_warning(event) else logging.INFO

    def _level_of_mesh(self, sample: MeshSampled) -> int:
        """Looks that show what the last one showed are for those who want all of them."""
        seen = (sample.instances, sample.failed, sample.error)
        is_same, self._mesh = seen == self._mesh, seen
        if is_same:
            return logging.DEBUG
        return logging.WARNING if sample.error else logging.INFO


def _is_warning(event: Event) -> bool:
    match event:
        case RecoveryMissed() | StopRequested() | PodKillSkipped(error=True) | ProbeSampled(ok=False):
            return True
        case MachineStopFailed() | MachineSkipped(error=True) | EvictionBlocked() | EvictionSkipped(error=True):
            return True
        case CommandExecuted(exit_code=code) if code != 0:
            return True
        case NotificationFailed():
            return True
        case GuardrailHeld() | ReplacementForeseen() | ProofMissing() | SteadyStateLost() | ExperimentAborted():
            return True
        case MeasurementMissed() | MeasurementTaken(is_lower_bound=True):
            return True
        case FailureAwaited(seconds=None) | ScheduleMissed() | PolicyRejected():
            return True
        case ObjectiveJudged(status=status, previous=previous, problem=problem):
            return bool(problem) or (status is ObjectiveStatus.VIOLATED and previous is not status)
        case UndoRetried() | RunHalted() | HaltUnreadable() | EarlierRunFound() | ChangesKept():
            return True
    return False


def event_name(kind: type[Event]) -> str:
    """An event's name in log lines: `PodKilled` is `pod_killed`."""
    return _WORD_RE.sub("_", kind.__name__).lower()


def _plain(value: Any) -> Any:
    if isinstance(value, PodRef | NodeRef):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, float):
        return round(value, 1 if abs(value) >= 100 else 3)
    if isinstance(value, Verdict | Enum):
        return str(value)
    return value
