"""Requests that bring file descriptors along: the kubelet's streams for a command, a container's standard input.

Beside the line-wise connection of kubelet and container runtime (`protocol`) there is this one, of packets: bytes of a
command's output then go from its pipe to the kubelet without passing through the machine's process. See unix(7),
SCM_RIGHTS.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from seatrial.sandbox.kubelet.reactor import Reactor

_LARGEST_PACKET: Final = 128 * 1024
_MOST_DESCRIPTORS: Final = 3


class PacketTooLongError(ValueError):
    """A request that doesn't fit in one packet."""


def descriptor_sockets() -> tuple[socket.socket, socket.socket]:
    """Two connected ends."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def close_all(descriptors: Iterable[int]) -> None:
    """Close descriptors."""
    for fd in descriptors:
        os.close(fd)


class MachineEnd:
    """The machine's end of the channel.

    Args:
        reactor: the loop that it lives in.
        sock: closed with this.
        handle: takes a packet and its descriptors, which are the handler's to close.
    """

    def __init__(self, reactor: Reactor, sock: socket.socket, handle: Callable[[bytes, list[int]], None]) -> None:
        sock.setblocking(False)
        self._reactor = reactor
        self._socket = sock
        self._handle = handle
        self._is_open = True
        reactor.watch(sock.fileno(), self._receive)

    def send(self, packet: bytes, descriptors: Sequence[int]) -> None:
        """Answer; nothing when the kubelet is gone or doesn't read."""
        if self._is_open:
            try:
                socket.send_fds(self._socket, [packet], list(descriptors))
            except OSError:
                self.close()

    def close(self) -> None:
        """Hang up."""
        if self._is_open:
            self._is_open = False
            self._reactor.unwatch(self._socket.fileno())
            self._socket.close()

    def _receive(self) -> None:
        received = _receive_packet(self._socket)
        if received is None:
            return
        packet, descriptors = received
        if not packet:
            self.close()
            return
        self._handle(packet, descriptors)


class KubeletEnd:
    """The kubelet's end: in asyncio's loop.

    Args:
        sock: closed with this.
        take: takes an answer and its descriptors.
    """

    def __init__(self, sock: socket.socket, take: Callable[[bytes, Sequence[int]], None]) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._take = take
        self._sending = asyncio.Lock()

    def start(self) -> None:
        """Begin to listen."""
        asyncio.get_running_loop().add_reader(self._socket, self._receive)

    def close(self) -> None:
        """Hang up."""
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    async def send(self, packet: bytes, descriptors: Sequence[int]) -> None:
        """Send a request with descriptors, which stay open here too.

        Raises:
            PacketTooLongError: it doesn't fit.
        """
        if len(packet) > _LARGEST_PACKET:
            raise PacketTooLongError("argument list too long")
        async with self._sending:
            while True:
                try:
                    socket.send_fds(self._socket, [packet], list(descriptors))
                except BlockingIOError:
                    await self._wait_writable()
                else:
                    return

    async def _wait_writable(self) -> None:
        loop = asyncio.get_running_loop()
        writable = loop.create_future()

        def wake() -> None:
            if not writable.done():
                writable.set_result(None)

        loop.add_writer(self._socket, wake)
        try:
            await writable
        finally:
            loop.remove_writer(self._socket)

    def _receive(self) -> None:
        received = _receive_packet(self._socket)
        if received is None:
            return
        packet, descriptors = received
        if packet:
            self._take(packet, descriptors)
        else:
            asyncio.get_running_loop().remove_reader(self._socket)


def _receive_packet(sock: socket.socket) -> tuple[bytes, list[int]] | None:
    """The next packet and its descriptors: an empty one at the end, None as long as there is none."""
    try:
        packet, descriptors, _, _ = socket.recv_fds(sock, _LARGEST_PACKET, _MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
    except BlockingIOError:
        return None
    except OSError:
        return b"", []
    return packet, descriptors
