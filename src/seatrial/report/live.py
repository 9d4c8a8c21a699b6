"""What stands below the account while an experiment goes on: what it does, how its rounds came out, its objectives.

It is drawn anew by the console, so that a pause counts down by itself. Every line leaves some columns of the terminal
free: a terminal shows `^C` where the cursor is, and lines that were full then would no longer be where they are erased.
"""

from collections import Counter

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

from seatrial.policy.wording import counted, printable
from seatrial.report.durations import duration
from seatrial.report.objectives import STYLES, ObjectiveBoard, figures, mark, standing, worst_first
from seatrial.runtime.events import Record, RoundStarted, ScenarioFinished
from seatrial.runtime.verdict import Verdict

_MOST_OBJECTIVES = 5
_NARROWEST = 20
_FREE = 4
_LONGEST_LABEL = 34
_LONGEST_FIGURES = 26
_LONGEST_HISTORY = 24
_SHORTEST_HISTORY = 3


class LiveStatus:
    """A listener that rich can draw: `doing` is what goes on at the moment."""

    def __init__(self) -> None:
        self.doing = ""
        self.board = ObjectiveBoard()
        self._round = 0
        self._verdicts: Counter[Verdict] = Counter()
        self._until: float | None = None

    def __call__(self, record: Record) -> None:
        """Take in one event."""
        self.board(record)
        match record.event:
            case RoundStarted(number=number):
                self._round = number
            case ScenarioFinished(verdict=verdict):
                self._verdicts[verdict] += 1

    def say(self, doing: str, *, until: float | None = None) -> None:
        """Show what goes on; `until` is when it ends, by the console's clock."""
        self.doing = doing
        self._until = until

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """How wide it may be: what is around it fills its lines with blanks up to there."""
        return Measurement(_NARROWEST, _width(console, options))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines of the moment."""
        width = _width(console, options)
        plain = not (console.encoding or "").lower().startswith("utf")
        for line in (self._activity(console), *self._rounds(), *self._objectives(width, plain=plain)):
            line.truncate(width, overflow="crop" if plain else "ellipsis")
            line.no_wrap = True
            yield line

    def _activity(self, console: Console) -> Text:
        left = "" if self._until is None else f" {_countdown(self._until - console.get_time())}"
        return Text(printable(self.doing + left), style="dim")

    def _rounds(self) -> list[Text]:
        if self._round < 2 and not self.board.judged:
            return []
        came_out = ", ".join(f"{self._verdicts[verdict]} {verdict}" for verdict in _ORDER if self._verdicts[verdict])
        return [Text(f"round {self._round}: {came_out or 'none finished yet'}", style="dim")]

    def _objectives(self, width: int, *, plain: bool) -> list[Text]:
        judged = worst_first((scenario, each) for (scenario, _), each in self.board.judged.items())
        shown = [(scenario, each, printable(each.objective), figures(each)) for scenario, each in judged]
        shown, hidden = shown[:_MOST_OBJECTIVES], shown[_MOST_OBJECTIVES:]
        label_width = min(_LONGEST_LABEL, max((len(label) for _, _, label, _ in shown), default=0))
        figures_width = min(_LONGEST_FIGURES, max((len(known) for _, _, _, known in shown), default=0))
        standing_width = max((len(standing(each)) for _, each, _, _ in shown), default=0)
        lines = []
        for scenario, each, label, known in shown:
            line = Text(mark(each.status, plain=plain), style=STYLES[each.status])
            line.append(f" {_fitted(label, label_width)}  ", style="default not bold")
            line.append(f"{_fitted(known, figures_width)}  {standing(each):<{standing_width}}", style="dim not bold")
            room = min(_LONGEST_HISTORY, width - line.cell_len - 2)
            if room >= _SHORTEST_HISTORY:
                history = self.board.history(scenario, each, plain=plain, most=room)
                line.append(f"  {history}", style="default not bold")
            line.rstrip()
            lines.append(line)
        if hidden:
            lines.append(Text(f"and {counted(len(hidden), 'objective')} more", style="dim"))
        return lines


_ORDER = (Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE)


def _width(console: Console, options: ConsoleOptions) -> int:
    return max(_NARROWEST, min(options.max_width, console.width - _FREE))


def _fitted(text: str, width: int) -> str:
    """Exactly so wide, or less where nothing is lost."""
    return f"{text:<{width}}" if len(text) <= width else f"{text[: width - 3]}..."


def _countdown(seconds: float) -> str:
    return f"in {max(0.0, seconds):.0f} s" if seconds < 60 else f"in {duration(seconds * 1000)}"
