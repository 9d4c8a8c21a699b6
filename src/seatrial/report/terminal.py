"""The live account of a run on a terminal, and the closing summary anywhere.

Lines of `account` scroll by; below them a status line tells what is going on. Colours and the status line appear on a
terminal only; the summary is plain text elsewhere.
"""

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from seatrial.report.account import Account, Line, Tone
from seatrial.report.durations import duration
from seatrial.report.plain import plain
from seatrial.report.summary import Summary
from seatrial.runtime.events import (
    PauseStarted,
    Preparing,
    Record,
    RunFinished,
    RunStarted,
    ScenarioFinished,
    ScenarioStarted,
    StepStarted,
    StopRequested,
)
from seatrial.runtime.verdict import Verdict

_STYLES: dict[Tone, str] = {
    "heading": "bold", "plain": "", "dim": "dim", "good": "green", "bad": "bold red", "warn": "yellow",
}  # fmt: skip
_VERDICT_STYLES = {Verdict.PASSED: "bold green", Verdict.FAILED: "bold red", Verdict.INCONCLUSIVE: "bold yellow"}
_LABEL_WIDTH = 10


class TerminalReport:
    """A listener that writes the account to a console as it happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._account = Account()
        self._status: Status | None = None

    def __call__(self, record: Record) -> None:
        """Show one event."""
        for line in self._account.lines(record):
            self._console.print(_render(line), soft_wrap=False, highlight=False)
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
            case StepStarted(index=index, key=key, total=total):
                self._say(f"{record.where.scenario}: step {index + 1} of {total}, {key}")
            case ScenarioFinished():
                self._say("between scenarios")
            case PauseStarted(seconds=seconds):
                self._say(f"pausing for {seconds:.0f} s")
            case StopRequested():
                self._say("cleaning up")

    def _say(self, what: str) -> None:
        if not self._console.is_terminal:
            return
        text = plain(what, style="dim")
        if self._status is None:
            self._status = self._console.status(text)
            self._status.start()
        else:
            self._status.update(text)


def print_summary(summary: Summary, console: Console) -> None:
    """Print the closing summary: the verdict, then the figures; in columns on a terminal, in long lines elsewhere."""
    finished = summary.finished
    if finished is None:
        return
    rows = [("verdict", finished.verdict.upper(), _VERDICT_STYLES[finished.verdict])]
    rows += [("", reason, "") for reason in finished.reasons]
    rows += [("scenario", f"{name}: {_counts(verdicts)}", "") for name, verdicts in summary.scenarios.items()]
    rows += [(heading, text, "") for heading, text in summary.lines()]
    for each in summary.undo_failures:
        rows += [("NOT undone", f"{each.description}: {each.error}", "red"), ("by hand", each.manual, "")]
    rounds = f"{finished.rounds} round{'' if finished.rounds == 1 else 's'}"
    seed = summary.started.seed if summary.started else "?"
    rows.append(("run", f"{rounds} in {duration(finished.duration_ms)}, seed {seed}", ""))
    console.print()
    if not console.is_terminal:
        for heading, text, _ in rows:
            console.print(plain(f"{heading:<9} {text}"), soft_wrap=True)
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for heading, text, style in rows:
        table.add_row(heading, plain(text, style=style))
    console.print(table)


def _counts(verdicts: "dict[Verdict, int]") -> str:
    if sum(verdicts.values()) == 1:
        return next(str(verdict) for verdict, count in verdicts.items() if count)
    return ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in Verdict if verdicts[verdict])


def _render(line: Line) -> Table | Text:
    style = _STYLES[line.tone]
    if line.tone == "heading":
        return Text("\n").append_text(plain(line.text, style=style))
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=2 * line.depth)
    grid.add_column(width=_LABEL_WIDTH if line.label else 0, no_wrap=True)
    grid.add_column(overflow="fold")
    text_style = style if line.tone != "good" else ""
    grid.add_row("", plain(line.label, style=style or "dim"), plain(line.text, style=text_style))
    return grid
