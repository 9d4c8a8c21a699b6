"""A SPDY/3.1 connection: streams over one byte channel.

What Kubernetes needs of SPDY (`spdy_frames` has the bytes): the peer opens streams with headers, both sides send data
and end their half, pings are answered. A stream whose data nobody reads holds up its whole connection, as it does with
the library that Kubernetes uses; memory stays bounded.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Mapping
from typing import Final

from seatrial.sandbox.streaming import spdy_frames
from seatrial.sandbox.streaming.byte_channels import ByteChannel
from seatrial.sandbox.streaming.spdy_frames import Control, Data, Frame, FrameError, FrameReader, FrameWriter

# As much as a stream may hold unread before its connection is read no further.
_MOST_UNREAD: Final = 256 * 1024
_LARGEST_DATA: Final = 64 * 1024
_MOST_STREAMS: Final = 4096


class SpdyStream:
    """One stream of a connection.

    Attributes:
        number: its id.
        headers: those that it was opened with, names in lower case.
    """

    def __init__(self, connection: "SpdyConnection", number: int, headers: Mapping[str, str]) -> None:
        self.number = number
        self.headers = headers
        self._connection = connection
        self._chunks: deque[bytes] = deque()
        self._unread = 0
        self._has_more = asyncio.Event()
        self._is_ended = False
        self._is_reset = False
        self._is_finished = False

    @property
    def is_full(self) -> bool:
        """Whether no more should be read for it."""
        return self._unread >= _MOST_UNREAD

    @property
    def is_over(self) -> bool:
        """Whether neither side will send more."""
        return self._is_reset or (self._is_ended and self._is_finished)

    async def read(self) -> bytes:
        """What came in; empty when the peer has ended its half or is gone."""
        while not self._chunks:
            if self._is_ended or self._is_reset:
                return b""
            self._has_more.clear()
            await self._has_more.wait()
        chunk = self._chunks.popleft()
        self._unread -= len(chunk)
        self._connection.has_room.set()
        return chunk

    async def write(self, data: bytes) -> None:
        """Send; ConnectionError when the stream was reset or its connection is gone."""
        for start in range(0, len(data), _LARGEST_DATA):
            if self._is_reset or self._is_finished:
                raise ConnectionResetError("the stream is closed")
            await self._connection.send(FrameWriter.data(self.number, data[start : start + _LARGEST_DATA]))

    async def finish(self) -> None:
        """End this side's half."""
        if not (self._is_finished or self._is_reset):
            self._is_finished = True
            await self._connection.send(FrameWriter.data(self.number, b"", final=True))
            self._connection.forget(self)

    async def reset(self) -> None:
        """End both halves at once."""
        if not self._is_reset:
            self.end(is_reset=True)
            await self._connection.send(FrameWriter.rst_stream(self.number, spdy_frames.PROTOCOL_ERROR))
            self._connection.forget(self)

    def feed(self, data: bytes, *, final: bool) -> None:
        """Take what the peer sent."""
        if data and not self._is_reset:
            self._chunks.append(data)
            self._unread += len(data)
            self._has_more.set()
        if final:
            self.end()

    def end(self, *, is_reset: bool = False) -> None:
        """The peer sends no more."""
        self._is_ended = True
        self._is_reset = self._is_reset or is_reset
        if is_reset:
            self._chunks.clear()
            self._unread = 0
            self._connection.has_room.set()
        self._has_more.set()


class SpdyConnection:
    """Streams over a byte channel. `run` must run for anything to happen.

    Args:
        channel: carries the frames.
        is_client: whether streams opened here have odd numbers.
    """

    def __init__(self, channel: ByteChannel, *, is_client: bool = False) -> None:
        self._channel = channel
        self._frames = FrameWriter()
        self._numbers = itertools.count(1 if is_client else 2, 2)
        self._streams: dict[int, SpdyStream] = {}
        self._arrived: asyncio.Queue[SpdyStream | None] = asyncio.Queue()
        self._sending = asyncio.Lock()
        self._last = 0
        self._is_open = True
        self.has_room = asyncio.Event()

    async def run(self) -> None:
        """Read until the peer goes or sends what is no SPDY."""
        reader = FrameReader()
        try:
            while data := await self._channel.read():
                for frame in reader.feed(data):
                    await self._take(frame)
        except FrameError:
            await self._say_goodbye(spdy_frames.PROTOCOL_ERROR)
        except ConnectionError:
            # Gone in the middle of an answer: the same as an end.
            self._is_open = False
        finally:
            self._is_open = False
            for stream in self._streams.values():
                stream.end(is_reset=False)
            self._arrived.put_nowait(None)

    async def accept(self) -> SpdyStream | None:
        """The next stream that the peer opens; None when there will be none."""
        stream = await self._arrived.get()
        if stream is None:
            self._arrived.put_nowait(None)
        return stream

    async def open(self, headers: Mapping[str, str]) -> SpdyStream:
        """Open a stream."""
        stream = SpdyStream(self, next(self._numbers), headers)
        self._streams[stream.number] = stream
        # Encoded within the lock: the compressor must see the headers in the order in which they are sent.
        async with self._sending:
            await self._channel.write(self._frames.syn_stream(stream.number, headers))
        return stream

    async def send(self, frame: bytes) -> None:
        """Send a frame; ConnectionError when the peer is gone."""
        async with self._sending:
            await self._channel.write(frame)

    async def close(self) -> None:
        """Say goodbye and hang up."""
        if self._is_open:
            await self._say_goodbye(0)
        await self._channel.close()

    def forget(self, stream: SpdyStream) -> None:
        """Drop a stream that is over."""
        if stream.is_over:
            self._streams.pop(stream.number, None)

    async def _say_goodbye(self, status: int) -> None:
        try:
            async with self._sending:
                await self._channel.write(FrameWriter.goaway(self._last, status))
        except ConnectionError:
            # Nobody is left to be told.
            self._is_open = False

    async def _take(self, frame: Frame) -> None:
        if isinstance(frame, Data):
            await self._take_data(frame)
            return
        match frame.kind:
            case spdy_frames.SYN_STREAM:
                await self._take_stream(frame)
            case spdy_frames.PING:
                await self._answer_ping(frame.number)
            case spdy_frames.SYN_REPLY | spdy_frames.HEADERS if frame.final:
                self._end(frame.number)
            case spdy_frames.RST_STREAM:
                self._end(frame.number, is_reset=True)

    async def _take_data(self, frame: Data) -> None:
        stream = self._streams.get(frame.stream_id)
        if stream is None:
            return
        stream.feed(frame.data, final=frame.final)
        self.forget(stream)
        while stream.is_full:
            self.has_room.clear()
            await self.has_room.wait()

    async def _take_stream(self, frame: Control) -> None:
        if frame.number in self._streams or frame.number <= self._last or not frame.number:
            raise FrameError(f"stream {frame.number} was opened before")
        self._last = frame.number
        if len(self._streams) >= _MOST_STREAMS:
            await self.send(FrameWriter.rst_stream(frame.number, spdy_frames.REFUSED_STREAM))
            return
        stream = SpdyStream(self, frame.number, frame.headers)
        self._streams[frame.number] = stream
        if frame.final:
            stream.end()
        async with self._sending:
            await self._channel.write(self._frames.syn_reply(frame.number, {}))
        self._arrived.put_nowait(stream)

    async def _answer_ping(self, number: int) -> None:
        # A ping that began here comes back with the number that it was given.
        if number % 2:
            await self.send(FrameWriter.ping(number))

    def _end(self, number: int, *, is_reset: bool = False) -> None:
        stream = self._streams.get(number)
        if stream is not None:
            stream.end(is_reset=is_reset)
            self.forget(stream)
