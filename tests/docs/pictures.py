"""A picture of the shell for pages: what a terminal shows at a moment, as SVG, drawn from the program itself.

python -m tests.docs.pictures    draws docs/images/interactive.svg anew
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from tests.docs.transcripts import ROOT
from tests.shell.terminals import Terminal

PICTURE = ROOT / "docs" / "images" / "interactive.svg"
_COLUMNS, _LINES = 92, 31
_WIDTH, _HEIGHT, _MARGIN = 8.4, 18.0, 14.0
_NO_BREAK = "\N{NO-BREAK SPACE}"  # other blanks run together
_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"
_BACKGROUND, _FOREGROUND = "#10141c", "#d6dce4"
_COLOURS = {
    "black": "#282e3a", "red": "#f07178", "green": "#98c379", "brown": "#e5c07b", "blue": "#61afef",
    "magenta": "#c678dd", "cyan": "#56b6c2", "white": "#abb2bf", "brightblack": "#8a93a3",
}  # fmt: skip


async def picture() -> str:
    """The shell after a kill, as the next thing to break is chosen."""
    with tempfile.TemporaryDirectory() as state:
        seatrial = str(Path(sys.executable).parent / "seatrial")
        command = [seatrial, "interactive", "--sandbox", "--load", str(ROOT / "examples/manifests/goldpinger.yml")]
        environ = {**os.environ, "SEATRIAL_STATE_DIR": state}
        async with Terminal(command, environ=environ, columns=_COLUMNS, lines=_LINES) as terminal:
            await terminal.until("namespace default")
            await _type(terminal, "pods default", "kill 2 --force")
            await terminal.until("[y/N]")
            terminal.type("y\r")
            await terminal.until("cleared ")
            await terminal.at_prompt()
            terminal.type("stop ")
            await terminal.until("west-2")
            drawn = drawing(terminal.cells)
            terminal.type("\x03")
            await _type(terminal, "exit")
            await terminal.ended()
        return drawn


async def _type(terminal: Terminal, *lines: str) -> None:
    for line in lines:
        await terminal.at_prompt()
        terminal.type(f"{line}\r")


def drawing(rows: Sequence[Sequence[Any]]) -> str:
    """Rows of cells as an SVG of its own, without fonts or anything else from elsewhere."""
    width, height = (round(size + 2 * _MARGIN) for size in (len(rows[0]) * _WIDTH, len(rows) * _HEIGHT))
    parts = [part for number, row in enumerate(rows) for part in _row(number, row)]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">',
            "<title>seatrial interactive: a pod was killed and has recovered, and what to stop next is chosen</title>",
            f'<rect width="{width}" height="{height}" rx="8" fill="{_BACKGROUND}"/>',
            f'<g font-family="{_FONT}" font-size="14">',
            *parts,
            "</g>",
            "</svg>\n",
        )
    )


def _row(number: int, row: Sequence[Any]) -> Iterator[str]:
    x = _MARGIN
    for (colour, background, weight), cells in groupby(row, key=_look):
        text = "".join(cell.data for cell in cells)
        width = len(text) * _WIDTH
        top = _MARGIN + number * _HEIGHT
        if background != _BACKGROUND:
            yield f'<rect x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{_HEIGHT}" fill="{background}"/>'
        if text.strip():
            words = text.rstrip()
            yield (
                f'<text x="{x:.1f}" y="{top + 13:.1f}" fill="{colour}" font-weight="{weight}"'
                f' textLength="{len(words) * _WIDTH:.1f}">{escape(words).replace(" ", _NO_BREAK)}</text>'
            )
        x += width


def _look(cell: Any) -> tuple[str, str, str]:
    colour, background = _colour(cell.fg, _FOREGROUND), _colour(cell.bg, _BACKGROUND)
    if cell.reverse:
        colour, background = background, colour
    return colour, background, "bold" if cell.bold else "normal"


def _colour(name: str, default: str) -> str:
    return default if name == "default" else _COLOURS.get(name, f"#{name}")


if __name__ == "__main__":
    PICTURE.write_text(asyncio.run(picture()))
