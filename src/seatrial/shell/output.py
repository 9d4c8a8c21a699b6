"""What the shell writes: lines, tables, plans, errors, and the events of what is being done.

Colours and widths are those of the terminal; elsewhere there are none. rich is loaded with the first thing written.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache, cached_property
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, TextIO

import click

from seatrial.shell.tables import Table

if TYPE_CHECKING:
    from rich.console import Console

    from seatrial.by_hand.hand_account import HandAccount
    from seatrial.report.account import Line
    from seatrial.runtime.events import Record
    from seatrial.runtime.plan import StepPlan
    from seatrial.shell.pager import Pager
    from seatrial.shell.table_layout import Piece

_MOST_SHOWN = 8


def _is_unicode(stream: TextIOWrapper) -> bool:
    return stream.encoding.lower().startswith("utf")


class Output:
    """Standard output and standard error, as the shell uses them."""

    def __init__(
        self, *, has_colour: bool | None = None, out: TextIO | None = None, errors: TextIO | None = None
    ) -> None:
        """Colours on a terminal, unless `has_colour` says otherwise; `out` and `errors` stand for the process's own."""
        self._has_colour = has_colour
        self._out = out
        self._errors = errors
        self.pager: Pager | None = None
        """Shows what is longer than the window; there is one where there is a prompt."""

    @cached_property
    def console(self) -> "Console":
        """Where everything goes but errors."""
        from seatrial.shell.console import ShellConsole

        if self._out is None and isinstance(sys.stdout, TextIOWrapper) and not _is_unicode(sys.stdout):
            sys.stdout.reconfigure(errors="replace")  # what can't be shown there is no error
        # Without a colour system nothing is written but text, not even in bold.
        return ShellConsole(file=self._out, highlight=False, color_system=None if self._has_colour is False else "auto")

    @cached_property
    def _account(self) -> "HandAccount":
        from seatrial.by_hand.hand_account import HandAccount

        return HandAccount()

    @property
    def width(self) -> int | None:
        """How many characters fit into a line; none where there is no window."""
        return self.console.width if self.console.is_terminal else None

    def line(self, text: str, style: str = "") -> None:
        """Write one line, in which nothing is markup."""
        from seatrial.report.plain import plain

        self.console.print(plain(text, style=style), soft_wrap=True)

    def note(self, text: str) -> None:
        """Write a remark that is no part of what was asked for, on standard error; like errors it is only text."""
        from seatrial.policy.wording import printable_lines

        self._complain(click.style(printable_lines(text), dim=True))

    def json(self, data: Any) -> None:
        """Write data for programs."""
        import json

        text = json.dumps(data, indent=2, default=str)
        if self.pager is None:
            click.echo(text, file=self._out)
        else:
            self.pager.take(f"{text}\n")

    def table(self, table: Table, output: str = "text", *, pages: bool = True) -> None:
        """Write a table, for people or (`json`) for programs; without `pages` the pager is not for it.

        What the pager shows it shows when the command has ended.
        """
        if output == "json":
            self.json(list(table.rows))
            if table.note:
                self.note(table.note)
            return
        from seatrial.shell.table_layout import laid_out

        with self.long() if pages else nullcontext():
            if table.rows:
                self._pieces(laid_out(table, width=self.width))
            else:
                self.line(table.empty, "dim")
            if table.note:
                self.line(table.note, "dim")

    def _pieces(self, lines: "Iterable[Iterable[Piece]]") -> None:
        """Write lines that are laid out, all at once: of ten thousand, that takes a tenth of their time one by one."""
        from rich.segment import Segment, Segments

        style_of = cache(self.console.get_style)
        segments = [
            segment
            for line in lines
            for segment in (*(Segment(text, style_of(style or "none")) for text, style in line), Segment.line())
        ]
        self.console.print(Segments(segments), soft_wrap=True, end="")

    @contextmanager
    def long(self) -> Iterator[None]:
        """What is written in the block goes through the pager where it is longer than the window."""
        if self.pager is None:
            yield
            return
        with self.console.capture() as captured:
            yield
        self.pager.take(captured.get())

    async def show_pages(self) -> None:
        """Show what the pager has, and return when the reader has seen enough."""
        if self.pager is not None:
            await self.pager.show()

    def plan(self, title: str, plan: "StepPlan", *, whole: bool = False) -> None:
        """Write what would be hit: the first few of many, unless the `whole` is asked for."""
        from seatrial.report.plan import print_step

        print_step(
            title, plan, self.console, most=None if whole else _MOST_SHOWN, rest=": 'plan' with the command shows all"
        )

    def account(self, lines: "Iterable[Line]") -> None:
        """Write lines of an account of what is being done."""
        from seatrial.report.terminal import print_line

        for line in lines:
            print_line(line, self.console, wraps=self.console.is_terminal)

    def error(self, message: str, hint: str = "") -> None:
        """Write an error and what to do about it, on standard error."""
        from seatrial.policy.wording import printable_lines

        self._complain(f"{click.style('error:', fg='red', bold=True)} {printable_lines(message)}")
        if hint:
            self._complain(f"{click.style('hint:', fg='cyan')} {printable_lines(hint)}")

    def _complain(self, text: str) -> None:
        click.echo(text, file=self._errors, err=True, color=self._has_colour)

    def __call__(self, record: "Record") -> None:
        """Write what an event means to a person; the output is a listener of the session's events."""
        with suppress(BrokenPipeError):  # the reader has gone: the command hears of it at its own next line
            self.account(self._account.lines(record))
