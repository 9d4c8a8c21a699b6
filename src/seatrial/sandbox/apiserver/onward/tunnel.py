"""Hands a connection that is to be upgraded (WebSocket, SPDY) on to somebody else: a kubelet, a pod.

The request's head goes on as it is; once the other side agrees to the upgrade, bytes pass in both directions and nobody
here looks at them. A refusal is answered like any other request.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.onward.dial_errors import dial_failure
from seatrial.sandbox.network.reachability import REACHABILITY
from seatrial.sandbox.streaming.byte_channels import ByteChannel, ConnectionChannel
from seatrial.sandbox.streaming.takeover import TakenOver, take_over

_CONNECT_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 60.0
_LONGEST_HEAD: Final = 64 * 1024
_LONGEST_REFUSAL: Final = 64 * 1024
_NOT_HANDED_ON: Final = frozenset(
    {"authorization", "host", "content-length", "transfer-encoding", "expect", "x-forwarded-uri"}
)
# A browser's way to send a token, which is nobody's business beyond the API server.
_BEARER_PREFIX: Final = "base64url.bearer.authorization.k8s.io."


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where a tunnel leads.

    Args:
        host: address to connect to.
        port: its port.
        shown_port: the port in messages.
        target: path and query of the request there.
        tls: how to encrypt; None for plain HTTP.
    """

    host: str
    port: int
    shown_port: int
    target: str
    tls: ssl.SSLContext | None = None


def is_upgrade(request: web.BaseRequest) -> bool:
    """Whether a request wants its connection to be upgraded."""
    return any("upgrade" in value.lower() for value in request.headers.getall("Connection", []))


async def tunnel(request: web.BaseRequest, destination: Destination) -> web.StreamResponse:
    """Serve a request by connecting its client with the destination, until either hangs up.

    Raises:
        ApiError: 500, the destination can't be reached.
    """
    try:
        await REACHABILITY.passage_from_control_plane(destination.host, timeout_seconds=_CONNECT_SECONDS)
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(
                destination.host, destination.port, ssl=destination.tls, limit=_LONGEST_HEAD
            )
    except (OSError, TimeoutError) as error:
        failure = dial_failure(error, destination.host, destination.shown_port)
        raise statuses.failure(500, "", f"error dialing backend: {failure}") from error
    backend = ConnectionChannel(reader, writer)
    try:
        writer.write(_head(request, destination))
        return await _answer(request, reader, backend)
    finally:
        writer.close()


def _head(request: web.BaseRequest, destination: Destination) -> bytes:
    lines = [f"{request.method} {destination.target} HTTP/1.1", f"Host: {destination.host}:{destination.shown_port}"]
    lines += [f"{name}: {value}" for name, value in _handed_on(request)]
    lines.append(f"X-Forwarded-Uri: {request.rel_url.raw_path}")
    if request.method not in ("GET", "HEAD"):
        lines.append("Content-Length: 0")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", errors="replace")


def _handed_on(request: web.BaseRequest) -> Iterable[tuple[str, str]]:
    for name, value in request.headers.items():
        lowered = name.lower()
        if lowered in _NOT_HANDED_ON or lowered.startswith("impersonate-"):
            continue
        if lowered == "sec-websocket-protocol":
            kept = [text.strip() for text in value.split(",") if not text.strip().startswith(_BEARER_PREFIX)]
            if kept:
                yield name, ", ".join(kept)
            continue
        yield name, value


async def _answer(request: web.BaseRequest, reader: asyncio.StreamReader, backend: ByteChannel) -> web.StreamResponse:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, OSError) as error:
        raise statuses.failure(500, "", "error dialing backend: EOF") from error
    status, headers = _parse_head(head)
    if status != 101:
        return await _refusal(status, headers, reader)
    with contextlib.suppress(ConnectionError):
        async with take_over(request) as (client_reader, client_writer):
            client = ConnectionChannel(client_reader, client_writer)
            await client.write(head)
            await splice(client, backend)
    return TakenOver()


async def splice(one: ByteChannel, other: ByteChannel) -> None:
    """Carry bytes both ways until one side has ended."""
    tasks = [asyncio.create_task(_copy(one, other)), asyncio.create_task(_copy(other, one))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _copy(source: ByteChannel, target: ByteChannel) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read():
            await target.write(data)


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdecimal() else 502
    pairs = (line.partition(":") for line in lines if ":" in line)
    return status, {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _refusal(status: int, headers: dict[str, str], reader: asyncio.StreamReader) -> web.Response:
    """The other side's refusal, as it is; an answer that is neither is an error."""
    if status < 400:
        raise statuses.failure(500, "", f"invalid upgrade response: status code {status}")
    length = headers.get("content-length", "")
    body = b""
    with contextlib.suppress(asyncio.IncompleteReadError, TimeoutError, OSError):
        async with asyncio.timeout(_CONNECT_SECONDS):
            if length.isdecimal():
                body = await reader.readexactly(min(int(length), _LONGEST_REFUSAL))
            elif "transfer-encoding" not in headers:
                body = await reader.read(_LONGEST_REFUSAL)
    answer = web.Response(status=status, body=body)
    if body or "content-type" in headers:
        answer.headers["Content-Type"] = headers.get("content-type", "text/plain")
    return answer
