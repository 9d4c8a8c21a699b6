"""Lines from what a container writes: whole, and harmless to the terminal."""

from hypothesis import given
from hypothesis import strategies as st

from seatrial.shell.log_lines import LogLines


def lines_of(*pieces):
    lines = LogLines()
    return [line for piece in pieces for line in lines.feed(piece)] + lines.rest()


def test_lines_are_cut_wherever_pieces_end():
    """Also in the middle of a character; the last line may have no end."""
    assert lines_of("größer\nal".encode()[:3], "größer\nal".encode()[3:], b"s\n", b"rest") == ["größer", "als", "rest"]


def test_what_is_no_text_is_shown_as_such():
    """A container may write anything."""
    assert lines_of(b"\xff\xfe\n", b"half \xc3") == ["\ufffd\ufffd", "half \ufffd"]


def test_colours_are_taken_out_and_other_control_characters_are_escaped():
    """Nothing that a container writes moves the cursor, rings, or hides."""
    assert lines_of(b"\x1b[1;31mERROR\x1b[0m it\r\n") == ["ERROR it"]
    assert lines_of(b"\x1b]0;title\x07\x1b[2J\n") == [r"\u001b]0;title\u0007\u001b[2J"]
    assert lines_of(b"a\tb\n") == ["a       b"]


def test_a_line_without_an_end_is_not_waited_for_for_ever():
    """It is cut, and nothing of it is lost."""
    found = lines_of(b"x" * 200_000)
    assert len(found) > 1
    assert "".join(found) == "x" * 200_000


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_where_pieces_end_makes_no_difference(pieces):
    """The lines are those of the whole."""
    assert lines_of(*pieces) == lines_of(b"".join(pieces))
