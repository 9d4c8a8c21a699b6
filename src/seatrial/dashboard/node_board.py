"""The board on the screen: a line for each node, a cell for each of its pods; one of them is chosen.

Only what is in sight is drawn, so that a big cluster costs what a small one does.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from seatrial.by_hand.live.nodes import LiveNode
from seatrial.dashboard.board import UNSCHEDULED, Board, NodeRow, PodKey, Shown, ZoneRow
from seatrial.dashboard.cells import PodState
from seatrial.dashboard.colours import BAD, CHANGING, QUIET, WAITING, WELL
from seatrial.policy.wording import counted, printable

_NARROWEST_NAME, _WIDEST_NAME = 8, 40
_SHARE_OF_NAMES = 0.3
_STATE_WIDTH = 12
_COUNT_WIDTH = 4
_PLAIN, _BOLD, _QUIET, _CHOSEN = Style(), Style(bold=True), Style(color=QUIET), Style(reverse=True)
_UNWELL = (PodState.FAILING, PodState.NOT_READY)
"""What is told also of pods that are out of sight."""
_STYLES = {state: Style.parse(state.value.style) for state in PodState}

_Line = Iterator[tuple[str, Style]]
"""The parts of a line, each with its style."""


class NodeBoard(ScrollView, can_focus=True):
    """Draws a `Board`; `chosen_node` and `chosen_pod` are what keys act on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move_node(-1)", "node above", show=False),
        Binding("down", "move_node(1)", "node below", show=False),
        Binding("pageup", "move_page(-1)", "page up", show=False),
        Binding("pagedown", "move_page(1)", "page down", show=False),
        Binding("left", "move_pod(-1)", "pod before", show=False),
        Binding("right", "move_pod(1)", "next pod", show=False),
        Binding("home", "move_node(-1000000)", "first node", show=False),
        Binding("end", "move_node(1000000)", "last node", show=False),
    ]

    class Chosen(Message):
        """Another node or pod is chosen, or the chosen one has changed."""

    def __init__(self, board: Board, *, id: str | None = None) -> None:  # noqa: A002 -- textual's word
        super().__init__(id=id)
        self._board = board
        self.rows: Sequence[ZoneRow | NodeRow] = ()
        """What is drawn, line by line."""
        self._line = 0
        self._pod: PodKey | None = None
        self._pod_index = -1
        self._node = ""
        self._cell_width = 1

    @property
    def chosen_node(self) -> NodeRow | None:
        """The node whose line is chosen."""
        row = self.rows[self._line] if self._line < len(self.rows) else None
        return row if isinstance(row, NodeRow) else None

    @property
    def chosen_pod(self) -> Shown | None:
        """The pod that is chosen on that line; None where the node itself is."""
        row = self.chosen_node
        if row is None or not 0 <= self._pod_index < len(row.pods):
            return None
        return row.pods[self._pod_index]

    def take_in(self) -> None:
        """Draw what the board holds by now; what was chosen stays so where it is still there."""
        self.rows = self._board.rows()
        most = max((len(row.pods) for row in self.rows if isinstance(row, NodeRow)), default=0)
        self._cell_width = 2 if 2 * most <= self._room else 1
        self._find_node()
        self._find_pod()
        self.virtual_size = Size(self.size.width, len(self.rows))
        self.refresh()
        self.post_message(self.Chosen())

    def render_line(self, y: int) -> Strip:
        """One line."""
        number = y + self.scroll_offset.y
        if number >= len(self.rows):
            return Strip.blank(self.size.width, self.rich_style)
        row = self.rows[number]
        base = self.rich_style
        line = _zone_line(row) if isinstance(row, ZoneRow) else self._node_line(row, is_chosen=number == self._line)
        segments = [Segment(text, base + style) for text, style in line]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def action_move_node(self, by: int) -> None:
        """Choose a node further up or down."""
        lines = [number for number, row in enumerate(self.rows) if isinstance(row, NodeRow)]
        if not lines:
            return
        here = lines.index(self._line) if self._line in lines else 0
        there = max(0, min(len(lines) - 1, here + by))
        if there == here:
            if there == 0:
                self.scroll_to(y=0, animate=False)  # so that the heading above can be seen
            return
        self._line = lines[there]
        self._node = self._row_at(self._line).name
        self._choose_pod(min(self._pod_index, len(self._row_at(self._line).pods) - 1))

    def action_move_page(self, by: int) -> None:
        """Choose a node a screen further up or down."""
        self.action_move_node(by * max(1, self.size.height - 1))

    def action_move_pod(self, by: int) -> None:
        """Choose a pod further left or right; left of the first is the node itself."""
        row = self.chosen_node
        if row is not None:
            self._choose_pod(max(-1, min(len(row.pods) - 1, self._pod_index + by)))

    def on_click(self, event: Click) -> None:
        """Choose what was clicked on."""
        place = event.get_content_offset(self)
        if place is None or not 0 <= (number := place.y + self.scroll_offset.y) < len(self.rows):
            return
        row = self.rows[number]
        if not isinstance(row, NodeRow):
            return
        first, shown, _ = self._window(row, is_chosen=number == self._line)
        cell = (place.x - self._margin) // self._cell_width
        self._line, self._node = number, row.name
        self._choose_pod(first + cell if 0 <= cell < shown else -1)

    @property
    def _name_width(self) -> int:
        longest = max((len(row.name) for row in self.rows if isinstance(row, NodeRow)), default=0)
        widest = min(_WIDEST_NAME, int(self.size.width * _SHARE_OF_NAMES))
        return max(_NARROWEST_NAME, min(longest, widest), len("no node"))

    @property
    def _margin(self) -> int:
        """How many columns stand before the first cell."""
        return 2 + self._name_width + 1 + _STATE_WIDTH + _COUNT_WIDTH + 2

    @property
    def _room(self) -> int:
        """How many columns there are for cells."""
        return max(1, self.size.width - self._margin)

    def _row_at(self, line: int) -> NodeRow:
        row = self.rows[line]
        assert isinstance(row, NodeRow)  # noqa: S101 -- for the type checker
        return row

    def _choose_pod(self, index: int) -> None:
        self._pod_index = index
        chosen = self.chosen_pod
        self._pod = chosen.key if chosen else None
        self.scroll_to_region(Region(0, self._line, 1, 1), animate=False)
        self.refresh()
        self.post_message(self.Chosen())

    def _find_node(self) -> None:
        lines = [number for number, row in enumerate(self.rows) if isinstance(row, NodeRow)]
        same = next((number for number in lines if self._row_at(number).name == self._node), None)
        if same is None:
            same = min(lines, key=lambda number: abs(number - self._line), default=0)
            self._node = self._row_at(same).name if lines else ""
        self._line = same

    def _find_pod(self) -> None:
        row = self.chosen_node
        if row is None or self._pod is None:
            self._pod_index = -1
            return
        keys = [shown.key for shown in row.pods]
        if self._pod in keys:
            self._pod_index = keys.index(self._pod)
            return
        # It has gone: nothing is chosen in its place, so that a second `k` does not hit a neighbour.
        self._pod, self._pod_index = None, -1

    def _node_line(self, row: NodeRow, *, is_chosen: bool) -> _Line:
        name = row.name or "no node"
        width = self._name_width
        short = name if len(name) <= width else f"{name[: width - 1]}…"
        is_cursor = is_chosen and self.chosen_pod is None and self.has_focus
        yield "▸ " if is_chosen else "  ", _BOLD
        yield short, _BOLD + _CHOSEN if is_cursor else _BOLD if is_chosen else _PLAIN
        yield " " * (width - len(short) + 1), _PLAIN
        word, style = _state_of(row.node, name=row.name)
        yield word.ljust(_STATE_WIDTH), style
        yield f"{len(row.pods):>{_COUNT_WIDTH}}  ", _QUIET
        yield from self._cells(row, is_chosen=is_chosen)

    def _cells(self, row: NodeRow, *, is_chosen: bool) -> _Line:
        first, shown, left = self._window(row, is_chosen=is_chosen)
        cursor = self._pod_index if is_chosen else -1
        gap = " " * (self._cell_width - 1)
        cells = ((each.state, first + at == cursor) for at, each in enumerate(row.pods[first : first + shown]))
        for (state, is_cursor), alike in groupby(cells):
            mark = state.value.mark
            if is_cursor:
                yield mark, _STYLES[state] + _CHOSEN
                yield gap, _PLAIN
            else:
                yield f"{mark}{gap}" * len(list(alike)), _STYLES[state]
        if left:
            yield f" +{left}", _QUIET
            states = {each.state for each in (*row.pods[:first], *row.pods[first + shown :])}
            yield from ((f" {state.value.mark}", _STYLES[state]) for state in _UNWELL if state in states)

    def _window(self, row: NodeRow, *, is_chosen: bool) -> tuple[int, int, int]:
        """The first cell in sight, how many are, and how many are not."""
        pods, room = len(row.pods), max(1, self._room // self._cell_width)
        if pods <= room:
            return 0, pods, 0
        room = max(1, room - len(f" +{pods}" + " ✗" * len(_UNWELL)))
        first = max(0, min(self._pod_index - room // 2, pods - room)) if is_chosen else 0
        return first, room, pods - room


def _zone_line(row: ZoneRow) -> _Line:
    is_whole = row.ready == row.nodes
    yield printable(row.zone or "no zone"), Style(bold=True, color=WAITING if is_whole else CHANGING)
    yield f"  {counted(row.nodes, 'node')}, {row.ready} Ready", _QUIET if is_whole else Style(color=CHANGING)


def _state_of(node: LiveNode | None, *, name: str) -> tuple[str, Style]:
    if name == UNSCHEDULED:
        return "◌ waiting", Style(color=WAITING)
    if node is None:
        return "? not seen", Style(color=CHANGING)
    if not node.is_ready:
        return f"✗ {'NotReady' if node.is_schedulable else 'NotReady ⊘'}", Style(bold=True, color=BAD)
    return ("✓ Ready", Style(color=WELL)) if node.is_schedulable else ("⊘ cordoned", Style(color=CHANGING))
