"""The run's metrics as lines of text, each change one line, in the form that Prometheus uses for series."""

import json
from typing import TextIO

from seatrial.runtime.events import Record
from seatrial.telemetry.metrics import Limits, Sample
from seatrial.telemetry.samples import samples_of


class StdoutReport:
    """A listener that writes a line for each change of a metric."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._limits = Limits()

    def __call__(self, record: Record) -> None:
        """Write what an event means."""
        for sample in samples_of(record.event):
            self._stream.write(f"{_line(self._limits.apply(sample))}\n")
        self._stream.flush()


def _line(sample: Sample) -> str:
    metric = sample.metric
    # JSON escapes quotes and control characters: a name must not move a terminal's cursor.
    labels = ",".join(f"{label}={json.dumps(value)}" for label, value in zip(metric.labels, sample.labels, strict=True))
    shown = f"{{{labels}}}" if labels else ""
    sign = "" if metric.kind == "histogram" else "+" * (sample.value >= 0)
    return f"metric {metric.name}{shown} {sign}{sample.value:.6g}"
