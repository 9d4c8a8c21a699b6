"""The two forms of a log line: text for people, JSON for machines.

They are formatters of Python's own logging, so that lines of Seatrial's modules and of the libraries look the same. A
record may bring fields of its own, as `logger.info("pod_killed", extra=with_fields({"pod": "n/p"}))`. The sandbox logs
with structlog, a process that lives long; a run of half a second would spend a tenth of it on importing that.
"""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from seatrial.policy.wording import printable

_EVENT_WIDTH = 30
_LEVEL_WIDTH = 9
_RESET, _BOLD, _DIM, _CYAN, _MAGENTA = "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[35m"
_LEVEL_COLOURS = {"debug": "\x1b[32m", "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m"}
_MUST_BE_QUOTED = frozenset(" \t=\"'\r\n")


def with_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What to hand to a logger as `extra`, for a line that has these fields beside its message."""
    return {"fields": fields}


class JsonLines(logging.Formatter):
    """A JSON object a line: the fields, then `event` (the message), `level` and `timestamp`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        said = {**_fields(record), "event": record.getMessage(), "level": _level(record), "timestamp": _time(record)}
        if failure := _failure(self, record):
            said["exception"] = failure
        return json.dumps(said, default=str)


class TextLines(logging.Formatter):
    """Time, level, message and `key=value`; what others named can't move a terminal's cursor.

    Args:
        colours: whether the lines are coloured.
    """

    def __init__(self, *, colours: bool) -> None:
        super().__init__()
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        """The line; below it a traceback, where there is one."""
        level = _level(record)
        fields = _fields(record)
        event = printable(record.getMessage())
        parts = [
            self._painted(_DIM, _time(record)),
            f"[{self._painted(_LEVEL_COLOURS.get(level, ''), level.ljust(_LEVEL_WIDTH))}]",
            self._painted(_BOLD, event.ljust(_EVENT_WIDTH) if fields else event),
        ]
        parts += [self._painted(_CYAN, key) + "=" + self._painted(_MAGENTA, _text(fields[key])) for key in fields]
        failure = _failure(self, record)
        return " ".join(parts) + (f"\n{failure}" if failure else "")

    def _painted(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_RESET}" if self._colours else text


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = getattr(record, "fields", {})
    return fields


def _level(record: logging.LogRecord) -> str:
    return record.levelname.lower()


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _failure(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return formatter.formatException(record.exc_info) if record.exc_info else ""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return printable(str(value))
    shown = printable(value)
    return repr(shown) if _MUST_BE_QUOTED & set(shown) else shown
