"""How a table fits into a window: the least important columns go first, and only then are long cells cut.

Nothing is drawn but text and blanks, so that a table can be read aloud, copied and cut apart by programs. Without a
width (a file, a pipe) nothing is left out.
"""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from rich.cells import cell_len, chop_cells

from seatrial.policy.wording import printable
from seatrial.shell.tables import Column, Table

_GAP = 2
_NARROWEST = 8
_ELLIPSIS = "…"

Piece = tuple[str, str]
"""A part of a line, and its style."""


def laid_out(table: Table, *, width: int | None) -> Iterator[Sequence[Piece]]:
    """The lines of a table, its heading first, none wider than `width`.

    Worked out column by column, which for ten thousand rows is several times as quick as cell by cell.
    """
    values = [(each, [row.get(each.key) for row in table.rows]) for each in table.columns]
    known = [(column, of_it) for column, of_it in values if not column.optional or any(map(_has, of_it))]
    shown = [[column.heading, *(printable(column.show(value)) for value in of_it)] for column, of_it in known]
    widths = [max(map(_cells, cells)) for cells in shown]
    kept = _kept([column for column, _ in known], widths, width)
    columns = [known[index][0] for index in kept]
    styles = [["dim", *map(column.style, of_it)] for column, of_it in (known[index] for index in kept)]
    fitting = _fitting(columns, [widths[index] for index in kept], width)
    cells = [_padded(shown[index], column, room) for index, column, room in zip(kept, columns, fitting, strict=True)]
    for row, of_row in zip(zip(*cells, strict=True), zip(*styles, strict=True), strict=True):
        for line in _wrapped(row, fitting) if any("\n" in cell for cell in row) else (row,):
            yield _pieces(line, of_row)


def cut_in_the_middle(text: str, width: int) -> str:
    """A text of at most that many cells: the beginning and the end of a name tell more than its middle."""
    if _cells(text) <= width:
        return text
    if width <= 1:
        return _ELLIPSIS[:width]
    tail = (width - 1) // 2
    return _first_cells(text, width - 1 - tail) + _ELLIPSIS + _last_cells(text, tail)


def _first_cells(text: str, width: int) -> str:
    return chop_cells(text, width)[0] if width > 0 else ""


def _last_cells(text: str, width: int) -> str:
    return _first_cells(text[::-1], width)[::-1]


def _has(value: object) -> bool:
    return value not in (None, "", [], ())


def _whole(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _kept(columns: Sequence[Column], widths: Sequence[int], width: int | None) -> list[int]:
    """Which columns stay, by their places."""
    kept = list(range(len(columns)))
    while width is not None and _whole([widths[index] for index in kept]) > width:
        least = max(kept, key=lambda index: (columns[index].drop, index))
        if not columns[least].drop:
            break
        kept.remove(least)
    return kept


def _fitting(columns: Sequence[Column], widths: list[int], width: int | None) -> list[int]:
    """The widths with the widest columns of text made narrower, cell by cell, until the whole fits."""
    while width is not None and _whole(widths) > width:
        widest = max(range(len(widths)), key=lambda index: (columns[index].align == "left", widths[index]))
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    return widths


def _padded(texts: Sequence[str], column: Column, width: int) -> Sequence[str]:
    """The cells of a column, each as wide as that; several lines of one that wraps."""
    is_right, shortened = column.align == "right", _fold if column.wraps else cut_in_the_middle
    padded = []
    for text in texts:
        shown = text if _cells(text) <= width else shortened(text, width)
        blanks = " " * (width - _cells(shown.rpartition("\n")[2]))
        padded.append(blanks + shown if is_right else shown + blanks)
    return padded


def _fold(text: str, width: int) -> str:
    """A text in lines of at most so many cells, at its blanks where that is possible; printable texts have no lines."""
    if text.isascii():
        return "\n".join(part.ljust(width) for part in textwrap.wrap(text, width))
    return "\n".join(part + " " * (width - _cells(part)) for part in chop_cells(text, width))


def _wrapped(row: Sequence[str], widths: Sequence[int]) -> Iterator[Sequence[str]]:
    """The lines of a row of which some cells have several."""
    lines = zip_longest(*(cell.split("\n") for cell in row))
    for line in lines:
        yield [" " * width if cell is None else cell for cell, width in zip(line, widths, strict=True)]


def _pieces(cells: Sequence[str], styles: Sequence[str]) -> Sequence[Piece]:
    """One line: what has no style of its own is one piece with its neighbours; no line ends with blanks."""
    pieces: list[Piece] = []
    plain = ""
    for index, (cell, style) in enumerate(zip(cells, styles, strict=True)):
        gap = " " * _GAP if index else ""
        if not style:
            plain += gap + cell
            continue
        pieces += [(plain + gap, ""), (cell, style)]
        plain = ""
    pieces.append((plain, ""))
    while pieces and not pieces[-1][0].strip():
        pieces.pop()
    if pieces:
        text, style = pieces[-1]
        pieces[-1] = (text.rstrip(), style)
    return pieces


def _cells(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)
