"""The closing summary of a run: its rows, and how they stand in text without colours, in a pipe or a file.

`terminal` draws the same rows in columns. Nothing here needs more than strings: most runs have no terminal, and those
don't load what draws on one.
"""

from collections.abc import Iterable
from typing import NamedTuple

from seatrial.policy.wording import printable_lines
from seatrial.report.durations import duration
from seatrial.report.summary import Summary
from seatrial.runtime.verdict import Verdict

_VERDICT_STYLES = {Verdict.PASSED: "bold green", Verdict.FAILED: "bold red", Verdict.INCONCLUSIVE: "bold yellow"}


class Row(NamedTuple):
    """A row: what it is about, what it says, in which style where there are any."""

    heading: str
    text: str
    style: str = ""


def summary_rows(summary: Summary) -> list[Row]:
    """The verdict, then the figures, then how to reproduce it; none for a run that didn't finish."""
    finished = summary.finished
    if finished is None:
        return []
    rows = [Row("verdict", finished.verdict.upper(), _VERDICT_STYLES[finished.verdict])]
    rows += [Row("", reason) for reason in finished.reasons]
    rows += [Row("scenario", f"{name}: {_counts(verdicts)}") for name, verdicts in summary.scenarios.items()]
    rows += [Row(heading, text) for heading, text in summary.lines()]
    for each in summary.undo_failures:
        rows += [Row("NOT undone", f"{each.description}: {each.error}", "red"), Row("by hand", each.manual)]
    rounds = f"{finished.rounds} round{'' if finished.rounds == 1 else 's'}"
    seed = summary.started.seed if summary.started else "?"
    rows.append(Row("run", f"{rounds} in {duration(finished.duration_ms)}, seed {seed}"))
    return rows


def summary_text(summary: Summary) -> str:
    """An empty line, then a line a row, as long as it is."""
    text = rows_text(summary_rows(summary))
    return f"\n{text}" if text else ""


def rows_text(rows: Iterable[Row]) -> str:
    """A line a row, as long as it is."""
    return "".join(printable_lines(f"{row.heading:<10} {row.text}\n") for row in rows)


def _counts(verdicts: dict[Verdict, int]) -> str:
    if sum(verdicts.values()) == 1:
        return next(str(verdict) for verdict, count in verdicts.items() if count)
    return ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in Verdict if verdicts[verdict])
