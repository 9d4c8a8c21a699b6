"""The run as log lines, for where nobody watches a terminal: text for people, JSON for machines.

One line an event, on standard error: the event's name in snake case and its fields. Secrets never get here, since
events hold none.
"""

import logging
import re
import sys
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
    MeshSampled,
    NodeRef,
    PodKillSkipped,
    PodRef,
    ProbeSampled,
    ProofMissing,
    Record,
    RecoveryMissed,
    ReplacementForeseen,
    RunHalted,
    ScenarioStarted,
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
    *, log_format: LogFormat, verbose: int = 0, silent: bool = False, plain: bool = False, stream: TextIO | None = None
) -> None:
    """Send this process's log lines, Seatrial's and the libraries' warnings, to standard error.

    `plain` forbids colours, which text lines have on a terminal otherwise.
    """
    target = stream or sys.stderr
    level = logging.ERROR if silent else (logging.DEBUG if verbose else logging.INFO)
    handler = logging.StreamHandler(target)
    handler.setFormatter(JsonLines() if log_format == "json" else TextLines(colours=target.isatty() and not plain))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("seatrial").setLevel(level)


class LogReport:
    """A listener that writes each event as a log line."""

    def __init__(self) -> None:
        self._logger = logging.getLogger("seatrial")
        self._mesh: tuple[int, tuple[str, ...], str] | None = None

    def __call__(self, record: Record) -> None:
        """Log one event."""
        event = record.event
        values = {name: _plain(getattr(event, name)) for name in event.__struct_fields__}
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
        case GuardrailHeld() | ReplacementForeseen() | ProofMissing() | SteadyStateLost() | ExperimentAborted():
            return True
        case FailureAwaited(seconds=None):
            return True
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
    if isinstance(value, float):
        return round(value, 1 if abs(value) >= 100 else 3)
    if isinstance(value, Verdict | Enum):
        return str(value)
    return value
