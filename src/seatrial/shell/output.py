"""What the shell writes: lines, tables, plans, errors, and the events of what is being done.

Colours and widths are those of the terminal; elsewhere there are none. rich is loaded with the first thing written.
"""

import json
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from seatrial.shell.tables import Table

if TYPE_CHECKING:
    from rich.console import Console

    from seatrial.report.account import Account
    from seatrial.runtime.events import Record
    from seatrial.runtime.plan import StepPlan


class Output:
    """Standard output and standard error, as the shell uses them."""

    def __init__(self, *, has_colour: bool | None = None) -> None:
        """Colours on a terminal, unless `has_colour` says otherwise."""
        self._has_colour = has_colour

    @cached_property
    def console(self) -> "Console":
        """Where everything goes but errors."""
        from rich.console import Console

        return Console(highlight=False, no_color=None if self._has_colour is None else not self._has_colour)

    @cached_property
    def _account(self) -> "Account":
        from seatrial.report.account import Account

        return Account()

    def line(self, text: str, style: str = "") -> None:
        """Write one line, in which nothing is markup."""
        from seatrial.report.plain import plain

        self.console.print(plain(text, style=style), soft_wrap=True)

    def json(self, data: Any) -> None:
        """Write data for programs."""
        click.echo(json.dumps(data, indent=2, default=str))

    def table(self, table: Table, output: str = "text") -> None:
        """Write a table, for people or (`json`) for programs."""
        if output == "json":
            self.json(list(table.rows))
            return
        from rich.table import Table as RichTable

        from seatrial.report.plain import plain

        if not table.rows:
            self.line(table.empty, "dim")
            return
        shown = RichTable(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for column in table.columns:
            shown.add_column(column.heading, no_wrap=True, justify=column.align)  # type: ignore[arg-type]
        for row in table.rows:
            shown.add_row(*(plain(c.show(row.get(c.key)), style=c.style(row.get(c.key))) for c in table.columns))
        self.console.print(shown)
        if table.note:
            self.line(table.note, "dim")

    def plan(self, title: str, plan: "StepPlan") -> None:
        """Write what would be hit."""
        from seatrial.report.plan import print_step

        print_step(title, plan, self.console)

    def error(self, message: str, hint: str = "") -> None:
        """Write an error and what to do about it, on standard error."""
        colour = None if self._has_colour is None else self._has_colour
        click.echo(click.style("error:", fg="red", bold=True) + f" {message}", err=True, color=colour)
        if hint:
            click.echo(click.style("hint:", fg="cyan") + f" {hint}", err=True, color=colour)
        sys.stderr.flush()

    def __call__(self, record: "Record") -> None:
        """Write what an event means to a person; the output is a listener of the session's events."""
        from seatrial.report.terminal import print_line

        for line in self._account.lines(record):
            print_line(line, self.console)
