"""Answers over WebSocket to requests that are usually answered over plain HTTP: a container's log, a watch.

For browsers, mostly. A log may be asked for in base64, as text messages; the events of a watch are text. A watch wants
an `Origin` header, since Go's WebSocket library does; the library that logs go through doesn't.
"""

import asyncio
import base64
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import StreamReader, web

_LOG_PROTOCOLS: Final = ("binary.k8s.io", "base64.binary.k8s.io")
_LONGEST_LINE: Final = 32 * 1024


def is_websocket(request: web.BaseRequest) -> bool:
    """Whether a request wants a WebSocket."""
    connection = ",".join(request.headers.getall("Connection", []))
    return "upgrade" in connection.lower() and request.headers.get("Upgrade", "").lower() == "websocket"


def log_protocol(request: web.BaseRequest) -> str | None:
    """Which protocol of logs a client offers that is known, "" if it offers none; None for an unknown one."""
    listed = ",".join(request.headers.getall("Sec-WebSocket-Protocol", []))
    offered = [text.strip() for text in listed.split(",") if text.strip()]
    if not offered:
        return ""
    return next((protocol for protocol in offered if protocol in _LOG_PROTOCOLS), None)


async def send_log(request: web.BaseRequest, protocol: str | None, content: StreamReader) -> web.StreamResponse:
    """Send a log, line by line, after an empty message."""
    is_text = protocol == "base64.binary.k8s.io"
    async with _socket(request, protocol or "") as (socket, gone), contextlib.aclosing(_lines(content)) as lines:
        await _send(socket, b"", is_text=is_text)
        async for line in _until(gone, lines):
            await _send(socket, line, is_text=is_text)
    return socket


async def send_events(request: web.BaseRequest, lines: AsyncGenerator[bytes, None]) -> web.StreamResponse:
    """Send a watch's events, each a text message."""
    if not request.headers.get("Origin"):
        return web.Response(status=403)
    async with _socket(request, None) as (socket, gone), contextlib.aclosing(lines):
        async for chunk in _until(gone, lines):
            for line in chunk.splitlines(keepends=True):
                await socket.send_str(line.decode())
    return socket


async def _send(socket: web.WebSocketResponse, data: bytes, *, is_text: bool) -> None:
    if is_text:
        await socket.send_str(base64.b64encode(data).decode())
    else:
        await socket.send_bytes(data)


async def _lines(content: StreamReader) -> AsyncGenerator[bytes, None]:
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line + b"\n"
        if len(rest) >= _LONGEST_LINE:
            yield rest
            rest = b""
    if rest:
        yield rest


async def _until(gone: asyncio.Task[None], pieces: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """The pieces, as long as the client is there."""
    while True:
        piece = asyncio.ensure_future(anext(pieces, None))
        try:
            await asyncio.wait({piece, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not piece.done() or (found := piece.result()) is None:
                return
        finally:
            if not piece.done():
                piece.cancel()
                await asyncio.wait({piece})
        yield found


@asynccontextmanager
async def _socket(
    request: web.BaseRequest, protocol: str | None
) -> AsyncIterator[tuple[web.WebSocketResponse, asyncio.Task[None]]]:
    """An open WebSocket, and a task that ends when the client goes."""
    socket = web.WebSocketResponse(protocols=(protocol,) if protocol else (), compress=False, timeout=2.0)
    if protocol == "":
        socket.headers["Sec-WebSocket-Protocol"] = ""
    await socket.prepare(request)
    gone = asyncio.create_task(_listen(socket))
    try:
        with contextlib.suppress(ConnectionError):
            yield socket, gone
    finally:
        gone.cancel()
        await asyncio.wait({gone})
        await socket.close()


async def _listen(socket: web.WebSocketResponse) -> None:
    """Read, and throw away, what the client sends, until it goes."""
    async for _ in socket:
        pass
