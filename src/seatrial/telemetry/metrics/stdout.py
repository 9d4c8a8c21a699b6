"""The run's metrics as lines of text, each change one line, in the form that Prometheus uses for series."""

import json
from typing import TextIO

from seatrial.runtime.events import Record
from seatrial.telemetry.metrics.limits import Limits
from seatrial.telemetry.metrics.standing import StandingLevels
from seatrial.telemetry.metrics.table import Change, Level

_LARGE = 1e6


class StdoutReport:
    """A listener that writes a line for each change of a metric."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._levels = StandingLevels()
        self._limits = Limits()

    def __call__(self, record: Record) -> None:
        """Write what an event means."""
        for change in self._levels.changes_of(record):
            if (kept := self._limits.apply(change)) is not None and kept.value is not None:
                self._stream.write(f"{_line(kept)}\n")
        self._stream.flush()


def _level(value: float) -> str:
    """All digits that matter: Unix times have ten before the point."""
    return f"{value:.3f}" if value >= _LARGE else f"{value:.6g}"


def _line(change: Change) -> str:
    metric = change.metric
    # JSON escapes quotes and control characters: a name must not move a terminal's cursor.
    labels = ",".join(f"{label}={json.dumps(value)}" for label, value in zip(metric.labels, change.labels, strict=True))
    shown = f"{{{labels}}}" if labels else ""
    value = change.value or 0.0  # a level that ends has no line
    if isinstance(change, Level):
        return f"metric {metric.name}{shown} = {_level(value)}"
    sign = "" if metric.kind == "histogram" else "+" * (value >= 0)
    return f"metric {metric.name}{shown} {sign}{value:.6g}"
