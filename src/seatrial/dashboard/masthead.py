"""The first line of the dashboard: which cluster it is, whether experiments may run, what is to be undone, the time."""

from collections.abc import Iterable

import msgspec
from rich.text import Text
from textual.widgets import Static

from seatrial.dashboard.colours import BAD, CHANGING, GOING, QUIET, WAITING
from seatrial.report.plain import plain

_GAP = 2


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the line tells."""

    context: str
    server: str
    namespace: str = ""
    search: str = ""
    is_production: bool = False
    is_halted: bool = False
    standing: int = 0
    is_at_work: bool = False
    is_incomplete: bool = False
    time: str = ""


class Masthead(Static):
    """Draws the facts; what matters less goes first where the line is short."""

    def show(self, facts: Facts) -> None:
        """Draw anew."""
        self.update(masthead(facts, width=self.size.width or 80), layout=False)


def masthead(facts: Facts, *, width: int) -> Text:
    """The line, exactly so wide: names at the left, what is going on at the right."""
    right = _joined(_right(facts))
    left = list(_left(facts))
    while len(left) > 2 and _joined(part for part, _ in left).cell_len + right.cell_len + _GAP > width:
        left.remove(min(left, key=lambda each: each[1]))
    line = _joined(part for part, _ in left)
    line.truncate(max(0, width - right.cell_len - _GAP), overflow="ellipsis")
    line.append(" " * max(0, width - line.cell_len - right.cell_len))
    return line.append_text(right)


def _left(facts: Facts) -> Iterable[tuple[Text, int]]:
    """The parts, each with how much it matters."""
    yield Text(" seatrial ", style="bold"), 1
    context = plain(facts.context or "this cluster", style="bold")
    if facts.is_production:
        context.append(" PRODUCTION", style=f"bold {BAD}")
    yield context, 9
    yield plain(facts.server.removeprefix("https://"), style=QUIET), 0
    if facts.namespace:
        yield plain(f"namespace {facts.namespace}", style=WAITING), 8
    if facts.search:
        yield plain(f"/{facts.search}", style=WAITING), 8


def _right(facts: Facts) -> Iterable[Text]:
    if facts.is_incomplete:
        yield Text("! not all is seen", style=f"bold {CHANGING}")
    if facts.is_at_work:
        yield Text("at work", style=f"bold {GOING}")
    if facts.is_halted:
        yield Text("■ HALTED", style="bold white on red")
    if facts.standing:
        yield Text(f"↶ {facts.standing} to undo", style=f"bold {CHANGING}")
    else:
        yield Text("nothing to undo", style=QUIET)
    yield Text(f"{facts.time} ")


def _joined(parts: Iterable[Text]) -> Text:
    return Text("  ").join(parts)
