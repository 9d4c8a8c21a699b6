"""`kubectl port-forward` in the kubelet: connections to a pod's ports, carried in the streams of one client connection.

Over SPDY a client opens two streams for each connection, `data` and `error`, which `requestID` makes a pair. In the
older form over WebSocket each port of the request has two channels and one connection. What can't be connected to is
said in the error stream, in a container runtime's words.
"""

import asyncio
import contextlib
import hashlib
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from seatrial.sandbox.kubelet.streams.message_channels import MessageChannels
from seatrial.sandbox.network.low_ports import bindable
from seatrial.sandbox.streaming.spdy import SpdyConnection, SpdyStream

PROTOCOL: Final = "portforward.k8s.io"
TUNNEL_PROTOCOL: Final = "SPDY/3.1+portforward.k8s.io"
SOCKET_PROTOCOLS: Final = {
    "": 1, "channel.k8s.io": 1, "base64.channel.k8s.io": 1, "v4.channel.k8s.io": 4, "v4.base64.channel.k8s.io": 4,
}  # fmt: skip
_CHUNK_BYTES: Final = 64 * 1024
_CONNECT_SECONDS: Final = 10.0
_PAIR_SECONDS: Final = 30.0


class PortError(ValueError):
    """A request that names no port, or one that is none."""


@dataclass(frozen=True)
class PodTarget:
    """Where a pod's ports are.

    Args:
        address: the pod's.
        uid: the pod's, from which the names of its surroundings in messages follow.
    """

    address: str
    uid: str

    async def connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to a port; ConnectionError with what a client is told."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await asyncio.open_connection(self.address, bindable(port))
        except TimeoutError as error:
            raise ConnectionError(self._failure(port, "i/o timeout")) from error
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            why = "connection refused" if isinstance(error, ConnectionRefusedError) else why
            raise ConnectionError(self._failure(port, f"connect: {why}")) from error

    def _failure(self, port: int, why: str) -> str:
        sandbox = hashlib.sha256(self.uid.encode()).hexdigest()
        namespace = f"/var/run/netns/cni-{uuid.uuid5(uuid.NAMESPACE_OID, self.uid)}"
        return (
            f"error forwarding port {port} to pod {sandbox}, uid : failed to execute portforward in network namespace "
            f'"{namespace}": failed to connect to localhost:{port} inside namespace "{sandbox}", IPv4: dial tcp4 '
            f"127.0.0.1:{port}: {why} IPv6 dial tcp6: address localhost: no suitable address found "
        )


def parse_port(text: str) -> int:
    """A port number.

    Raises:
        PortError: it is none.
    """
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise PortError(f'unable to parse "{text}" as a port')
    return int(text)


# --- SPDY


async def forward_streams(connection: SpdyConnection, target: PodTarget) -> None:
    """Serve a client's pairs of streams until it goes; the connection must be running."""
    waiting: dict[str, dict[str, SpdyStream]] = {}
    async with asyncio.TaskGroup() as group:
        while stream := await connection.accept():
            request = stream.headers.get("requestid", str(stream.number - stream.number % 4))
            pair = waiting.setdefault(request, {})
            pair[stream.headers.get("streamtype", "")] = stream
            if {"data", "error"} <= pair.keys():
                del waiting[request]
                group.create_task(_forward_pair(pair["data"], pair["error"], target))
            elif len(pair) == 1:
                group.create_task(_expire(waiting, request, pair))


async def _expire(waiting: dict[str, dict[str, SpdyStream]], request: str, pair: dict[str, SpdyStream]) -> None:
    """Refuse a stream whose other half doesn't come."""
    await asyncio.sleep(_PAIR_SECONDS)
    if waiting.get(request) is pair:
        del waiting[request]
        for stream in pair.values():
            with contextlib.suppress(ConnectionError):
                await stream.reset()


async def _forward_pair(data: SpdyStream, error: SpdyStream, target: PodTarget) -> None:
    try:
        try:
            port = parse_port(data.headers.get("port", ""))
            reader, writer = await target.connect(port)
        except (ConnectionError, PortError) as failure:
            await error.write(str(failure).encode())
        else:
            await _carry(reader, writer, read=data.read, write=data.write, finish=data.finish)
        await data.finish()
        await error.finish()
    except ConnectionError:
        # The client is gone; there is nobody to be told.
        return


async def _carry(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    read: Callable[[], Awaitable[bytes]],
    write: Callable[[bytes], Awaitable[None]],
    finish: Callable[[], Awaitable[None]],
) -> None:
    """Carry bytes both ways, until the pod has hung up or the client has."""

    async def to_pod() -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await read():
                writer.write(chunk)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()

    async def to_client() -> None:
        while chunk := await _read(reader):
            await write(chunk)
        await finish()

    sending = asyncio.create_task(to_pod())
    try:
        await to_client()
    finally:
        sending.cancel()
        await asyncio.wait([sending])
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(_CHUNK_BYTES)
    except ConnectionError:
        return b""


# --- channels in a WebSocket


class PortChannels:
    """One connection for each port of the request: channel 2n carries it, 2n+1 its error.

    Args:
        socket: a WebSocket that is open.
        protocol: the one chosen.
        ports: of the request, in order.
        target: the pod.
    """

    def __init__(self, socket: web.WebSocketResponse, protocol: str, ports: Sequence[int], target: PodTarget) -> None:
        self._channels = MessageChannels(socket, is_text="base64" in protocol)
        self._ports = ports
        self._target = target
        self._incoming: list[asyncio.Queue[bytes]] = [asyncio.Queue(16) for _ in ports]

    async def run(self) -> None:
        """Serve until the pod's ends are all closed, or the client goes."""
        for index, port in enumerate(self._ports):
            for channel in (2 * index, 2 * index + 1):
                await self._channels.send(channel, port.to_bytes(2, "little"))
        forwards = [asyncio.create_task(self._forward(index, port)) for index, port in enumerate(self._ports)]
        listening = asyncio.create_task(self._listen())
        try:
            while not listening.done() and (alive := {task for task in forwards if not task.done()}):
                await asyncio.wait({listening, *alive}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks = [*forwards, listening]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _listen(self) -> None:
        async for channel, data in self._channels:
            if channel % 2 == 0 and channel // 2 < len(self._incoming) and data:
                await self._incoming[channel // 2].put(data)

    async def _forward(self, index: int, port: int) -> None:
        try:
            try:
                reader, writer = await self._target.connect(port)
            except ConnectionError as failure:
                await self._channels.send(2 * index + 1, str(failure).encode())
                return
            await _carry(
                reader,
                writer,
                read=self._incoming[index].get,
                write=lambda chunk: self._channels.send(2 * index, chunk),
                finish=_nothing,
            )
        except ConnectionError:
            # The client is gone; there is nobody to be told.
            return


async def _nothing() -> None:
    return
