"""What probes tell of connections that fail: the texts that a kubelet has from Go."""

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from seatrial.sandbox.kubelet.probing.checks import Checker, CheckResult, CheckTarget
from seatrial.sandbox.kubelet.runtime_client import RuntimeClient

Answer = Callable[[asyncio.StreamWriter], None]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[int]:
    """A server that reads a request and answers in its own way; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        answer(writer)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def look(port: int, scheme: str = "HTTP") -> CheckResult:
    """One HTTP check."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        checker = Checker(RuntimeClient(ours))
        try:
            target = CheckTarget(container_id="", pod_ip="127.0.0.1", ports={})
            return await checker.check({"httpGet": {"port": port, "scheme": scheme}}, target, timeout_seconds=10)
        finally:
            await checker.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """Hang up with what is unread left (RST)."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


async def test_a_reset_names_both_ends() -> None:
    """Reading was what failed, between this address and that."""
    async with server(reset) as port:
        result = await look(port)
    assert not result.ok
    ends = rf"read tcp 127\.0\.0\.1:\d+->127\.0\.0\.1:{port}"
    text = rf'Get "http://127\.0\.0\.1:{port}/": {ends}: read: connection reset by peer'
    assert re.fullmatch(text, result.output)


async def test_a_connection_that_ends_without_an_answer_is_an_eof() -> None:
    """Nothing came."""
    async with server(lambda _: None) as port:
        result = await look(port)
    assert result.output == f'Get "http://127.0.0.1:{port}/": EOF'


async def test_an_answer_that_is_not_http_is_quoted() -> None:
    """Its first line, at least."""
    async with server(lambda writer: writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")) as port:
        result = await look(port)
    broken = 'net/http: HTTP/1.x transport connection broken: malformed HTTP response "SSH-2.0-OpenSSH"'
    assert result.output == f'Get "http://127.0.0.1:{port}/": {broken}'


async def test_https_to_a_plain_server() -> None:
    """The mistake has a name of its own."""
    async with server(lambda writer: writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")) as port:
        result = await look(port, "HTTPS")
    assert result.output == f'Get "https://127.0.0.1:{port}/": http: server gave HTTP response to HTTPS client'


async def test_nobody_listens() -> None:
    """Dialling was what failed; the check may be repeated soon."""
    async with server(lambda _: None) as port:
        pass
    result = await look(port)
    assert result.output == f'Get "http://127.0.0.1:{port}/": dial tcp 127.0.0.1:{port}: connect: connection refused'
    assert result.refused
