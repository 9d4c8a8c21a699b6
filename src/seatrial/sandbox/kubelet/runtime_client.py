"""The kubelet's side of the connection to its machine's container runtime."""

import asyncio
import itertools
import socket
from collections.abc import Sequence
from typing import Final

import msgspec

from seatrial.sandbox.kubelet.protocol import (
    AttachContainer,
    CloseStdin,
    CommandEnded,
    Container,
    ContainerRecord,
    ExecInContainer,
    Exited,
    FollowLog,
    LimitContainer,
    ListContainers,
    Logged,
    OpenExec,
    RemoveContainer,
    Reply,
    Request,
    SignalContainer,
    StartContainer,
    decode_message,
    encode_line,
)
from seatrial.sandbox.kubelet.streams.descriptor_channel import KubeletEnd, PacketTooLongError, close_all

_LONGEST_LINE_BYTES: Final = 64 * 1024 * 1024
_decode_reply: Final = msgspec.json.Decoder(Reply).decode


class RuntimeFailedError(Exception):
    """The runtime could not do what was asked; the text says why."""


class RuntimeClient:
    """Asks the runtime, and knows how containers ended.

    Args:
        sock: the connection that the machine handed to the kubelet.
        packets: the other one, for requests with descriptors; None where there are none to be made.
    """

    def __init__(self, sock: socket.socket, packets: socket.socket | None = None) -> None:
        self._socket = sock
        self._request_ids = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Reply]] = {}
        self._ends: dict[str, asyncio.Future[ContainerRecord]] = {}
        self._log_waiters: dict[str, list[asyncio.Future[None]]] = {}
        self._commands: dict[int, asyncio.Future[int]] = {}
        self._packets = KubeletEnd(packets, self._take_packet) if packets is not None else None
        self._packet_replies: dict[int, asyncio.Future[tuple[Reply, Sequence[int]]]] = {}
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.isolates = False

    async def connect(self) -> None:
        """Take the connection over; before anything else."""
        self._reader, self._writer = await asyncio.open_connection(sock=self._socket, limit=_LONGEST_LINE_BYTES)
        if self._packets is not None:
            self._packets.start()

    async def run(self) -> None:
        """Read what the runtime says, until it is gone.

        Raises:
            ConnectionError: it is gone, and a kubelet without it is of no use.
        """
        if self._reader is None:
            raise ConnectionError("not connected with the container runtime")
        while line := await self._reader.readline():
            self._take(line)
        raise ConnectionError("the container runtime is gone")

    def close(self) -> None:
        """Hang up."""
        if self._packets is not None:
            self._packets.close()
        if self._writer is not None:
            self._writer.close()

    async def start(self, container: Container) -> ContainerRecord:
        """Start a container.

        Raises:
            RuntimeFailedError: its program can't be run.
        """
        reply = await self._ask(StartContainer(next(self._request_ids), container))
        self._future_end(container.id)
        return reply.records[0]

    async def list(self) -> tuple[ContainerRecord, ...]:
        """All containers of the machine; from here on their ends can be awaited."""
        reply = await self._ask(ListContainers(next(self._request_ids)))
        self.isolates = reply.isolates
        for record in reply.records:
            end = self._future_end(record.container.id)
            if not record.running and not end.done():
                end.set_result(record)
        return reply.records

    async def wait_end(self, container_id: str) -> ContainerRecord:
        """Wait until a container has ended; may be asked any number of times."""
        return await asyncio.shield(self._future_end(container_id))

    async def signal(self, container_id: str, number: int) -> None:
        """Send a signal; one that is not running any more needs none."""
        await self._ask(SignalContainer(next(self._request_ids), container_id, number), fail=False)

    async def limit(self, container_id: str, *, memory_bytes: int, cpu_cores: float) -> None:
        """Change how much memory and processor time a running container may have, 0 for as much as there is."""
        request = LimitContainer(next(self._request_ids), container_id, memory_bytes, cpu_cores)
        await self._ask(request, fail=False)

    async def remove(self, container_id: str) -> None:
        """Forget a container."""
        await self._ask(RemoveContainer(next(self._request_ids), container_id), fail=False)
        end = self._ends.pop(container_id, None)
        if end is not None and not end.done():
            end.cancel()
        self._wake_followers(container_id)

    async def execute(self, container_id: str, argv: tuple[str, ...], *, timeout_seconds: float) -> Reply:
        """Run a command beside a container's main process; `error` of the reply tells if it could not start."""
        request = ExecInContainer(next(self._request_ids), container_id, argv, timeout_seconds)
        return await self._ask(request, fail=False)

    async def open_exec(
        self, container_id: str, argv: tuple[str, ...], *, descriptors: tuple[int, int, int], terminal: bool
    ) -> asyncio.Future[int]:
        """Start a command with these standard streams; its exit code comes when it has ended.

        Raises:
            RuntimeFailedError: it can't be run.
        """
        request = OpenExec(next(self._request_ids), container_id, argv, terminal)
        ended = asyncio.get_running_loop().create_future()
        self._commands[request.request_id] = ended
        try:
            await self._ask(request, descriptors=descriptors)
        except BaseException:
            self._commands.pop(request.request_id, None)
            raise
        return ended

    async def attach(self, container_id: str, *, stdout: int, stderr: int) -> int | None:
        """Have a container's output copied to two descriptors; a descriptor of its standard input, if it has one.

        Raises:
            RuntimeFailedError: it doesn't run.
        """
        if self._packets is None:
            raise RuntimeFailedError("no way to hand descriptors over")
        request = AttachContainer(next(self._request_ids), container_id)
        answer: asyncio.Future[tuple[Reply, Sequence[int]]] = asyncio.get_running_loop().create_future()
        self._packet_replies[request.request_id] = answer
        try:
            await self._packets.send(encode_line(request), (stdout, stderr))
            reply, descriptors = await answer
        finally:
            self._packet_replies.pop(request.request_id, None)
        if reply.error:
            raise RuntimeFailedError(reply.error)
        return descriptors[0] if descriptors else None

    async def close_stdin(self, container_id: str) -> None:
        """Let a container's standard input end."""
        await self._ask(CloseStdin(next(self._request_ids), container_id), fail=False)

    async def expect_log(self, container_id: str) -> asyncio.Future[None] | None:
        """What is done when the container writes something after this, or ends; None when it has ended."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._log_waiters.setdefault(container_id, []).append(waiter)
        reply = await self._ask(FollowLog(next(self._request_ids), container_id), fail=False)
        if reply.error:
            self._wake_followers(container_id)
            return None
        return waiter

    async def _ask(
        self, request: Request, *, fail: bool = True, descriptors: tuple[int, int, int] | None = None
    ) -> Reply:
        if self._writer is None:
            raise ConnectionError("not connected with the container runtime")
        reply = asyncio.get_running_loop().create_future()
        self._replies[request.request_id] = reply
        try:
            await self._send(request, descriptors)
            answer: Reply = await reply
        finally:
            self._replies.pop(request.request_id, None)
        if fail and answer.error:
            raise RuntimeFailedError(answer.error)
        return answer

    async def _send(self, request: Request, descriptors: tuple[int, int, int] | None) -> None:
        if self._writer is None:
            raise ConnectionError("not connected with the container runtime")
        if descriptors is None:
            self._writer.write(encode_line(request))
            return
        if self._packets is None:
            raise RuntimeFailedError("no way to hand descriptors over")
        try:
            await self._packets.send(encode_line(request), descriptors)
        except PacketTooLongError as error:
            raise RuntimeFailedError(str(error)) from error

    def _take_packet(self, packet: bytes, descriptors: Sequence[int]) -> None:
        reply = _decode_reply(packet)
        waiting = self._packet_replies.get(reply.request_id)
        if waiting is None or waiting.done():
            close_all(descriptors)
        else:
            waiting.set_result((reply, descriptors))

    def _future_end(self, container_id: str) -> asyncio.Future[ContainerRecord]:
        return self._ends.setdefault(container_id, asyncio.get_running_loop().create_future())

    def _take(self, line: bytes) -> None:
        message = decode_message(line)
        match message:
            case Reply():
                reply = self._replies.get(message.request_id)
                if reply is not None and not reply.done():
                    reply.set_result(message)
            case Exited():
                end = self._future_end(message.record.container.id)
                if not end.done():
                    end.set_result(message.record)
                self._wake_followers(message.record.container.id)
            case Logged():
                self._wake_followers(message.container_id)
            case CommandEnded():
                command = self._commands.pop(message.request_id, None)
                if command is not None and not command.done():
                    command.set_result(message.exit_code)

    def _wake_followers(self, container_id: str) -> None:
        for waiter in self._log_waiters.pop(container_id, ()):
            if not waiter.done():
                waiter.set_result(None)
