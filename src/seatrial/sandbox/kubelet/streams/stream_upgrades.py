"""How the kubelet agrees with a client on what follows an HTTP request: WebSocket or SPDY, and which protocol in it."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from seatrial.sandbox.streaming.byte_channels import ByteChannel, ConnectionChannel
from seatrial.sandbox.streaming.takeover import switching_head, take_over

_VERSION_HEADER: Final = "X-Stream-Protocol-Version"
_ACCEPTED_HEADER: Final = "X-Accepted-Stream-Protocol-Versions"


@dataclass(frozen=True)
class Agreed:
    """A connection that was upgraded to SPDY.

    Args:
        channel: its bytes.
        protocol: what is spoken in its streams.
    """

    channel: ByteChannel
    protocol: str


def is_websocket(request: web.Request) -> bool:
    """Whether a request wants a WebSocket."""
    return request.headers.get("Upgrade", "").lower() == "websocket"


def offered_protocols(request: web.Request) -> list[str]:
    """The protocols that a client offers for its WebSocket."""
    listed = ",".join(request.headers.getall("Sec-WebSocket-Protocol", []))
    return [protocol for text in listed.split(",") if (protocol := text.strip())]


@asynccontextmanager
async def open_websocket(request: web.Request, protocol: str) -> AsyncIterator[web.WebSocketResponse]:
    """A WebSocket for the length of the block, with a protocol that the client offers, or "" for none."""
    socket = web.WebSocketResponse(protocols=(protocol,) if protocol else (), compress=False, timeout=2.0)
    if not protocol:
        socket.headers["Sec-WebSocket-Protocol"] = ""
    await socket.prepare(request)
    try:
        yield socket
    finally:
        await socket.close()


@asynccontextmanager
async def open_spdy(request: web.Request, known: Collection[str]) -> AsyncIterator[Agreed | web.Response]:
    """The connection and its protocol for the length of the block; a refusal if there is no agreement.

    Raises:
        ConnectionError: the client has gone.
    """
    refusal, protocol = _negotiate(request, known)
    if refusal is not None:
        yield refusal
        return
    async with take_over(request) as (reader, writer):
        head = [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), (_VERSION_HEADER, protocol)]
        writer.write(switching_head(head))
        yield Agreed(ConnectionChannel(reader, writer), protocol)


def _negotiate(request: web.Request, known: Collection[str]) -> tuple[web.Response | None, str]:
    if request.headers.get("Upgrade", "").lower() != "spdy/3.1":
        text = "unable to upgrade: missing upgrade headers in request"
        return web.Response(status=400, text=text), ""
    listed = ",".join(request.headers.getall(_VERSION_HEADER, []))
    offered = [text.strip() for text in listed.split(",") if text.strip()]
    if not offered:
        # Clients of the first days offered nothing, and meant the oldest.
        return None, list(known)[-1]
    protocol = next((protocol for protocol in offered if protocol in known), None)
    if protocol is None:
        lists = f"client supports [{' '.join(offered)}], server accepts [{' '.join(known)}]"
        text = f"unable to upgrade: unable to negotiate protocol: {lists}"
        refusal = web.Response(status=403, text=text)
        for version in known:
            refusal.headers.add(_ACCEPTED_HEADER, version)
        return refusal, ""
    return None, protocol
