"""Port forwarding: pairs of SPDY streams to connections."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from seatrial.sandbox.kubelet.streams.port_forward import PodTarget, PortError, forward_streams, parse_port
from seatrial.sandbox.streaming.spdy import SpdyConnection, SpdyStream
from tests.sandbox.kubelet.stream_client import read_all
from tests.sandbox.streaming.pipes import connected


@asynccontextmanager
async def _forwarding() -> AsyncIterator[SpdyConnection]:
    ours, theirs = connected()
    client, server = SpdyConnection(ours, is_client=True), SpdyConnection(theirs)
    tasks = [
        asyncio.create_task(client.run()),
        asyncio.create_task(server.run()),
        asyncio.create_task(forward_streams(server, PodTarget("127.0.0.1", "uid"))),
    ]
    try:
        async with asyncio.timeout(20):
            yield client
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _pair(client: SpdyConnection, port: int, request: int) -> tuple[SpdyStream, SpdyStream]:
    headers = {"port": str(port), "requestID": str(request)}
    error = await client.open({"streamtype": "error", **headers})
    return await client.open({"streamtype": "data", **headers}), error


async def _shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data.upper())
        await writer.drain()
    writer.write(b"!")
    writer.close()


async def test_many_connections_share_one() -> None:
    """Each pair of streams is a connection of its own; half-closing it lets the pod finish its answer."""
    server = await asyncio.start_server(_shout, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, _forwarding() as client:
        pairs = [await _pair(client, port, number) for number in range(20)]
        for number, (data, _) in enumerate(pairs):
            await data.write(f"request {number}".encode())
            await data.finish()
        for number, (data, error) in enumerate(pairs):
            assert await read_all(data) == f"REQUEST {number}!".encode()
            assert await read_all(error) == b""


async def test_much_data_comes_through_whole() -> None:
    """A connection carries as much as is sent, both ways at once."""
    server = await asyncio.start_server(_shout, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, _forwarding() as client:
        data, _ = await _pair(client, port, 0)
        sent = b"some text " * 500_000

        async def send() -> None:
            await data.write(sent)
            await data.finish()

        sending = asyncio.create_task(send())
        assert await read_all(data) == sent.upper() + b"!"
        await sending


async def test_a_closed_port_is_said_in_the_error_stream() -> None:
    """Where nothing listens, the error stream says so in the runtime's words, and both streams end."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with _forwarding() as client:
            data, error = await _pair(client, port, 0)
            text = (await read_all(error)).decode()
            assert await read_all(data) == b""
    assert text.startswith(f"error forwarding port {port} to pod ")
    assert f"dial tcp4 127.0.0.1:{port}: connect: connection refused" in text


async def test_who_does_not_read_holds_up_nobody_else() -> None:
    """What isn't read stays with the pod, which learns that the client has gone; other clients don't notice."""
    sent, stopped = [0], asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(1) == b"?":
            writer.write(b"alive")
            writer.close()
            return
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(bytes(100_000))
                await writer.drain()
                sent[0] += 100_000
        stopped.set()

    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, _forwarding() as other:
        async with _forwarding() as client:
            stuck, _ = await _pair(client, port, 0)
            await stuck.write(b"!")
            assert await stuck.read() != b""
            for number in range(30):
                data, _ = await _pair(other, port, number)
                await data.write(b"?")
                assert await read_all(data) == b"alive"
            # Sockets' buffers, and no more: those of the system are some megabytes at most.
            assert sent[0] < 30_000_000
            assert not stopped.is_set()
        await stopped.wait()


@pytest.mark.parametrize("text", ["", "0", "65536", "http", "-1", "8a"])
def test_what_is_no_port_is_refused(text: str) -> None:
    """Ports are numbers from 1 to 65535."""
    with pytest.raises(PortError):
        parse_port(text)
