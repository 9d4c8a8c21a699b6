"""Remote commands over SPDY: the client opens a stream for each of error, stdin, stdout, stderr and resize.

Which one a stream is says its header `streamtype`. The client opens them at once, and waits for nothing but their
acceptance; the server begins when all that the request asks for are there.
"""

import asyncio
import json
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.streams.remote_streams import (
    Output,
    StreamOptions,
    TerminalSize,
    encode_status,
    parse_size,
)
from seatrial.sandbox.streaming.spdy import SpdyConnection, SpdyStream

PROTOCOLS: Final = {"v4.channel.k8s.io": 4, "v3.channel.k8s.io": 3, "v2.channel.k8s.io": 2, "channel.k8s.io": 1}
_WAIT_SECONDS: Final = 30.0


class SpdyStreams:
    """`RemoteStreams` over a SPDY connection, which must be running.

    Args:
        connection: the client's.
        protocol: the one chosen.
        options: the streams that the client wants.
    """

    translated = False

    def __init__(self, connection: SpdyConnection, protocol: str, options: StreamOptions) -> None:
        self._connection = connection
        self._version = PROTOCOLS[protocol]
        self._options = options
        self._streams: dict[str, SpdyStream] = {}
        self._text = ""

    async def gather(self) -> bool:
        """Wait until the client has opened its streams; False if it didn't."""
        wanted = {"error"} | {name for name in ("stdin", "stdout", "stderr") if getattr(self._options, name)}
        if self._options.tty and self._version >= 3:
            wanted.add("resize")
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                while wanted - self._streams.keys():
                    stream = await self._connection.accept()
                    if stream is None:
                        return False
                    self._streams[stream.headers.get("streamtype", "")] = stream
        except TimeoutError:
            return False
        return True

    async def read_stdin(self) -> bytes:
        """What the client typed; empty when there will be no more."""
        stream = self._streams.get("stdin")
        return await stream.read() if stream else b""

    async def read_size(self) -> TerminalSize | None:
        """The next size of the client's terminal; None when there will be no more."""
        stream = self._streams.get("resize")
        decoder = json.JSONDecoder()
        while stream is not None:
            try:
                _, end = decoder.raw_decode(self._text)
            except ValueError:
                data = await stream.read()
                if not data:
                    return None
                self._text = (self._text + data.decode(errors="replace")).lstrip()[-1024:]
                continue
            size = parse_size(self._text[:end])
            self._text = self._text[end:].lstrip()
            return size
        return None

    async def write(self, output: Output, data: bytes) -> None:
        """Send output; ConnectionError when the client is gone."""
        stream = self._streams.get(output)
        if stream is not None:
            await stream.write(data)

    async def conclude(self, status: Object) -> None:
        """Tell the outcome and end all streams; ConnectionError when the client is gone."""
        text = encode_status(status, version=self._version)
        if text:
            await self._streams["error"].write(text)
        for stream in self._streams.values():
            await stream.finish()
        await self._connection.close()

    async def wait_gone(self) -> None:
        """Wait until the client has gone."""
        while await self._connection.accept() is not None:
            pass
