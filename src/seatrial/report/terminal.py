"""The live account of a run on a terminal, and the closing summary there.

Lines of `account` scroll by; below them a status (`live`) tells what is going on. Colours and the status appear on a
terminal only; elsewhere `closing` has the summary as plain text.
"""

from collections.abc import Iterable

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from seatrial.report.account import Account, Line, Tone
from seatrial.report.closing import Row, summary_rows
from seatrial.report.live import LiveStatus
from seatrial.report.plain import plain
from seatrial.report.summary import Summary
from seatrial.runtime.events import (
    FailureAwaited,
    PauseStarted,
    Preparing,
    Record,
    RunFinished,
    RunStarted,
    ScenarioFinished,
    ScenarioStarted,
    StepFinished,
    StepStarted,
    StopRequested,
)

_STYLES: dict[Tone, str] = {
    "heading": "bold", "plain": "", "dim": "dim", "good": "green", "bad": "bold red", "warn": "yellow",
}  # fmt: skip
_LABEL_WIDTH = 12
_NARROWEST = 20
_REFRESHES_PER_SECOND = 5


class TerminalReport:
    """A listener that writes the account to a console as it happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._account = Account()
        self._status: Status | None = None
        self._live = LiveStatus()

    def __call__(self, record: Record) -> None:
        """Show one event."""
        for line in self._account.lines(record):
            print_line(line, self._console)
        if self._console.is_terminal:
            self._live(record)
            self._show_status(record)

    def close(self) -> None:
        """Take the status line away and show the cursor again, however the run ended."""
        if self._status:
            self._status.stop()
            self._status = None

    def _show_status(self, record: Record) -> None:
        match record.event:
            case RunFinished():
                self.close()
            case Preparing(what=what):
                self._say(what)
            case RunStarted():
                self._say("beginning")
            case ScenarioStarted(name=name):
                self._say(name)
            case StepStarted() | StepFinished() as step:
                self._say(f"{record.where.scenario}: {_progress(step)}")
            case ScenarioFinished():
                self._say("between scenarios")
            case PauseStarted(seconds=seconds):
                self._say("next round", for_seconds=seconds)
            case FailureAwaited(seconds=seconds):
                self._say("nothing can fail" if seconds is None else "the next failure", for_seconds=seconds)
            case StopRequested():
                self._say("cleaning up")

    def _say(self, what: str, *, for_seconds: float | None = None) -> None:
        self._live.say(what, until=None if for_seconds is None else self._console.get_time() + for_seconds)
        if self._status is None:
            self._status = self._console.status(self._live, refresh_per_second=_REFRESHES_PER_SECOND)
            self._status.start()


def _progress(step: StepStarted | StepFinished) -> str:
    if isinstance(step, StepStarted):
        return f"step {step.index + 1} of {step.total}, {step.key}"
    return "waiting for what its steps set off"


def print_summary(summary: Summary, console: Console) -> None:
    """Print the closing summary in columns."""
    rows = summary_rows(summary)
    if rows:
        console.print()
        print_rows(rows, console)


def print_rows(rows: Iterable[Row], console: Console) -> None:
    """Print rows in columns."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(row.heading, plain(row.text, style=row.style))
    console.print(table)


def print_line(line: Line, console: Console, *, wraps: bool = True) -> None:
    """Print one line of an account; one that isn't wrapped is as long as it is, as programs like it."""
    console.print(_render(line, console, wraps=wraps), soft_wrap=True, highlight=False)


def _render(line: Line, console: Console, *, wraps: bool) -> Text:
    """A line wrapped inside its column, without blanks at its ends that would be copied along."""
    style = _STYLES[line.tone]
    if line.verbatim:
        return plain(line.text, style=style)
    if line.tone == "heading":
        return Text("\n").append_text(plain(line.text, style=style))
    margin = " " * (2 * line.depth + 1)
    label = plain(line.label, style=style or "dim")
    if line.label:
        label.append(" " * max(1, _LABEL_WIDTH + 1 - label.cell_len))
    head = Text(margin).append_text(label)
    text = plain(line.text, style=style if line.tone != "good" else "")
    if not wraps:
        return head.append_text(text)
    parts = text.wrap(console, max(_NARROWEST, console.width - head.cell_len), overflow="fold")
    for part in parts:
        part.rstrip()
    return head.append_text(Text("\n" + " " * head.cell_len).join(parts))
