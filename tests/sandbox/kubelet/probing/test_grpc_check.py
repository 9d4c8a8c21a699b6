"""gRPC probes against a small HTTP/2 server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded

from seatrial.sandbox.kubelet.probing.grpc_check import check_health


@asynccontextmanager
async def health_server(*, answer: bytes, status: str, message: str) -> AsyncIterator[tuple[int, list[str]]]:
    """A server that answers with these bytes and that status; gives its port and what it was asked for."""
    asked: list[str] = []
    serving: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        body = b""
        while chunk := await reader.read(65536):
            for event in connection.receive_data(chunk):
                if isinstance(event, RequestReceived):
                    asked.append(dict(event.headers)[":path"])
                elif isinstance(event, DataReceived):
                    body += event.data
                elif isinstance(event, StreamEnded):
                    asked.append(body[7:].decode())
                    connection.send_headers(1, [(":status", "200"), ("content-type", "application/grpc")])
                    connection.send_data(1, b"\0" + len(answer).to_bytes(4) + answer)
                    trailers = [("grpc-status", status), ("grpc-message", message)]
                    connection.send_headers(1, trailers, end_stream=True)
            writer.write(connection.data_to_send())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], asked
        await asyncio.gather(*(task for task in serving if task))


@pytest.mark.parametrize(
    ("answer", "status", "message", "why"),
    [
        (b"\x08\x01", "0", "", ""),
        (b"\x08\x02", "0", "", 'service unhealthy (responded with "NOT_SERVING")'),
        (b"", "0", "", 'service unhealthy (responded with "UNKNOWN")'),
        (
            b"",
            "12",
            "unknown service",
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)",
        ),
        (b"", "5", "unknown service shop", "error: health rpc probe failed: unknown service shop"),
    ],
)
async def test_a_server_says_how_it_is(answer: bytes, status: str, message: str, why: str) -> None:
    """SERVING passes; everything else is told in the kubelet's words."""
    async with health_server(answer=answer, status=status, message=message) as (port, asked):
        assert await check_health("127.0.0.1", port, "shop", user_agent="kube-probe/1.36") == why
    assert asked == ["/grpc.health.v1.Health/Check", "shop"]


async def test_a_server_of_another_protocol_fails() -> None:
    """It isn't taken for a healthy one."""
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OSError, match="preface"):
            await check_health("127.0.0.1", port, "", user_agent="kube-probe/1.36")
        await ended.wait()
