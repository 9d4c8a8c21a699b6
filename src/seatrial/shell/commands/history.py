"""`history`: what was done in this session, and what has become of it."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from seatrial.shell.look import output_option
from seatrial.shell.shell import Shell
from seatrial.shell.tables import Column, Table

if TYPE_CHECKING:
    from seatrial.by_hand.deeds import Deed
    from seatrial.shell.tables import Row

_EPILOG = """\b
Examples:
  history
  history -o json
"""
_STYLES = {"stands": "yellow", "not undone": "bold red", "undone": "dim"}
_VERDICTS = {"passed": "green", "failed": "bold red", "inconclusive": "yellow"}


@click.command("history", epilog=_EPILOG)
@output_option()
@click.pass_obj
async def history(shell: Shell, output: str) -> None:
    """List what was done in this session: whether it stands, what came of it, and what undo would do.

    'for good' is what can't be taken back, such as a pod that was killed.
    """
    rows = [_row(deed, shell.session.changes_of(deed)) for deed in shell.session.deeds]
    shell.output.table(Table(columns=_COLUMNS, rows=rows, empty="nothing was done yet"), output)


def _row(deed: "Deed", changes: Any) -> "Row":
    outcome = deed.outcome_so_far
    return {
        "number": deed.number,
        "time": deed.begun.isoformat(timespec="seconds"),
        "title": deed.order.title,
        "standing": str(deed.standing),
        "outcome": str(outcome.verdict) if outcome else None,
        "reasons": list(outcome.reasons) if outcome else [],
        "undo": list(changes),
    }


def _time_of_day(time: str) -> str:
    return f"{datetime.fromisoformat(time).astimezone():%H:%M:%S}"


def _changes(changes: list[str]) -> str:
    return "; ".join(changes)


_COLUMNS = (
    Column(heading="#", key="number", align="right"),
    Column(heading="TIME", key="time", show=_time_of_day, drop=2),
    Column(heading="WHAT", key="title"),
    Column(heading="NOW", key="standing", style=lambda value: _STYLES.get(value, "")),
    Column(heading="OUTCOME", key="outcome", style=lambda value: _VERDICTS.get(value, ""), drop=1),
    Column(heading="UNDO WOULD", key="undo", show=_changes, drop=3, optional=True),
)
