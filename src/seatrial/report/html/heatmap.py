"""One look at goldpinger's graph as a grid: who calls in a row, who is called in a column, and how long it took."""

from collections.abc import Iterator, Mapping

from markupsafe import Markup

from seatrial.report.run_report.model import MeshLook, MeshMoment
from seatrial.report.svg import picture, rectangle, text
from seatrial.report.words import milliseconds

_SHADES = (10.0, 50.0, 200.0, 1000.0)
_MARGIN = 26
_MOMENTS: Mapping[MeshMoment, str] = {
    "before": "before the change", "during": "while it lasted", "end": "at the end of the steps", "after": "after it",
}  # fmt: skip


def heatmap(look: MeshLook, *, name: str) -> Markup | None:
    """The picture; None where the look has no calls one by one."""
    count = len(look.names)
    if not count:
        return None
    cell = 44 if count <= 8 else 30
    failed = set(look.failed)
    size = _MARGIN + count * cell + 4
    return picture(
        *_numbers(count, cell),
        *(part for row in range(count) for column in range(count) for part in _cell(look, row, column, cell, failed)),
        width=size,
        height=size,
        name=name,
        title=f"Calls between goldpinger's instances, {_MOMENTS[look.moment]}",
        description=" ".join(_in_words(look)),
        class_="heatmap",
    )


def _numbers(count: int, cell: int) -> Iterator[Markup]:
    for number in range(count):
        middle = _MARGIN + number * cell + cell / 2
        yield text(middle, _MARGIN - 8, str(number + 1), "tick", anchor="middle")
        yield text(_MARGIN - 8, middle + 4, str(number + 1), "tick", anchor="end")


def _cell(look: MeshLook, row: int, column: int, cell: int, failed: set[str]) -> Iterator[Markup]:
    caller, callee, ms = look.names[row], look.names[column], look.calls_ms[row][column]
    x, y = _MARGIN + column * cell, _MARGIN + row * cell
    if f"{caller} -> {callee}" in failed:
        shade, said, hint = "fails", "✗", "failed"
    elif ms is None:
        shade, said, hint = "unseen", "·", "not seen"
    else:
        shade, said, hint = f"shade{sum(ms >= each for each in _SHADES)}", f"{ms:.0f}", milliseconds(ms)
    yield rectangle(x, y, cell - 2, cell - 2, f"cell {shade}", hint=f"{caller} to {callee}: {hint}")
    yield text(x + cell / 2 - 1, y + cell / 2 + 3, said, f"cell-text {shade}", anchor="middle")


def _in_words(look: MeshLook) -> Iterator[str]:
    yield f"{look.instances} instances; {look.pairs - len(look.failed)} of {look.pairs} calls succeed."
    if look.slowest_ms is not None:
        yield f"The slowest took {milliseconds(look.slowest_ms)}."
    if look.failed:
        yield f"Failed: {', '.join(look.failed[:10])}{', ...' if len(look.failed) > 10 else ''}."
