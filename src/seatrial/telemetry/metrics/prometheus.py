"""The run's metrics for Prometheus: a listener that counts, and the page that is scraped.

The page is served by a thread of its own, so that a busy run is scraped all the same; it ends with the run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    make_wsgi_app,
    start_http_server,
)

from seatrial import __version__
from seatrial.errors import UsageError
from seatrial.runtime.events import Record
from seatrial.telemetry.metrics.limits import Limits
from seatrial.telemetry.metrics.scrapes import Scrapes
from seatrial.telemetry.metrics.standing import StandingLevels
from seatrial.telemetry.metrics.table import BEFORE_ANYTHING, BUILD_INFO, METRICS, Change, Level, Metric, Sample


class PrometheusReport:
    """A listener that keeps every metric in a registry of its own.

    Args:
        of_process: whether the registry has the `process_` and `python_` series of Seatrial itself as well.
    """

    def __init__(self, *, of_process: bool = True) -> None:
        self.registry = CollectorRegistry()
        self.scrapes = Scrapes()
        for collector in (ProcessCollector, PlatformCollector, GCCollector) if of_process else ():
            collector(registry=self.registry)
        # A gauge without labels has a series, at 0, as soon as it is registered: these wait for something to say.
        self._hidden = {metric.name for metric in METRICS if metric.kind == "gauge" and not metric.labels}
        self._series = {
            metric.name: _series(metric, None if metric.name in self._hidden else self.registry) for metric in METRICS
        }
        self._standing: set[tuple[str, tuple[str, ...]]] = set()
        self._levels = StandingLevels()
        self._limits = Limits()
        for sample in (*BEFORE_ANYTHING, Sample(BUILD_INFO, (__version__,))):
            self._take(sample)

    def __call__(self, record: Record) -> None:
        """Count what an event means."""
        for change in self._levels.changes_of(record):
            if (kept := self._limits.apply(change)) is not None:
                self._take(kept)

    def _take(self, change: Change) -> None:
        if isinstance(change, Level):
            self._set(change)
            return
        series = self._series_of(change.metric, change.labels)
        if change.metric.kind == "histogram":
            series.observe(change.value)
        else:
            series.inc(change.value)

    def _set(self, level: Level) -> None:
        series = (level.metric.name, level.labels)
        if level.value is not None:
            self._standing.add(series)
            self._series_of(level.metric, level.labels).set(level.value)
        elif series in self._standing:
            self._standing.remove(series)
            self._end(level.metric, level.labels)

    def _series_of(self, metric: Metric, labels: tuple[str, ...]) -> Any:
        series = self._series[metric.name]
        if metric.name in self._hidden:
            self._hidden.remove(metric.name)
            self.registry.register(series)
        return series.labels(*labels) if labels else series

    def _end(self, metric: Metric, labels: tuple[str, ...]) -> None:
        if labels:
            self._series[metric.name].remove(*labels)
        else:
            self._hidden.add(metric.name)
            self.registry.unregister(self._series[metric.name])


@contextmanager
def served(report: PrometheusReport, *, host: str, port: int) -> Iterator[int]:
    """Serve `/metrics` while the block runs; answers the port, which was chosen by the system where it was 0.

    Raises:
        UsageError: nothing can listen there.
    """
    try:
        server, thread = start_http_server(port, host, registry=report.registry)
    except OSError as error:
        where = f"{host}:{port}"
        raise UsageError(
            f"can't serve metrics on {where}: {error.strerror or error}",
            hint="name another --prometheus-port or --prometheus-host",
        ) from error
    server.set_app(report.scrapes.noting(make_wsgi_app(report.registry)))
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _series(metric: Metric, registry: CollectorRegistry | None) -> Any:
    match metric.kind:
        case "counter":
            return Counter(metric.name, metric.meaning, metric.labels, registry=registry)
        case "gauge":
            return Gauge(metric.name, metric.meaning, metric.labels, registry=registry)
        case "histogram":
            return Histogram(metric.name, metric.meaning, metric.labels, buckets=metric.buckets, registry=registry)
