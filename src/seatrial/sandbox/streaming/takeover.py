"""Takes a connection from aiohttp's server once its request was answered with "101 Switching Protocols".

aiohttp knows WebSockets but no other upgrade. `take_over` gives the connection's bytes to the handler; what the handler
returns in the end (`TakenOver.answer`) tells aiohttp that there is nothing to send any more.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

_BUFFER: Final = 64 * 1024


class _Bytes(asyncio.StreamReaderProtocol):
    """Hands bytes on, and remembers the connection's end."""

    is_lost = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        super().connection_lost(exc)


class TakenOver(web.StreamResponse):
    """An answer that was given already, by whoever took the connection."""

    def __init__(self) -> None:
        super().__init__(status=101)
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send nothing."""
        del request
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Send nothing."""
        del data


@asynccontextmanager
async def take_over(request: web.BaseRequest) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """The bytes of a request's connection, for as long as the context lasts; then the connection is closed.

    The head of the answer is the caller's to write. Raises ConnectionError when the client has gone.
    """
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client is gone")
    loop = asyncio.get_running_loop()
    before = transport.get_protocol()
    reader = asyncio.StreamReader(limit=_BUFFER, loop=loop)
    protocol = _Bytes(reader, loop=loop)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    transport.resume_reading()
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    try:
        yield reader, writer
        with contextlib.suppress(ConnectionError):
            await writer.drain()
    finally:
        transport.set_protocol(before)
        transport.close()
        if protocol.is_lost:
            # The loop has told the other protocol already, and tells only once.
            loop.call_soon(before.connection_lost, None)


def switching_head(headers: Iterable[tuple[str, str]]) -> bytes:
    """The head of an answer that agrees to an upgrade."""
    lines = ["HTTP/1.1 101 Switching Protocols", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
