"""The bytes of SPDY/3.1."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.sandbox.streaming import spdy_frames
from seatrial.sandbox.streaming.spdy_frames import Control, Data, FrameError, FrameReader, FrameWriter
from seatrial.sandbox.streaming.spdy_headers import DICTIONARY, HeaderCompressor, HeaderDecompressor, HeaderError

_NAMES = st.text(st.characters(codec="ascii", categories=("Ll", "Nd"), include_characters="-"), min_size=1)
_HEADERS = st.dictionaries(_NAMES, st.text(), max_size=5)


def test_the_dictionary_is_the_protocols() -> None:
    """Header blocks are compressed with the dictionary of the specification, whose checksum every block repeats."""
    assert len(DICTIONARY) == 1423
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2


@given(st.lists(_HEADERS, max_size=5))
def test_header_blocks_come_back(blocks: list[dict[str, str]]) -> None:
    """Header blocks of one connection are read as they were written, each relying on those before it."""
    compressor, decompressor = HeaderCompressor(), HeaderDecompressor()
    for headers in blocks:
        assert decompressor.decode(compressor.encode(headers)) == headers


@given(st.binary(max_size=200))
def test_a_header_block_is_read_or_refused(block: bytes) -> None:
    """Whatever stands in a header block, it is read or refused with one kind of error."""
    try:
        HeaderDecompressor().decode(block)
    except HeaderError:
        return


def test_a_header_block_that_explodes_is_refused() -> None:
    """A small block that unpacks to megabytes is refused before it does."""
    block = HeaderCompressor().encode({"a": "x" * 10_000_000})
    with pytest.raises(HeaderError):
        HeaderDecompressor().decode(block)


_DATA = st.tuples(st.integers(1, 2**31 - 1), st.binary(max_size=300), st.booleans())


@given(st.lists(_DATA, max_size=8), st.integers(1, 50))
def test_data_comes_back_in_pieces_of_any_size(frames: list[tuple[int, bytes, bool]], size: int) -> None:
    """Data is read as it was sent, however the network cuts it, and each stream's end comes with its last piece."""
    sent = b"".join(FrameWriter.data(number, data, final=final) for number, data, final in frames)
    reader = FrameReader()
    found: list[list[object]] = []
    for start in range(0, len(sent), size):
        for frame in reader.feed(sent[start : start + size]):
            assert isinstance(frame, Data)
            if found and found[-1][0] == frame.stream_id and not found[-1][3]:
                found[-1][1] = bytes(found[-1][1]) + frame.data  # type: ignore[arg-type]
                found[-1][2] = frame.final
            else:
                found.append([frame.stream_id, frame.data, frame.final, False])
            expected = frames[len(found) - 1]
            found[-1][3] = len(found[-1][1]) == len(expected[1])  # type: ignore[arg-type]
    assert [(entry[0], entry[1], entry[2]) for entry in found] == frames


@given(st.integers(1, 2**31 - 1), _HEADERS)
def test_control_frames_come_back(number: int, headers: dict[str, str]) -> None:
    """Each control frame that Kubernetes uses is read as it was written."""
    writer, reader = FrameWriter(), FrameReader()
    sent = (
        writer.syn_stream(number, headers)
        + writer.syn_reply(number, headers)
        + writer.rst_stream(number, 5)
        + writer.ping(number)
        + writer.goaway(number)
    )
    assert list(reader.feed(sent)) == [
        Control(spdy_frames.SYN_STREAM, number, headers=headers),
        Control(spdy_frames.SYN_REPLY, number, headers=headers),
        Control(spdy_frames.RST_STREAM, number, status=5),
        Control(spdy_frames.PING, number),
        Control(spdy_frames.GOAWAY, number),
    ]


@given(st.binary(max_size=400))
def test_bytes_are_frames_or_refused(data: bytes) -> None:
    """Whatever a peer sends, it is frames or is refused with one kind of error."""
    try:
        list(FrameReader().feed(data))
    except FrameError:
        return


def test_another_version_is_refused() -> None:
    """A control frame of another version of SPDY is no frame."""
    with pytest.raises(FrameError, match="version 2"):
        list(FrameReader().feed(b"\x80\x02\x00\x01\x00\x00\x00\x0a" + bytes(10)))
