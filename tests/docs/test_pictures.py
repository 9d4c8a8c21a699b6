"""Pictures of the shell: drawn from what a terminal shows, and needing nothing from elsewhere."""

import xml.etree.ElementTree as ET
from typing import NamedTuple

from tests.docs.pictures import PICTURE, drawing


class Cell(NamedTuple):
    data: str
    fg: str = "default"
    bg: str = "default"
    bold: bool = False
    reverse: bool = False


def _words(picture: str) -> list[str]:
    elements = ET.fromstring(picture).iter()  # noqa: S314 -- of our own making
    return [each.text.replace("\N{NO-BREAK SPACE}", " ") for each in elements if each.text]


def test_cells_of_one_look_are_one_text_at_its_column():
    """What means something to XML is escaped, blanks stay, and a reversed cell is drawn on its colour."""
    row = [*map(Cell, "a <"), Cell(" "), Cell("b", fg="red", bold=True), Cell("c", reverse=True)]
    drawn = drawing([row])
    assert [each for each in _words(drawn) if len(each) < 10 and each.strip()] == ["a <", "b", "c"]
    assert 'fill="#f07178" font-weight="bold"' in drawn
    assert drawn.count("<rect") == 2


def test_the_picture_on_the_pages_is_of_the_shell():
    """It shows a kill with its recovery, and the menu of what can be stopped; it loads nothing."""
    drawn = PICTURE.read_text()
    words = " ".join(_words(drawn))
    for shown in ("seatrial>", "kill", "[y/N] y", "recovered", "Ready  west-1", "namespace default"):
        assert shown in words
    assert drawn.count("http") == 1  # the name of the format
