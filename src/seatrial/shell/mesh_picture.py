"""Goldpinger's graph as text: who reaches whom as a grid of marks, and how fast as a grid of figures or shades.

A colour never says anything alone: marks, figures and shades differ too. Where the grids don't fit, and in plain mode,
the calls that failed and the slowest ones are told in words.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from rich.text import Text

from seatrial.policy.wording import counted, printable
from seatrial.probes.goldpinger_graph import Call, Graph
from seatrial.probes.service_endpoints import ServiceAddress
from seatrial.report.durations import duration
from seatrial.shell.states import BAD, CHANGING, DONE, WELL
from seatrial.shell.table_layout import cut_in_the_middle

_ANSWERED, _FAILED, _NOT_CALLED = "✓", "✗", "-"
_SHADES = (
    (10.0, "·", WELL), (50.0, "░", WELL), (200.0, "▒", CHANGING), (1000.0, "▓", CHANGING), (float("inf"), "█", BAD),
)  # fmt: skip
_MOST_WORST = 10
_ROOM_FOR_NAMES = 16
_MARGIN = "  "

Cell = tuple[str, str]
"""A text of a few characters, and its style."""


class _Grid(msgspec.Struct, frozen=True, kw_only=True):
    """Each pod's calls in a row of their own, and what the marks mean."""

    legend: str
    cells: Sequence[Sequence[Cell]]

    @property
    def cell_width(self) -> int:
        """How many characters a column takes, with the gap before it."""
        return 1 + max(len(str(len(self.cells))), *(len(text) for row in self.cells for text, _ in row))

    @property
    def width(self) -> int:
        """How many it takes to draw it."""
        return len(_MARGIN) + len(str(len(self.cells))) + len(self.cells) * self.cell_width

    def lines(self, names: Sequence[str]) -> Iterator[Text]:
        """The grid under the numbers of its columns, each row with its number and name."""
        first = len(_MARGIN) + len(str(len(self.cells)))
        heading = "".join(str(number).rjust(self.cell_width) for number in range(1, len(self.cells) + 1))
        yield Text(self.legend, style=DONE)
        yield Text(" " * first + heading, style=DONE)
        for number, (row, name) in enumerate(zip(self.cells, names, strict=True), start=1):
            line = Text(str(number).rjust(first), style=DONE)
            for text, style in row:
                line.append(text.rjust(self.cell_width), style=style or "none")
            line.append(f"{_MARGIN}{name}", style="none")
            yield line


def mesh_lines(graph: Graph, *, places: Mapping[str, str], width: int | None, in_words: bool) -> Iterator[Text]:
    """The picture of a graph; `places` says of a pod where it is. Without a `width` it may be as wide as it likes."""
    yield Text(_summary(graph), style=BAD if graph.failed or graph.silent else "")
    names = pods_of(graph)
    marks = _grid(graph, _mark, f"a row calls, a column is called:  {_ANSWERED} answered   {_common_legend()}")
    figures = _grid(graph, _figure, f"delays in ms:  {_common_legend()}")
    shades = _grid(graph, _shade, f"delays in ms:  {_shades_legend()}")
    room = None if width is None else width - _ROOM_FOR_NAMES
    if names and not in_words and (room is None or marks.width <= room):
        rows = [printable(_name_and_place(name, graph, places)) for name in names]
        delays = figures if room is None or figures.width <= room else shades
        for grid in (marks, delays):
            left = None if width is None else width - grid.width - len(_MARGIN)
            yield Text()
            yield from grid.lines([row if left is None else cut_in_the_middle(row, left) for row in rows])
        yield from _calls_in_words("failed", graph.failed, {})
    elif names:
        yield from _calls_in_words("failed", graph.failed, places)
        slowest = sorted((call for call in graph.calls if call.ok), key=lambda call: -(call.ms or 0.0))
        yield from _calls_in_words("slowest", slowest[:_MOST_WORST], places)


def pods_of(graph: Graph) -> Sequence[str]:
    """The pods of a graph, in the order of their numbers, which begin with 1: also those that are only called."""
    return sorted({*graph.instances, *(call.peer for call in graph.calls)})


def _name_and_place(name: str, graph: Graph, places: Mapping[str, str]) -> str:
    if name not in graph.instances:
        return f"{name}  (only called)"
    return f"{name}  {places[name]}" if places.get(name) else name


def _summary(graph: Graph) -> str:
    failed = len(graph.failed)
    words = f"{counted(len(graph.instances), 'instance')}, {counted(len(graph.calls), 'call')}"
    if graph.calls:
        words += f", {failed} failed" if failed else ", all answered"
    slowest = max((call.ms for call in graph.calls if call.ms is not None), default=None)
    if slowest is not None:
        words += f", the slowest within {duration(slowest)}"
    silent = "".join(f"; {name} could not be asked: {why}" for name, why in graph.silent.items())
    return printable(words + silent)


def _grid(graph: Graph, cell: Callable[[Call | None], Cell], legend: str) -> _Grid:
    names = pods_of(graph)
    calls = {(call.caller, call.peer): call for call in graph.calls}
    return _Grid(legend=legend, cells=[[cell(calls.get((caller, peer))) for peer in names] for caller in names])


def _mark(call: Call | None) -> Cell:
    if call is None:
        return _NOT_CALLED, DONE
    return (_ANSWERED, WELL) if call.ok else (_FAILED, BAD)


def _shade(call: Call | None) -> Cell:
    if call is None or call.ms is None:
        return _mark(call)
    milliseconds = call.ms
    return next((shade, style) for limit, shade, style in _SHADES if milliseconds < limit)


def _figure(call: Call | None) -> Cell:
    if call is None or call.ms is None:
        return _mark(call)
    return f"{call.ms:.0f}", _shade(call)[1]


def _common_legend() -> str:
    return f"{_FAILED} failed   {_NOT_CALLED} not called"


def _shades_legend() -> str:
    limits = [f"{shade} under {limit:g}" for limit, shade, _ in _SHADES[:-1]]
    return "   ".join([*limits, f"{_SHADES[-1][1]} slower"])


def _calls_in_words(label: str, calls: Sequence[Call], places: Mapping[str, str]) -> Iterator[Text]:
    """Some calls, one a line, the first ones if there are many."""
    for call in calls[:_MOST_WORST]:
        ends = [f"{name} ({places[name]})" if places.get(name) else name for name in (call.caller, call.peer)]
        what = duration(call.ms) if call.ms is not None else call.error
        yield Text(printable(f"{label}: {' calls '.join(ends)}: {what}"), style="" if call.ok else BAD)
    if len(calls) > _MOST_WORST:
        yield Text(f"and {len(calls) - _MOST_WORST} more that {label}", style=DONE)


def graph_as_data(graph: Graph, service: ServiceAddress, *, via: str) -> dict[str, Any]:
    """A graph as `--output json` prints it."""
    return {
        "service": service.name,
        "namespace": service.namespace,
        "port": service.port,
        "via": via,
        "instances": list(graph.instances),
        "failed": len(graph.failed),
        "calls": [
            {"from": call.caller, "to": call.peer, "ok": call.ok, "ms": call.ms, "error": call.error or None}
            for call in graph.calls
        ],
        "notAsked": [{"name": name, "error": why} for name, why in graph.silent.items()],
    }
