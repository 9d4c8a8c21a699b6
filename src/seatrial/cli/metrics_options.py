"""Options that say where metrics go, and the listeners that carry them there."""

import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click
import msgspec

from seatrial.cli.option_group import F, flag, option_group

if TYPE_CHECKING:
    from seatrial.runtime.events import Listener

_log = logging.getLogger("seatrial.metrics")


class MetricsChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Where metrics go; several ways at once are fine."""

    stdout_collector: bool = False
    prometheus_collector: bool = False
    prometheus_host: str = "127.0.0.1"
    prometheus_port: int = 9000
    datadog_collector: bool = False


def metrics_options(command: F) -> F:
    """`--prometheus-collector` and the like; the command gets a `metrics`."""
    return option_group(
        "metrics",
        MetricsChoice,
        flag("--stdout-collector", "Print each change of a metric.", variable="STDOUT_COLLECTOR"),
        flag(
            "--prometheus-collector", "Serve metrics at /metrics while the run lasts.", variable="PROMETHEUS_COLLECTOR"
        ),
        click.option(
            "--prometheus-host", default="127.0.0.1", show_default=True, metavar="ADDRESS",
            help="Where to serve them; 0.0.0.0 lets other hosts in, as Prometheus in a cluster needs.",
        ),
        click.option(
            "--prometheus-port", type=click.IntRange(0, 65535), default=9000, show_default=True, metavar="PORT",
            help="The port to serve them at; 0 takes a free one and says which.",
        ),
        flag("--datadog-collector", "Send metrics to Datadog's agent (DogStatsD).", variable="DATADOG_COLLECTOR"),
        section="Metrics",
    )(command)  # fmt: skip


@contextmanager
def collecting(choice: MetricsChoice) -> Iterator[list["Listener"]]:
    """The listeners that carry metrics where they are wanted, while the block runs.

    Raises:
        UsageError: the port is taken, or an extra isn't installed.
    """
    listeners: list[Listener] = []
    with ExitStack() as stack:
        if choice.stdout_collector:
            from seatrial.telemetry.stdout import StdoutReport

            listeners.append(StdoutReport(sys.stdout))
        if choice.prometheus_collector:
            from seatrial.telemetry.prometheus import PrometheusReport, served

            prometheus = PrometheusReport()
            port = stack.enter_context(served(prometheus, host=choice.prometheus_host, port=choice.prometheus_port))
            _log.info("metrics are served at http://%s:%d/metrics", choice.prometheus_host, port)
            listeners.append(prometheus)
        if choice.datadog_collector:
            from seatrial.telemetry.dogstatsd import DatadogReport

            datadog = DatadogReport()
            stack.callback(datadog.close)
            listeners.append(datadog)
        yield listeners
