"""What is kept of a command's output, and who hears it."""

from hypothesis import given
from hypothesis import strategies as st

from seatrial.remote.output import BoundedOutput


@given(st.lists(st.text(alphabet="ab\n", max_size=9)))
def test_lines_are_told_as_they_end_however_they_come(chunks):
    """Each once, and a last one without an end when there is no more."""
    heard = []
    output = BoundedOutput(heard.append)
    for chunk in chunks:
        output.add(chunk)
    output.finish()
    text = "".join(chunks)
    assert heard == text.removesuffix("\n").split("\n") if text else heard == []
    assert output.text == text


@given(st.text(alphabet="abc", max_size=60), st.integers(1, 9))
def test_the_beginning_and_the_end_are_kept(text, size):
    """However it comes; what is left out is counted."""
    output = BoundedOutput(most=10)
    for at in range(0, len(text), size):
        output.add(text[at : at + size])
    assert output.text == (
        text if len(text) <= 10 else f"{text[:5]}\n[{len(text) - 10} characters left out]\n{text[-5:]}"
    )


def test_a_listener_is_told_no_more_than_is_kept():
    """A command may write for ever."""
    heard = []
    output = BoundedOutput(heard.append, most=6)
    for _ in range(100):
        output.add("ab\r\n")
    output.finish()
    assert heard == ["ab", "ab"]
