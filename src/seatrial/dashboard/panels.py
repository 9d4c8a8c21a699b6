"""The panels beside the board: how soon owners recover, and which experiments run on this cluster."""

from collections.abc import Callable, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Static

from seatrial.by_hand.deeds import Deed, Standing
from seatrial.dashboard.colours import BAD, CHANGING, GOING, QUIET, WELL
from seatrial.dashboard.experiments import Others
from seatrial.dashboard.recoveries import Recoveries
from seatrial.policy.wording import counted
from seatrial.report.durations import duration
from seatrial.report.plain import plain
from seatrial.runtime.halt import HaltMark

_BARS = "▁▂▃▄▅▆▇█"
_BARS_SHOWN = 8


class Panel(VerticalScroll):
    """A framed text that scrolls where it is longer than its place."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 -- textual's word
        self._text = Static()
        self._shown: object = None
        super().__init__(self._text, id=id)

    def show(self, facts: object, draw: Callable[[], RenderableType]) -> None:
        """Draw anew, but only where the facts are others than before: it may move the whole screen."""
        if facts != self._shown:
            self._shown = facts
            self._text.update(draw())


def recovery_table(recoveries: Sequence[Recoveries]) -> RenderableType:
    """Each owner with its last recovery, the median, and a bar for each of the last ones."""
    if not recoveries:
        return Text("No pod has been replaced while this was open.", style=QUIET)
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style=QUIET, pad_edge=False)
    table.add_column("of", ratio=1, no_wrap=True, overflow="ellipsis")
    for heading in ("last", "median", "n"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=_BARS_SHOWN)
    for each in recoveries:
        last, median = duration(each.last * 1000), duration(each.median * 1000)
        bars = Text(bars_of(each.seconds[-_BARS_SHOWN:]), style=WELL)
        table.add_row(plain(each.of), last, Text(median, style="bold"), str(len(each.seconds)), bars)
    return table


def bars_of(seconds: Sequence[float]) -> str:
    """Times as bars, the longest of them full."""
    most = max(seconds, default=0) or 1
    return "".join(_BARS[min(len(_BARS) - 1, int(each / most * len(_BARS)))] for each in seconds)


def experiments_table(mark: HaltMark | None, deeds: Sequence[Deed], others: Others) -> RenderableType:
    """Whether experiments may run, what this session did, and what others do to this cluster."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    may_run = "experiments may run" if mark is None else str(mark)
    style = WELL if mark is None else f"bold {BAD}"
    table.add_row(Text("●" if mark is None else "■", style=style), plain(may_run, style=style))
    table.add_row("", Text("This session", style="bold"))
    for deed in reversed(deeds):
        table.add_row(*_deed(deed))
    if not deeds:
        table.add_row("", Text("has done nothing so far", style=QUIET))
    table.add_row("", Text("Others", style="bold"))
    for run in others.runs:
        table.add_row("·", plain(run))
    for holder, objects in others.marked.items():
        words = f"run {holder} holds {counted(len(objects), 'object')}"
        table.add_row("·", plain("\n".join([words, *(f"  {each}" for each in objects)]), style=CHANGING))
    if not (others.runs or others.marked):
        table.add_row("", Text("none that could be seen" if others.unseen else "none", style=QUIET))
    for unseen in others.unseen:
        table.add_row("!", plain(f"not seen: {unseen}", style=CHANGING))
    return table


_OF_DEEDS = {
    Standing.BEING_DONE: ("▶", f"bold {GOING}"),
    Standing.STANDS: ("↶", f"bold {CHANGING}"),
    Standing.UNDONE: ("✓", WELL),
    Standing.NOT_UNDONE: ("✗", f"bold {BAD}"),
}


def _deed(deed: Deed) -> tuple[Text, Text]:
    mark, style = _OF_DEEDS.get(deed.standing, ("✓", ""))
    outcome = deed.outcome_so_far
    verdict = f", {outcome.verdict}" if outcome is not None and not outcome.passed else ""
    words = Text().append_text(plain(f"{deed.number} {deed.order.title}"))
    return Text(mark, style=style), words.append(f"  {deed.standing}{verdict}", style=QUIET)
