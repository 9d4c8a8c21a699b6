"""How a run is shown: the options that say so, and running with the listeners that show it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import msgspec

from seatrial.cli.health_options import HealthChoice
from seatrial.cli.log_file_options import LOG_FILE_OPTIONS, LogFileChoice, log_file_choice
from seatrial.cli.metrics_options import MetricsChoice, collecting
from seatrial.cli.option_group import F, in_section, option_group
from seatrial.cli.options import output_option
from seatrial.cli.report_files import report_files_option, write_reports
from seatrial.cli.telling_options import TellingChoice, tracing

if TYPE_CHECKING:
    from seatrial.cli.session import SessionOptions
    from seatrial.report.summary import Summary
    from seatrial.report.terminal import TerminalReport
    from seatrial.runtime.events import Listener
    from seatrial.storage.store import Store

_NOT_REPORTED = 3  # as with any output that can't be written


class ReportChoice(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of a run, and in which form."""

    log_format: Literal["text", "json"] | None = None
    log_file: LogFileChoice | None = None
    output: str = "text"
    verbose: int = 0
    silent: bool = False
    files: tuple[Path, ...] = ()


def report_options(command: F) -> F:
    """`--log-format`, `--output`, `--verbose`, `--silent`; the command gets a `report`."""
    return option_group(
        "report",
        _choice,
        click.option(
            "--log-format", type=click.Choice(["text", "json"]),
            help="Write log lines of this form to standard error.  "
            "[default: text, unless standard output is a terminal]",
        ),
        output_option("the closing summary"),
        click.option("--verbose", "-v", count=True, help="Log more."),
        click.option("--silent", "-s", is_flag=True, help="Show nothing but errors and the closing summary."),
        report_files_option,
        *in_section("Log file", *LOG_FILE_OPTIONS),
    )(command)  # fmt: skip


def _choice(
    *,
    log_format: Literal["text", "json"] | None,
    output: str,
    verbose: int,
    silent: bool,
    report_files: tuple[Path, ...],
    **log_file: Any,
) -> ReportChoice:
    """What was said before the command's name (as PowerfulSeal has it) counts as well."""
    parent = click.get_current_context().parent
    before = parent.params if parent else {}
    return ReportChoice(
        log_format=log_format,
        output=output,
        verbose=verbose + before.get("verbose", 0),
        silent=silent or bool(before.get("silent")),
        files=report_files,
        log_file=log_file_choice(**log_file),
    )


def run_and_show(
    options: "SessionOptions",
    *,
    report: ReportChoice,
    metrics: MetricsChoice,
    health: HealthChoice,
    telling: TellingChoice,
    warnings: Sequence[str] = (),
) -> int:
    """Run, show it as it goes, show the summary at the end; answers the exit code.

    Raises:
        SeatrialError: it could not begin.
        Interrupted: somebody asked to stop before the run began.
    """
    import asyncio
    import json
    import logging

    from seatrial.cli.session import run_session
    from seatrial.report.summary import Summary
    from seatrial.telemetry.log import LogReport, configure_logging, file_logger

    if metrics.stdout_collector and report.output == "json":
        message = "--stdout-collector goes without --output json: both write to standard output"
        raise click.UsageError(message, click.get_current_context())
    plain = click.get_current_context().color is False  # `cli.main` has looked at NO_COLOR and TERM
    file = report.log_file.open() if report.log_file else None
    configure_logging(
        log_format=report.log_format or "text", verbose=report.verbose, silent=report.silent, plain=plain, file=file
    )
    for warning in warnings:
        logging.getLogger("seatrial").warning(warning)
    watched = sys.stdout.isatty() and report.log_format is None and report.output == "text"
    summary = Summary()
    options = msgspec.structs.replace(options, kubernetes_events=telling.kubernetes_events)
    with collecting(metrics) as collectors, tracing(telling) as tracers:
        account = _terminal_report() if watched else LogReport()
        shown: list[Listener] = [] if report.silent else [account]
        if file and (watched or report.silent):  # otherwise what is logged goes there anyway
            shown.append(LogReport(file_logger(file)))
        try:
            result = asyncio.run(
                run_session(options, [*shown, summary, *recording(options), *collectors, *tracers], health=health)
            )
            is_reported = write_reports(report.files, options.store, summary.started)
        finally:
            account.close()
            if options.store is not None:
                close_store(options.store)
    if report.output == "json":
        click.echo(json.dumps(summary.as_json(), indent=2))
    else:
        _show_summary(summary)
    return result.exit_code or (0 if is_reported else _NOT_REPORTED)


def recording(options: "SessionOptions") -> "list[Listener]":
    """The listener that keeps the run in its store, where it has one."""
    if options.store is None:
        return []
    from seatrial.slo.digest import digest_of
    from seatrial.storage.event_codec import as_json
    from seatrial.storage.recorder import Origin, Recorder
    from seatrial.storage.redaction import redact_arguments

    plan = options.plan
    origin = Origin(
        command=redact_arguments(["seatrial", *sys.argv[1:]]),
        plan=plan.digest if plan else "",
        saved_plan=as_json(plan) if plan else "",
    )
    digests = {each.name: digest_of(each) for each in options.policy.scenarios}
    return [Recorder(options.store, policy_text=options.policy_text, digests=digests, origin=origin)]


def close_store(store: "Store") -> None:
    """Let go of a store; what could not be written has been said before."""
    from contextlib import suppress

    from seatrial.errors import StateError

    with suppress(StateError):
        store.close()


def _terminal_report() -> "TerminalReport":
    from rich.console import Console

    from seatrial.report.terminal import TerminalReport

    return TerminalReport(Console(highlight=False))


def _show_summary(summary: "Summary") -> None:
    if not sys.stdout.isatty():
        from seatrial.report.closing import summary_text

        click.echo(summary_text(summary), nl=False)
        return
    from rich.console import Console

    from seatrial.report.terminal import print_summary

    print_summary(summary, Console(highlight=False))
