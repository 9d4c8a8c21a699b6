"""A local port that leads to a pod's: `kubectl port-forward` in this process.

Each local connection has a WebSocket of its own with two channels: 0 carries the bytes, 1 says why the pod's port
can't be reached; both begin with two bytes that repeat the port. That is the kubelet's own WebSocket protocol
(`v4.channel.k8s.io`), which the API server of every version hands on; the newer tunnel (`SPDY/3.1+portforward.k8s.io`)
exists since 1.30 only. The protocol can't end one direction alone, and does not say when a connection stands.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from seatrial.errors import ClusterError
from seatrial.kube import errors
from seatrial.kube.transport import Transport
from seatrial.kube.websocket import V4, Channels, open_channels

_DATA, _ERROR = 0, 1
_PORT_BYTES = 2
_CHUNK_BYTES = 32 * 1024


class PortForward:
    """A listener on 127.0.0.1; `failure` is why the latest connection that failed did so.

    Such a connection is reset, since there is nobody to tell it why.
    """

    def __init__(self, transport: Transport, path: str, *, port: int) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.failure: ClusterError | None = None
        self._transport = transport
        self._path = path
        self._pod_port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_over = False

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["PortForward"]:
        """Listen for the length of the block; connections end with it."""
        server = await asyncio.start_server(self._serve, self.host, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self._is_over = True
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_over:  # accepted at the last moment, when nobody cancels it any more
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- a coroutine runs in a task
        self._tasks.add(task)
        try:
            await self._carry(reader, writer)
        except ClusterError as error:
            self.failure = error
            writer.transport.abort()
        except asyncio.CancelledError:
            # The block is over: nobody waits for this task but `listening`, which cancelled it.
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        query = [("ports", str(self._pod_port))]
        async with open_channels(self._transport, self._path, query=query, protocols=(V4,)) as channels:
            sending = asyncio.create_task(_send(reader, channels))
            receiving = asyncio.create_task(_receive(channels, writer))
            try:
                # Either side's end is the connection's: there is no half-closing.
                done, _ = await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                sending.cancel()
                receiving.cancel()
                await asyncio.gather(sending, receiving, return_exceptions=True)


async def try_port(transport: Transport, path: str, *, port: int, quiet_seconds: float) -> None:
    """Connect to a pod's port and hang up; one that doesn't refuse for `quiet_seconds` counts as connected.

    Raises:
        PortUnreachable: it refuses.
    """
    async with open_channels(transport, path, query=[("ports", str(port))], protocols=(V4,)) as channels:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(quiet_seconds), aclosing(_data_of(channels)) as data:
                await anext(data, b"")


async def _send(reader: asyncio.StreamReader, channels: Channels) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK_BYTES):
            await channels.send(_DATA, data)


async def _receive(channels: Channels, writer: asyncio.StreamWriter) -> None:
    async with aclosing(_data_of(channels)) as chunks:
        async for data in chunks:
            writer.write(data)
            with contextlib.suppress(ConnectionError):
                await writer.drain()


async def _data_of(channels: Channels) -> AsyncGenerator[bytes, None]:
    """What the pod's port sends.

    Raises:
        PortUnreachable: there is no connection with it.
    """
    begun: set[int] = set()
    while (message := await channels.receive()) is not None:
        channel, data = message
        if channel not in begun:
            begun.add(channel)
            data = data[_PORT_BYTES:]
        if data and channel == _ERROR:
            raise errors.PortUnreachable(data.decode(errors="replace").strip())
        if data:
            yield data
