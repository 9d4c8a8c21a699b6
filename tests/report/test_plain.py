import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from seatrial.report.plain import plain


def shown(text):
    stream = io.StringIO()
    Console(file=stream, width=1000, force_terminal=True, color_system="truecolor").print(plain(text))
    return stream.getvalue()


def test_control_characters_are_written_as_escapes():
    """What would clear the screen, ring the bell or go back in the line is seen instead of done."""
    assert plain("a\x1b[2Jb\x07c\rd\x9be\x7f").plain == "a\\u001b[2Jb\\u0007c\\rd\\u009be\\u007f"


def test_invisible_characters_are_written_as_escapes():
    """A right-to-left override can't make a name look like another one."""
    assert plain("pod\u202etxt\u200b").plain == "pod\\u202etxt\\u200b"


def test_markup_is_text():
    """Square brackets are part of a name, not a colour."""
    assert shown("[bold]x[/bold] [link=http://evil]y[/link]") == "[bold]x[/bold] [link=http://evil]y[/link]\n"


def test_letters_of_all_languages_and_line_ends_stay():
    """What can be printed is printed, on as many lines as there are."""
    assert plain("Grüße 日本\nzweite Zeile").plain == "Grüße 日本\nzweite Zeile"


@given(st.text())
def test_no_text_reaches_the_terminal_with_a_control_character(text):
    """Whatever it is called, only printable characters and line ends come out."""
    assert all(character.isprintable() or character == "\n" for character in plain(text).plain)


def test_it_takes_a_style():
    """The text is shown in the style it is given."""
    assert plain("x", style="red").style == "red"
