"""Lines from chunks."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.kube.lines import LineSplitter, LineTooLongError

lines = st.lists(
    st.binary(min_size=1, max_size=30).filter(lambda line: b"\n" not in line and line.strip()), max_size=10
)


@given(expected=lines, cuts=st.lists(st.integers(0, 400), max_size=20))
def test_lines_don_t_depend_on_where_chunks_end(expected: list[bytes], cuts: list[int]) -> None:
    """However the bytes arrive, the same lines come out, and only when complete."""
    stream = b"".join(line + b"\n" for line in expected)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    splitter = LineSplitter()
    found = [line for a, b in itertools.pairwise(places) for line in splitter.feed(stream[a:b])]
    assert found == expected


def test_an_unfinished_line_is_kept_back() -> None:
    """Half an event is no event."""
    splitter = LineSplitter()
    assert splitter.feed(b"one\ntw") == [b"one"]
    assert splitter.feed(b"") == []
    assert splitter.feed(b"o") == []
    assert splitter.feed(b"\n\n \n") == [b"two"]


def test_a_line_beyond_the_limit_is_refused() -> None:
    """A stream without ends of lines must not fill the memory."""
    splitter = LineSplitter(most_bytes=10)
    splitter.feed(b"1234567890")
    with pytest.raises(LineTooLongError):
        splitter.feed(b"1")
