"""A stream of bytes both ways, whatever carries it: a plain connection, or the binary messages of a WebSocket.

SPDY runs over either: over the connection that was upgraded to it, or tunnelled through a WebSocket
(`SPDY/3.1+portforward.k8s.io`), as kubectl does from 1.31 on.
"""

import asyncio
import contextlib
from typing import Final, Protocol

from aiohttp import WSMsgType, web

_CHUNK: Final = 64 * 1024


class ByteChannel(Protocol):
    """Bytes both ways."""

    async def read(self) -> bytes:
        """What came in; empty when the peer sends no more, or is gone."""
        ...

    async def write(self, data: bytes) -> None:
        """Send, and wait while the peer has too much unread; ConnectionError when it is gone."""
        ...

    async def close(self) -> None:
        """Send what is written, then hang up."""
        ...


class ConnectionChannel:
    """The bytes of a connection.

    Args:
        reader: its incoming half.
        writer: its outgoing half.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        """What came in; empty when the peer sends no more, or is gone."""
        try:
            return await self._reader.read(_CHUNK)
        except OSError:
            # Reset, timed out, or TLS broken off: it is gone in any case.
            return b""

    async def write(self, data: bytes) -> None:
        """Send, and wait while the peer has too much unread; ConnectionError when it is gone."""
        if self._writer.is_closing():
            raise ConnectionResetError("the connection is closed")
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        """Send what is written, then hang up."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class WebSocketChannel:
    """The bytes in a WebSocket's messages, without their boundaries.

    Args:
        socket: a WebSocket that is open.
    """

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def read(self) -> bytes:
        """What came in; empty when the peer has closed, or is gone."""
        while True:
            message = await self._socket.receive()
            if message.type in (WSMsgType.BINARY, WSMsgType.TEXT):
                data = message.data if isinstance(message.data, bytes) else message.data.encode()
                if data:
                    return data
            else:
                return b""

    async def write(self, data: bytes) -> None:
        """Send a message, and wait while the peer has too much unread; ConnectionError when it is gone."""
        await self._socket.send_bytes(data)

    async def close(self) -> None:
        """Send what is written, then say goodbye."""
        await self._socket.close()
