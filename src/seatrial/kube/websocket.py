"""Numbered channels in a WebSocket: how Kubernetes carries the streams of `exec` and `portforward`.

Each binary message begins with a byte that names its channel; the rest is data. What the channels mean is `exec`'s
and `port_forward`'s. Source: Kubernetes documentation, "Kubernetes API Concepts", and the subprotocols
`v4.channel.k8s.io` and `v5.channel.k8s.io` (KEP-4006).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp

from seatrial.errors import ClusterError
from seatrial.kube import errors
from seatrial.kube.transport import Transport

V4 = "v4.channel.k8s.io"
V5 = "v5.channel.k8s.io"
_PIECE_BYTES = 32 * 1024
_ENDS = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED)


class Channels:
    """The channels of one open WebSocket; `protocol` is the one that the server chose."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, *, server: str) -> None:
        self.protocol = socket.protocol or ""
        self._socket = socket
        self._server = server

    async def send(self, channel: int, data: bytes) -> None:
        """Send data of any length.

        Raises:
            ClusterError: the connection is gone.
        """
        try:
            for start in range(0, len(data), _PIECE_BYTES):
                await self._socket.send_bytes(bytes([channel]) + data[start : start + _PIECE_BYTES])
        except (aiohttp.ClientError, OSError) as error:
            raise errors.connection_error(error, server=self._server) from error

    async def receive(self) -> tuple[int, bytes] | None:
        """The next message as channel and data; None when the server has closed the connection.

        Raises:
            ClusterError: the connection broke, or what came is none of these protocols.
        """
        message = await self._socket.receive()
        if message.type in _ENDS:
            return None
        if message.type is aiohttp.WSMsgType.ERROR:
            error = self._socket.exception() or ConnectionResetError()
            raise errors.connection_error(error, server=self._server) from error
        if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
            raise errors.UnexpectedAnswer(f"{self._server} sent a stream of another protocol")
        return message.data[0], message.data[1:]


@asynccontextmanager
async def open_channels(
    transport: Transport, path: str, *, query: Sequence[tuple[str, str]], protocols: Sequence[str]
) -> AsyncIterator[Channels]:
    """Channels for the length of the block.

    Raises:
        ClusterError: the server refused, or speaks none of these protocols.
    """
    try:
        async with transport.websocket(path, query=query, protocols=protocols) as socket:
            channels = Channels(socket, server=transport.server)
            if channels.protocol not in protocols:
                raise _unknown_protocol(transport.server, protocols)
            yield channels
    except errors.Forbidden as error:
        if (
            error.reason
        ):  # an API server that forbids something says what; a kubelet only that it knows no such protocol
            raise
        raise _unknown_protocol(transport.server, protocols) from error


def _unknown_protocol(server: str, protocols: Sequence[str]) -> ClusterError:
    return errors.UnexpectedAnswer(
        f"{server} speaks none of: {', '.join(protocols)}",
        hint="v5 came with Kubernetes 1.30; and a proxy before the API server may not let WebSockets through",
    )
