"""A client of a kubelet's streams, for the tests: WebSocket by aiohttp, SPDY by the project's own frames."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp

from seatrial.sandbox.kubelet.machine_config import MachineConfig
from seatrial.sandbox.pki import Authority
from seatrial.sandbox.streaming.byte_channels import ConnectionChannel
from seatrial.sandbox.streaming.spdy import SpdyConnection, SpdyStream


@dataclass
class Conversation:
    """What a server said: bytes by channel, and the close code."""

    channels: dict[int, bytes] = field(default_factory=dict)
    code: int | None = None

    @property
    def status(self) -> dict[str, Any]:
        """The outcome that the error channel told."""
        found: dict[str, Any] = json.loads(self.channels[3])
        return found


class StreamClient:
    """Asks one kubelet."""

    def __init__(self, config: MachineConfig, authority: Authority) -> None:
        client = authority.issue_client("kube-apiserver-kubelet-client", ["system:masters"])
        self.tls = ssl.create_default_context(cafile=str(authority.ca_file))
        self.tls.load_cert_chain(client.cert_file, client.key_file)
        self.host, self.port = config.address, config.kubelet_port

    def url(self, path: str, query: Sequence[tuple[str, str]] = ()) -> str:
        """The URL of an end point."""
        return f"https://{self.host}:{self.port}{path}?{urlencode(query)}"

    @asynccontextmanager
    async def websocket(
        self, path: str, query: Sequence[tuple[str, str]], protocol: str = "v5.channel.k8s.io"
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """An open WebSocket."""
        protocols = (protocol,) if protocol else ()
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(self.url(path, query), ssl=self.tls, protocols=protocols, max_msg_size=0) as socket,
        ):
            yield socket

    async def talk(
        self,
        path: str,
        query: Sequence[tuple[str, str]],
        *,
        messages: Sequence[bytes] = (),
        protocol: str = "v5.channel.k8s.io",
    ) -> Conversation:
        """Send these messages and listen until the server closes."""
        async with asyncio.timeout(30), self.websocket(path, query, protocol) as socket:
            for message in messages:
                await socket.send_bytes(message)
            return await listen(socket)

    @asynccontextmanager
    async def spdy(self, path: str, query: Sequence[tuple[str, str]], protocols: str) -> AsyncIterator[SpdyConnection]:
        """A connection that was upgraded to SPDY; ConnectionError with the answer where it was not."""
        reader, writer = await asyncio.open_connection(self.host, self.port, ssl=self.tls)
        head = f"POST {path}?{urlencode(query)} HTTP/1.1\r\nHost: {self.host}\r\nConnection: Upgrade\r\n"
        head += f"Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: {protocols}\r\nContent-Length: 0\r\n\r\n"
        writer.write(head.encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 101"):
            writer.close()
            raise ConnectionError(answer.decode())
        connection = SpdyConnection(ConnectionChannel(reader, writer), is_client=True)
        running = asyncio.create_task(connection.run())
        try:
            yield connection
        finally:
            await connection.close()
            running.cancel()
            await asyncio.wait([running])


async def listen(socket: aiohttp.ClientWebSocketResponse) -> Conversation:
    """All that a server says until it closes."""
    said = Conversation()
    async for message in socket:
        data = message.data.encode() if isinstance(message.data, str) else message.data
        said.channels[data[0]] = said.channels.get(data[0], b"") + data[1:]
    said.code = socket.close_code
    return said


async def read_all(stream: SpdyStream) -> bytes:
    """What a stream holds until its end."""
    found = bytearray()
    while data := await stream.read():
        found += data
    return bytes(found)
