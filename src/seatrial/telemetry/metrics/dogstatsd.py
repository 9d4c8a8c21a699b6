"""The run's metrics for Datadog: a listener that sends each to the agent's DogStatsD, by UDP or a socket.

The agent is where the environment says (`DD_AGENT_HOST`, `DD_DOGSTATSD_PORT`, `DD_DOGSTATSD_URL`), else on this host;
an agent that isn't there loses metrics, which is said once, and hurts nothing, as Datadog means it.
"""

import logging
from math import isfinite
from typing import Any

from seatrial import __version__
from seatrial.errors import UsageError
from seatrial.runtime.events import Record
from seatrial.telemetry.library_complaints import ComplaintsOnce
from seatrial.telemetry.metrics.limits import Limits
from seatrial.telemetry.metrics.standing import StandingLevels
from seatrial.telemetry.metrics.table import BUILD_INFO, IN_FLIGHT, Change, Sample

_log = logging.getLogger("seatrial.metrics")

PREFIX = "powerfulseal."
_LIBRARY = "datadog.dogstatsd"


class DatadogReport:
    """A listener that sends every metric to DogStatsD.

    Raises:
        UsageError: the extra `datadog` isn't installed.
    """

    def __init__(self) -> None:
        self._statsd = _client()
        self._complaints = ComplaintsOnce(_LIBRARY, trouble="Datadog's agent takes no metrics", log=_log)
        self._complaints.__enter__()
        self._levels = StandingLevels()
        self._limits = Limits()
        self._in_flight = 0.0
        self._send(Sample(BUILD_INFO, (__version__,)))

    def __call__(self, record: Record) -> None:
        """Send what an event means."""
        for change in self._levels.changes_of(record):
            if (kept := self._limits.apply(change)) is not None:
                self._send(kept)

    def close(self) -> None:
        """Send what waits to be sent."""
        self._statsd.flush()
        self._statsd.close_socket()
        self._complaints.__exit__()

    def _send(self, change: Change) -> None:
        if change.value is None or not isfinite(change.value):
            return  # a level that ends isn't sent any more; and there are no infinite ones in Datadog
        metric = change.metric
        name = datadog_name(metric.name)
        tags = [f"{label}:{value}" for label, value in zip(metric.labels, change.labels, strict=True)]
        match metric.kind:
            case "counter":
                self._statsd.increment(name, change.value, tags=tags)
            case "histogram":
                self._statsd.histogram(name, change.value, tags=tags)
            case "gauge":
                self._statsd.gauge(name, self._level(change), tags=tags)

    def _level(self, change: Change) -> float:
        """What a gauge stands at: DogStatsD wants levels, not changes."""
        if isinstance(change, Sample) and change.metric is IN_FLIGHT:
            self._in_flight += change.value
            return self._in_flight
        return change.value or 0.0


def datadog_name(name: str) -> str:
    """A metric's name in Datadog: `seal_pod_kills_total` is `powerfulseal.pod_kills_total` there, as it always was.

    Our own come under the same prefix: `seatrial_rounds_total` is `powerfulseal.seatrial_rounds_total`.
    """
    return PREFIX + name.removeprefix("seal_")


def _client() -> Any:
    try:
        from datadog.dogstatsd.base import DogStatsd  # noqa: PLC0415 -- an extra, and slow to import
    except ImportError as error:
        raise UsageError(
            "metrics for Datadog need the extra 'datadog'", hint="install it: pip install 'seatrial[datadog]'"
        ) from error
    return DogStatsd(disable_telemetry=True)
