"""How a run is shown: the options that say so, and running with the listeners that show it."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import click
import msgspec

from seatrial.cli.metrics_options import MetricsChoice, collecting
from seatrial.cli.option_group import F, option_group
from seatrial.cli.options import output_option

if TYPE_CHECKING:
    from seatrial.cli.session import SessionOptions
    from seatrial.report.summary import Summary
    from seatrial.report.terminal import TerminalReport


class ReportChoice(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of a run, and in which form."""

    log_format: Literal["text", "json"] | None = None
    output: str = "text"
    verbose: int = 0
    silent: bool = False


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
    )(command)  # fmt: skip


def _choice(*, log_format: Literal["text", "json"] | None, output: str, verbose: int, silent: bool) -> ReportChoice:
    """What was said before the command's name (as PowerfulSeal has it) counts as well."""
    parent = click.get_current_context().parent
    before = parent.params if parent else {}
    return ReportChoice(
        log_format=log_format,
        output=output,
        verbose=verbose + before.get("verbose", 0),
        silent=silent or bool(before.get("silent")),
    )


def run_and_show(
    options: "SessionOptions", *, report: ReportChoice, metrics: MetricsChoice, warnings: Sequence[str] = ()
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
    from seatrial.telemetry.log import LogReport, configure_logging

    if metrics.stdout_collector and report.output == "json":
        message = "--stdout-collector goes without --output json: both write to standard output"
        raise click.UsageError(message, click.get_current_context())
    plain = click.get_current_context().color is False  # `cli.main` has looked at NO_COLOR and TERM
    configure_logging(log_format=report.log_format or "text", verbose=report.verbose, silent=report.silent, plain=plain)
    for warning in warnings:
        logging.getLogger("seatrial").warning(warning)
    watched = sys.stdout.isatty() and report.log_format is None and report.output == "text"
    summary = Summary()
    with collecting(metrics) as collectors:
        account = _terminal_report() if watched else LogReport()
        shown = [] if report.silent else [account]
        try:
            result = asyncio.run(run_session(options, [*shown, summary, *collectors]))
        finally:
            account.close()
    if report.output == "json":
        click.echo(json.dumps(summary.as_json(), indent=2))
    else:
        _show_summary(summary)
    return result.exit_code


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
