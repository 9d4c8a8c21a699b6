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
    start_http_server,
)

from seatrial import __version__
from seatrial.errors import UsageError
from seatrial.runtime.events import Record
from seatrial.telemetry.metrics import BEFORE_ANYTHING, BUILD_INFO, METRICS, Limits, Metric, Sample
from seatrial.telemetry.samples import samples_of


class PrometheusReport:
    """A listener that keeps every metric in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._series = {metric.name: _series(metric, self.registry) for metric in METRICS}
        self._limits = Limits()
        for sample in (*BEFORE_ANYTHING, Sample(BUILD_INFO, (__version__,))):
            self._take(sample)

    def __call__(self, record: Record) -> None:
        """Count what an event means."""
        for sample in samples_of(record.event):
            self._take(self._limits.apply(sample))

    def _take(self, sample: Sample) -> None:
        series = self._series[sample.metric.name]
        if sample.labels:
            series = series.labels(*sample.labels)
        if sample.metric.kind == "histogram":
            series.observe(sample.value)
        else:
            series.inc(sample.value)


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
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _series(metric: Metric, registry: CollectorRegistry) -> Any:
    match metric.kind:
        case "counter":
            return Counter(metric.name, metric.meaning, metric.labels, registry=registry)
        case "gauge":
            return Gauge(metric.name, metric.meaning, metric.labels, registry=registry)
        case "histogram":
            return Histogram(metric.name, metric.meaning, metric.labels, buckets=metric.buckets, registry=registry)
