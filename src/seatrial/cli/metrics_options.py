"""Options that say where metrics go, and the listeners that carry them there."""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from seatrial.cli.option_group import F, flag, option_group

if TYPE_CHECKING:
    from seatrial.runtime.events import Listener
    from seatrial.telemetry.metrics.prometheus import PrometheusReport
    from seatrial.telemetry.metrics.pushgateway import Pushgateway

_log = logging.getLogger("seatrial.metrics")


class MetricsChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Where metrics go; several ways at once are fine."""

    stdout_collector: bool = False
    prometheus_collector: bool = False
    prometheus_host: str = "127.0.0.1"
    prometheus_port: int = 9000
    prometheus_linger: float = 0.0
    datadog_collector: bool = False
    pushgateway: str = ""
    pushgateway_job: str = "seatrial"
    pushgateway_label: tuple[str, ...] = ()
    pushgateway_user: str = ""
    pushgateway_password_file: Path | None = None


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
        click.option(
            "--prometheus-linger", type=click.FloatRange(0, 3600), default=0.0, show_default=True, metavar="SECONDS",
            help="When the run is over, go on serving them until they were scraped once more, at most so long: what it "
            "came to would be lost otherwise.",
        ),
        flag("--datadog-collector", "Send metrics to Datadog's agent (DogStatsD).", variable="DATADOG_COLLECTOR"),
        click.option(
            "--pushgateway", metavar="URL", default="", envvar="SEATRIAL_PUSHGATEWAY", show_envvar=True,
            help="Push metrics to this Pushgateway after each round and at the end, for runs that are over before they "
            "are scraped.",
        ),
        click.option(
            "--pushgateway-job", metavar="NAME", default="seatrial", show_default=True,
            help="What is pushed replaces what the last run of the same job and labels left.",
        ),
        click.option(
            "--pushgateway-label", metavar="NAME=VALUE", multiple=True,
            help="Another label of what is pushed, such as team=payments; may be given several times. There is always "
            "one for the policy.",
        ),
        click.option(
            "--pushgateway-user", metavar="NAME", default="", envvar="SEATRIAL_PUSHGATEWAY_USER", show_envvar=True,
            help="The user for a Pushgateway that asks for one.",
        ),
        click.option(
            "--pushgateway-password-file", metavar="FILE", type=click.Path(path_type=Path),
            help="A file with that user's password, which SEATRIAL_PUSHGATEWAY_PASSWORD may hold as well.",
        ),
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
            from seatrial.telemetry.metrics.stdout import StdoutReport

            listeners.append(StdoutReport(sys.stdout))
        if choice.prometheus_collector:
            from seatrial.telemetry.metrics.prometheus import PrometheusReport, served

            prometheus = PrometheusReport()
            port = stack.enter_context(served(prometheus, host=choice.prometheus_host, port=choice.prometheus_port))
            _log.info("metrics are served at http://%s:%d/metrics", choice.prometheus_host, port)
            if choice.prometheus_linger:
                stack.push(partial(_linger, prometheus, choice.prometheus_linger))
            listeners.append(prometheus)
        if choice.datadog_collector:
            from seatrial.telemetry.metrics.dogstatsd import DatadogReport

            datadog = DatadogReport()
            stack.callback(datadog.close)
            listeners.append(datadog)
        if choice.pushgateway:
            from seatrial.telemetry.metrics.pushgateway import PushgatewayReport

            pushed = PushgatewayReport(_gateway(choice))
            stack.callback(pushed.close)
            listeners.append(pushed)
        yield listeners


def _linger(report: "PrometheusReport", seconds: float, failure: type[BaseException] | None, *_: object) -> None:
    """Wait for the last scrape of a run that is over; SIGINT and SIGTERM end that, and nothing else."""
    if failure is not None:
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: report.scrapes.give_up()) for number in numbers]
    _log.info("the run is over; its metrics are served until they were scraped, at most %g s", seconds)
    try:
        if not report.scrapes.wait(seconds):
            _log.warning("nobody has scraped the metrics of the end within %g s", seconds)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _gateway(choice: MetricsChoice) -> "Pushgateway":
    from seatrial.telemetry.metrics.pushgateway import Pushgateway, parse_labels, read_password

    return Pushgateway(
        url=choice.pushgateway,
        job=choice.pushgateway_job,
        labels=parse_labels(choice.pushgateway_label),
        user=choice.pushgateway_user,
        password=read_password(choice.pushgateway_password_file, os.environ),
    )
