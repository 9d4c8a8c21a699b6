"""The first line of the dashboard: which cluster it is, whether experiments may run, what is to be undone, the time."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from rich.text import Text
from textual.widgets import Static

from seatrial.dashboard.colours import BAD, CHANGING, DEEP, GOING, QUIET, WAITING
from seatrial.report.plain import plain

_GAP = 2
_STAYS = 9


class _Part(NamedTuple):
    """A part of the line; where it is too long, what matters least goes first, and some of it stays."""

    text: Text
    matters: int = _STAYS


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
    left, right = list(_left(facts)), list(_right(facts))
    while _length(left) + _length(right) + _GAP > width:
        side = min((left, right), key=lambda parts: min((part.matters for part in parts), default=_STAYS))
        least = min(side, key=lambda part: part.matters)
        if least.matters == _STAYS:
            break
        side.remove(least)
    line, end = Text(" ").append_text(_joined(left)), _joined(right).append(" ")
    line.truncate(max(0, width - end.cell_len - _GAP), overflow="ellipsis")
    line.append(" " * max(0, width - line.cell_len - end.cell_len))
    return line.append_text(end)


def _left(facts: Facts) -> Iterable[_Part]:
    yield _Part(Text("seatrial ", style="bold"), 1)
    context = plain(facts.context or "this cluster", style="bold")
    if facts.is_production:
        context.append(" PRODUCTION", style=f"bold {BAD}")
    yield _Part(context)
    yield _Part(plain(facts.server.removeprefix("https://"), style=QUIET), 0)
    if facts.namespace:
        yield _Part(plain(f"namespace {facts.namespace}", style=WAITING), 4)
    if facts.search:
        yield _Part(plain(f"/{facts.search}", style=WAITING), 4)


def _right(facts: Facts) -> Iterable[_Part]:
    if facts.is_incomplete:
        yield _Part(Text("! not all is seen", style=f"bold {CHANGING}"), 4)
    if facts.is_at_work:
        yield _Part(Text("at work", style=f"bold {GOING}"))
    if facts.is_halted:
        yield _Part(Text(" ■ HALTED ", style=f"bold {DEEP} on {BAD}"))
    if facts.standing:
        yield _Part(Text(f"↶ {facts.standing} to undo", style=f"bold {CHANGING}"))
    else:
        yield _Part(Text("nothing to undo", style=QUIET), 2)
    yield _Part(Text(facts.time), 3)


def _length(parts: Sequence[_Part]) -> int:
    return _joined(parts).cell_len + 1  # the blank at the edge of the window


def _joined(parts: Iterable[_Part]) -> Text:
    return Text("  ").join(part.text for part in parts)
