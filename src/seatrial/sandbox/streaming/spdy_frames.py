"""The frames of SPDY/3.1, to bytes and back.

Kubernetes clients use a part of SPDY only: streams with headers, data both ways, pings. See SPDY Protocol, Draft
3.1, section 2.2; flow-control windows are read and not kept, since the library of all Kubernetes clients
(moby/spdystream) neither keeps nor grants any: TCP's own is what holds a sender back.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from seatrial.sandbox.streaming.spdy_headers import HeaderCompressor, HeaderDecompressor, HeaderError

SYN_STREAM: Final = 1
SYN_REPLY: Final = 2
RST_STREAM: Final = 3
PING: Final = 6
GOAWAY: Final = 7
HEADERS: Final = 8
WINDOW_UPDATE: Final = 9

FLAG_FIN: Final = 1
PROTOCOL_ERROR: Final = 1
REFUSED_STREAM: Final = 3

_VERSION: Final = 3
_HEAD_BYTES: Final = 8
_LONGEST_CONTROL_FRAME: Final = 256 * 1024
_LEAST_LENGTHS: Final = {SYN_STREAM: 10, SYN_REPLY: 4, RST_STREAM: 8, PING: 4, GOAWAY: 4, HEADERS: 4, WINDOW_UPDATE: 8}


class FrameError(ValueError):
    """What the peer sends is not SPDY/3.1."""


class Data(NamedTuple):
    """A piece of a data frame, handed on as it arrives; `final` ends the sender's side of the stream."""

    stream_id: int
    data: bytes
    final: bool


class Control(NamedTuple):
    """A control frame; `number` is the stream it is about, or the ping's id; `status` a reset's or goodbye's."""

    kind: int
    number: int
    final: bool = False
    headers: Mapping[str, str] = {}
    status: int = 0


Frame = Data | Control


class FrameWriter:
    """Encodes the frames of one direction of one connection."""

    def __init__(self) -> None:
        self._compressor = HeaderCompressor()

    @staticmethod
    def data(stream_id: int, data: bytes, *, final: bool = False) -> bytes:
        """A data frame."""
        return struct.pack(">II", stream_id, (FLAG_FIN << 24 if final else 0) | len(data)) + data

    def syn_stream(self, stream_id: int, headers: Mapping[str, str]) -> bytes:
        """Open a stream."""
        block = self._compressor.encode(headers)
        return _control(SYN_STREAM, struct.pack(">IIH", stream_id, 0, 0) + block)

    def syn_reply(self, stream_id: int, headers: Mapping[str, str]) -> bytes:
        """Accept a stream."""
        return _control(SYN_REPLY, struct.pack(">I", stream_id) + self._compressor.encode(headers))

    @staticmethod
    def rst_stream(stream_id: int, status: int) -> bytes:
        """End a stream at once, both ways."""
        return _control(RST_STREAM, struct.pack(">II", stream_id, status))

    @staticmethod
    def ping(number: int) -> bytes:
        """Ask for a sign of life, or give it with the same number."""
        return _control(PING, struct.pack(">I", number))

    @staticmethod
    def goaway(last_stream_id: int, status: int = 0) -> bytes:
        """Say that no further stream is accepted."""
        return _control(GOAWAY, struct.pack(">II", last_stream_id, status))


def _control(kind: int, payload: bytes) -> bytes:
    return struct.pack(">HHI", 0x8000 | _VERSION, kind, len(payload)) + payload


class FrameReader:
    """Decodes what one peer sends, in pieces of any size."""

    def __init__(self) -> None:
        self._decompressor = HeaderDecompressor()
        self._received = bytearray()
        # Of the data frame that is being read: what is still to come.
        self._left = 0
        self._stream_id = 0
        self._is_final = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with this.

        Raises:
            FrameError: it is no frame.
        """
        self._received += data
        while True:
            if self._left:
                if not self._received:
                    return
                yield self._piece()
                continue
            if len(self._received) < _HEAD_BYTES:
                return
            first, second = struct.unpack_from(">II", self._received)
            flags, length = second >> 24, second & 0xFFFFFF
            if first >> 31:
                _check_control(first, length)
                if len(self._received) < _HEAD_BYTES + length:
                    return
                payload = bytes(self._received[_HEAD_BYTES : _HEAD_BYTES + length])
                del self._received[: _HEAD_BYTES + length]
                frame = self._decode(first & 0xFFFF, flags, payload)
                if frame is not None:
                    yield frame
            else:
                del self._received[:_HEAD_BYTES]
                self._stream_id, self._left, self._is_final = first, length, bool(flags & FLAG_FIN)
                if not length:
                    yield Data(first, b"", self._is_final)

    def _piece(self) -> Data:
        piece = bytes(self._received[: self._left])
        del self._received[: self._left]
        self._left -= len(piece)
        return Data(self._stream_id, piece, self._is_final and not self._left)

    def _decode(self, kind: int, flags: int, payload: bytes) -> Control | None:
        if len(payload) < _LEAST_LENGTHS.get(kind, 0):
            raise FrameError(f"a frame of type {kind} is too short")
        is_final = bool(flags & FLAG_FIN)
        if kind == SYN_STREAM:
            number = struct.unpack_from(">I", payload)[0] & 0x7FFFFFFF
            return Control(kind, number, is_final, self._headers(payload[10:]))
        if kind in (SYN_REPLY, HEADERS):
            number = struct.unpack_from(">I", payload)[0] & 0x7FFFFFFF
            return Control(kind, number, is_final, self._headers(payload[4:]))
        if kind in (RST_STREAM, WINDOW_UPDATE):
            number, status = struct.unpack_from(">II", payload)
            return Control(kind, number & 0x7FFFFFFF, status=status)
        if kind in (PING, GOAWAY):
            return Control(kind, struct.unpack_from(">I", payload)[0])
        # Settings, credentials and whatever is unknown change nothing here.
        return None

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            return self._decompressor.decode(block)
        except HeaderError as error:
            raise FrameError(str(error)) from error


def _check_control(first: int, length: int) -> None:
    version = first >> 16 & 0x7FFF
    if version != _VERSION:
        raise FrameError(f"SPDY version {version} is not spoken here")
    if length > _LONGEST_CONTROL_FRAME:
        raise FrameError("a control frame is too long")
