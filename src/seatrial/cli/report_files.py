"""`--report FILE`: reports that are written when a run is over, in the form that each file's name asks for."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seatrial.cli.options import FILE

if TYPE_CHECKING:
    from seatrial.runtime.events import RunStarted
    from seatrial.storage.store import Store


def _checked(_context: click.Context, _parameter: click.Parameter, files: tuple[Path, ...]) -> tuple[Path, ...]:
    """Whatever can be wrong with a file is said before the run, not after it."""
    if files:
        from seatrial.errors import UsageError
        from seatrial.report.formats import format_of

        for file in files:
            format_of(file)
            if not file.absolute().parent.is_dir():
                raise UsageError(f"--report {file}: there is no directory {file.parent}")
    return files


report_files_option = click.option(
    "--report", "report_files", multiple=True, metavar="FILE", type=FILE, callback=_checked,
    help="Write a report when the run is over, also when it was interrupted: .html, .json, .xml (JUnit) or .md.  "
    "Repeatable.",
)  # fmt: skip


def write_reports(files: tuple[Path, ...], store: "Store | None", started: "RunStarted | None") -> bool:
    """Write the reports of the run that began so; whether all of them could be, what could not is logged."""
    if not files:
        return True
    import logging

    from seatrial.errors import SeatrialError
    from seatrial.report.formats import format_of, rendered, write_report
    from seatrial.report.run_report.gathering import gather

    logger = logging.getLogger("seatrial")
    problems = 0
    if store is None or started is None:
        logger.error("no report of the run: %s", "nothing began" if store else "runs are not kept")
        return False
    try:
        kept = store.run(started.run_id)
        report = gather(kept, store)
    except SeatrialError as error:
        logger.error("no report of the run: %s", error.in_full)  # noqa: TRY400 -- the message says it all
        return False
    if kept.ended is None:
        problems += 1
        logger.error("the reports lack the end of the run, which %s has not taken in", store.place)
    for file in files:
        try:
            write_report(rendered(report, format_of(file)), file)
        except SeatrialError as error:
            problems += 1
            logger.error("no report: %s", error.in_full)  # noqa: TRY400 -- the message says it all
    return not problems
