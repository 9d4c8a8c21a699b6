"""`seatrial runs`: the runs that a store keeps, listed, shown, compared, exported and dropped."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seatrial.cli.options import FILE, output_option
from seatrial.cli.runs_compare import compare
from seatrial.cli.store_lookup import opened_store, stored

if TYPE_CHECKING:
    from seatrial.report.closing import Row
    from seatrial.storage.records import RunRecord
    from seatrial.storage.store import Store

_EPILOG = """\b
RUN is the id of a run, its beginning, or 'last'.

\b
Examples:
  seatrial runs list
  seatrial runs show last
  # has it got slower since the release of Tuesday?
  seatrial runs compare --before 2026-11-24T14:00
  seatrial runs export last --format csv > measurements.csv
  seatrial runs prune --older-than 90d
"""


@click.group(epilog=_EPILOG)
def runs() -> None:
    """Look at the runs that were kept, compare them, hand them on, and drop them."""


runs.add_command(compare)


@runs.command("list", epilog="\b\nExit codes:\n  0 listed   2 wrong usage   3 the store can't be read\n")
@click.option("--most", "-n", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="How many.")
@click.option("--policy", metavar="FILE", help="Those of this policy only.")
@stored
@output_option("them")
def list_(most: int, policy: str | None, store: str | None, state_dir: Path | None, output: str) -> None:
    """List the latest runs: verdicts, and how the objectives stood at their ends.

    A run that didn't end is `running`, or `died` where its process is gone.
    """
    import json
    import shutil

    from seatrial.cli.policy_names import policy_name
    from seatrial.cli.sandbox_lookup import print_table
    from seatrial.report.kept_runs.listing import TITLES, ListedRun, list_rows, listed_as_json

    with opened_store(store, state_dir) as kept:
        named = policy_name(policy) if policy else None
        found = [ListedRun(run, kept.latest_judgements(run.id)) for run in kept.runs(most=most, policy=named)]
        place = kept.place
    if output == "json":
        click.echo(json.dumps([listed_as_json(each) for each in found], indent=2))
    elif not found:
        click.echo(f"No runs{f' of {policy}' if policy else ''} are kept in {place}.")
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print_table(TITLES, list_rows(found, width=width))


@runs.command(
    epilog="\b\nExit codes:\n  0 shown   2 there is no such run   3 the store can't be read\n"
    "\b\nExample:\n  seatrial runs show last --output json\n"
)
@click.argument("run", metavar="RUN")
@click.option("--policy", "only_policy", is_flag=True, help="Print the policy as it was, and nothing else.")
@stored
@output_option("it")
def show(run: str, only_policy: bool, store: str | None, state_dir: Path | None, output: str) -> None:
    """Show one run: its closing summary, what was measured, outages, and how to run it again.

    For a page of it see `seatrial report`.
    """
    import json

    from seatrial.report.kept_runs.details import detail_rows, details_as_json, details_of

    with opened_store(store, state_dir) as kept:
        found = kept.run(run)
        if only_policy:
            click.echo(found.policy_text, nl=not found.policy_text.endswith("\n"))
            return
        details = details_of(
            found,
            kept.records(found.id),
            judgements=kept.latest_judgements(found.id),
            measurements=kept.measurements(found.id),
        )
    if output == "json":
        click.echo(json.dumps(details_as_json(details), indent=2))
    else:
        _print_rows(detail_rows(details))


@runs.command(
    epilog="""\b
Exit codes:
  0 exported   2 there is no such run   3 the store can't be read

\b
Examples:
  seatrial runs export last > run.jsonl
  seatrial runs export 3f2a --format csv --file measurements.csv
"""
)
@click.argument("run", metavar="RUN")
@click.option(
    "--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True,
    help="All that is kept, a JSON object a line; or the measurements as CSV.",
)  # fmt: skip
@click.option("--file", type=FILE, metavar="FILE", help="Where to.  [default: standard output]")
@stored
def export(run: str, form: str, file: Path | None, store: str | None, state_dir: Path | None) -> None:
    """Write out all that is kept of a run, secrets excepted: these are not kept."""
    from seatrial.errors import StateError

    with opened_store(store, state_dir) as kept:
        lines = (f"{line}\n" for line in _exported(kept, kept.run(run), form))
        if file is None:
            sys.stdout.writelines(lines)
            return
        try:
            with file.open("w", encoding="utf-8") as target:
                target.writelines(lines)
        except OSError as error:
            raise StateError(f"can't write {file}: {error.strerror}", hint="choose another one with --file") from error


def _exported(kept: "Store", run: "RunRecord", form: str) -> "Iterator[str]":
    from seatrial.report.kept_runs.exporting import jsonl, measurements_csv

    measurements = kept.measurements(run.id)
    if form == "csv":
        return measurements_csv(measurements)
    return jsonl(
        run,
        kept.records(run.id),
        scenario_runs=kept.scenario_runs(run.id),
        measurements=measurements,
        minutes=kept.sample_minutes(run.id),
    )


@runs.command(
    epilog="""\b
Exit codes:
  0 dropped, or there was nothing to drop   2 wrong usage
  3 the store can't be written   4 left as they are

\b
Examples:
  seatrial runs prune --older-than 90d --dry-run
  seatrial runs prune --keep 100 --yes
"""
)
@click.option("--older-than", metavar="SPAN", help="Drop runs that ended so long ago, such as 36h, 30d, 1y.")
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="Drop all but the latest so many runs.")
@click.option("--dry-run", is_flag=True, help="Show which runs would go, and touch nothing.")
@click.option("--yes", "-y", is_flag=True, help="Drop them without asking.")
@stored
def prune(
    older_than: str | None, keep: int | None, dry_run: bool, yes: bool, store: str | None, state_dir: Path | None
) -> int:
    """Drop runs, and with them what objectives know by them; with both conditions those that meet both.

    Stores are kept small anyway: while runs go on, what is older than 90 days goes, except what is in an objective's
    window; and no store grows beyond 1 GiB. Runs that are at work are never dropped.
    """
    import time

    from seatrial.policy.spans import parse_span

    if older_than is None and keep is None:
        raise click.UsageError("say which: --older-than SPAN, --keep N, or both", click.get_current_context())
    before = None if older_than is None else time.time() - parse_span(older_than)
    with opened_store(store, state_dir) as kept:
        found = _to_drop(kept.runs(most=1 << 31), before=before, keep=keep)
        if not found:
            click.echo("There is nothing to drop.")
            return 0
        _show_runs(found, kept)
        if dry_run:
            click.echo(f"{len(found)} would be dropped.")
            return 0
        if not yes and not click.confirm(f"Drop {len(found)} for good?"):
            return 4
        size = kept.size_bytes()
        kept.forget([each.id for each in found])
        _give_back_room(kept)
        click.echo(f"Dropped: the store takes {kept.size_bytes() / 1e6:.1f} MB, {size / 1e6:.1f} MB before.")
    return 0


def _to_drop(found: "Sequence[RunRecord]", *, before: float | None, keep: int | None) -> "list[RunRecord]":
    """The runs, the latest first, that a person wants dropped; none that is at work."""
    from seatrial.storage.records import RunState

    candidates = list(found)[keep or 0 :]
    old = [each for each in candidates if before is None or (each.ended or each.seen) < before]
    return [each for each in old if each.state is not RunState.RUNNING]


def _show_runs(found: "Sequence[RunRecord]", kept: "Store") -> None:
    from seatrial.cli.sandbox_lookup import print_table
    from seatrial.report.kept_runs.listing import TITLES, ListedRun, list_rows

    print_table(TITLES, list_rows([ListedRun(each, kept.latest_judgements(each.id)) for each in found], width=None))


def _give_back_room(kept: "Store") -> None:
    """Shrink the store; nothing else goes for its age or its size."""
    import math
    import time

    from seatrial.storage.retention import Retention

    everything = Retention(days=math.inf, largest_bytes=1 << 62, raw_hours=math.inf)
    while kept.tidy(everything, now=time.time()):
        pass


def _print_rows(rows: "Sequence[Row]") -> None:
    """As the closing summary of a run is shown: in columns on a terminal, a line a row elsewhere."""
    if not sys.stdout.isatty():
        from seatrial.report.closing import rows_text

        click.echo(rows_text(rows), nl=False)
        return
    from rich.console import Console

    from seatrial.report.terminal import print_rows

    print_rows(rows, Console(highlight=False))
