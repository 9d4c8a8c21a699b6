"""Options that say where else a run is told of: Kubernetes Events on its targets, traces."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
import msgspec

from seatrial.cli.option_group import F, option_group
from seatrial.errors import UsageError

if TYPE_CHECKING:
    from seatrial.runtime.events import Listener
    from seatrial.telemetry.tracing.trace_report import TraceReport

_log = logging.getLogger("seatrial.traces")


class TellingChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Where else a run is told of."""

    kubernetes_events: bool = False
    otlp_endpoint: str = ""


kubernetes_events_option = click.option(
    "--kubernetes-events/--no-kubernetes-events",
    default=False,
    envvar="SEATRIAL_KUBERNETES_EVENTS",
    show_envvar=True,
    help="Write Kubernetes Events on what is hit, for 'kubectl describe'.  [default: none, so that nothing is written "
    "to a cluster but what was asked for]",
)


def telling_options(command: F) -> F:
    """`--kubernetes-events` and `--otlp-endpoint`; the command gets a `telling`."""
    return option_group(
        "telling",
        TellingChoice,
        kubernetes_events_option,
        click.option(
            "--otlp-endpoint", metavar="URL", default="",
            help="Send traces there by OTLP/HTTP.  [default: OTEL_EXPORTER_OTLP_ENDPOINT; without it, nowhere]",
        ),
        section="Kubernetes Events and traces",
    )(command)  # fmt: skip


@contextmanager
def tracing(choice: TellingChoice) -> Iterator[list["Listener"]]:
    """The listener that makes traces, where they are wanted, while the block runs.

    Raises:
        UsageError: the extra isn't installed, or the address is none.
    """
    report = _trace_report(choice.otlp_endpoint)
    if report is None:
        yield []
        return
    try:
        yield [report]
    finally:
        report.close()


def _trace_report(endpoint: str) -> "TraceReport | None":
    if not endpoint and not _environment_wants_traces():
        return None
    try:
        from seatrial.telemetry.tracing.trace_report import TraceReport

        return TraceReport(endpoint=endpoint)
    except UsageError as error:
        if endpoint:
            raise
        # The variables may be there for all programs of the cluster, and nobody asked this one.
        _log.warning("no traces, though OTEL_EXPORTER_OTLP_ENDPOINT is set: %s", error.in_full)
        return None


def _environment_wants_traces() -> bool:
    """What OpenTelemetry's specification has variables for ("Environment Variable Specification")."""
    environ = os.environ
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return False
    return bool(environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
