"""The run as log lines, for where nobody watches a terminal: text for people, JSON for machines.

One line an event, on standard error: the event's name in snake case and its fields. Secrets never get here, since
events hold none.
"""

import logging
import re
import sys
from collections.abc import Callable
from dataclasses import fields
from enum import Enum
from typing import Any, Literal, TextIO

import structlog

from seatrial.policy.wording import printable
from seatrial.runtime.events import (
    CommandExecuted,
    EarlierRunFound,
    Event,
    EvictionBlocked,
    EvictionSkipped,
    ExperimentAborted,
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
    RunHalted,
    SteadyStateLost,
    StopRequested,
    UndoFailed,
    UndoRetried,
)
from seatrial.runtime.verdict import Verdict

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
    colours = log_format == "text" and target.isatty() and not plain
    renderers: list[Any] = (
        [structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [_without_control_characters, structlog.dev.ConsoleRenderer(colors=colours)]
    )
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("seatrial").setLevel(level)


class LogReport:
    """A listener that writes each event as a log line."""

    def __init__(self) -> None:
        self._logger = structlog.get_logger("seatrial")

    def __call__(self, record: Record) -> None:
        """Log one event."""
        event = record.event
        values = {each.name: _plain(getattr(event, each.name)) for each in fields(event)}
        where = record.where
        place = {"round": where.round or None, "scenario": where.scenario or None, "step": where.step}
        said = {key: value for key, value in {**place, **values}.items() if value not in (None, "", [])}
        self._write(record)(event_name(type(event)), **said)

    def close(self) -> None:
        """Nothing to put back."""

    def _write(self, record: Record) -> Callable[..., Any]:
        log, event, where = self._logger, record.event, record.where
        if isinstance(event, ProbeSampled) and where.scenario and where.step is None:
            return log.debug  # type: ignore[no-any-return] # one of many samples beside the steps
        match event:
            case UndoFailed():
                return log.error  # type: ignore[no-any-return] # structlog's loggers are untyped
            case RecoveryMissed() | StopRequested() | PodKillSkipped(error=True) | ProbeSampled(ok=False):
                return log.warning  # type: ignore[no-any-return]
            case MachineStopFailed() | MachineSkipped(error=True) | EvictionBlocked() | EvictionSkipped(error=True):
                return log.warning  # type: ignore[no-any-return]
            case CommandExecuted(exit_code=code) if code != 0:
                return log.warning  # type: ignore[no-any-return]
            case GuardrailHeld() | ProofMissing():
                return log.warning  # type: ignore[no-any-return]
            case UndoRetried() | RunHalted() | HaltUnreadable() | EarlierRunFound():
                return log.warning  # type: ignore[no-any-return]
            case SteadyStateLost() | ExperimentAborted():
                return log.warning  # type: ignore[no-any-return]
            case MeshSampled(failed=(), error=""):
                return log.debug  # type: ignore[no-any-return]
        return log.info  # type: ignore[no-any-return]


def event_name(kind: type[Event]) -> str:
    """An event's name in log lines: `PodKilled` is `pod_killed`."""
    return _WORD_RE.sub("_", kind.__name__).lower()


def _without_control_characters(_logger: Any, _method: str, fields_: Any) -> Any:
    """Names of others must not move a terminal's cursor; tracebacks keep their lines."""
    keep = {"exception"}
    return {key: value if key in keep else _shown(value) for key, value in fields_.items()}


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    return [_shown(item) for item in value] if isinstance(value, list) else value


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
