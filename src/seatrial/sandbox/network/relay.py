"""Carrying one TCP connection on to another address, byte for byte.

Each direction ends by itself (a half-close is passed on), a slow reader slows the writer on the other side, and a
reset on one side is a reset on the other. Written as protocols instead of streams: a connection costs two small
objects, and no task once it stands.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, cast

Address = tuple[str, int]

# SO_LINGER on with no time: closing the socket sends a reset.
_RESET: Final = struct.pack("ii", 1, 0)


class _Side(asyncio.Protocol):
    """One end: hands what it hears to the other."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _Side | None = None
        self._ended = False
        self._held = False
        self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        self._ended = True
        if self.other is not None and self.other.transport is not None:
            if self.other.transport.can_write_eof() and not self.other.transport.is_closing():
                self.other.transport.write_eof()
            if self.other.has_ended:
                self.other.transport.close()
                return False
        return True

    def pause_writing(self) -> None:
        self._full = True
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        self._full = False
        if self.other is not None:
            self.other.read_on()

    def hold(self) -> None:
        """Hear nothing until `release`, as if what is sent were lost on the way and sent again later."""
        self._held = True
        if self.transport is not None:
            self.transport.pause_reading()

    def release(self) -> None:
        """Hear again."""
        self._held = False
        self.read_on()

    def read_on(self) -> None:
        """Go on reading, unless there is a reason not to."""
        is_full = self.other is not None and self.other.is_full
        if self.transport is not None and not (self._held or self._ended or is_full):
            self.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        if self.other is None:
            return
        if error is not None:
            self.other.abort()
        elif self.other.transport is not None:
            self.other.transport.close()

    @property
    def is_full(self) -> bool:
        """Whoever is at this end reads slower than is written."""
        return self._full

    @property
    def has_ended(self) -> bool:
        """Nothing more will be heard from this end."""
        return self._ended

    def abort(self) -> None:
        """Reset the connection."""
        if self.transport is None or self.transport.is_closing():
            return
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()


class _LateSide(_Side):
    """One end whose every word takes a while to the other, in the order in which they were said.

    Args:
        delay: makes up how many seconds, for each.
    """

    def __init__(self, delay: Callable[[], float]) -> None:
        super().__init__()
        self._delay = delay
        self._arrival = 0.0

    def data_received(self, data: bytes) -> None:
        """Hand it on later."""
        self._later(super().data_received, data)

    def eof_received(self) -> bool:
        """Hand the end on after everything else."""
        self._later(super().eof_received)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """What was said before is still on its way."""
        self._later(super().connection_lost, error)

    def _later(self, what: Callable[..., object], *arguments: object) -> None:
        loop = asyncio.get_running_loop()
        # A loop keeps no order among calls for the same moment.
        self._arrival = max(self._arrival + 1e-6, loop.time() + self._delay())
        loop.call_at(self._arrival, what, *arguments)


class ClientSide(_Side):
    """The accepted end: connects to the address chosen for it.

    Args:
        choose: the address for a client's IP; None resets the connection.
        passage: waits until the client can reach that address.
        open_sides: where it stands in while it is open, so that whoever owns it can end it.
        delay: how many seconds an answer takes to a client, made up for each; None for none.
    """

    def __init__(
        self,
        *,
        choose: Callable[[str], Address | None],
        passage: Callable[[str, str], Awaitable[None]],
        open_sides: "set[ClientSide]",
        delay: Callable[[str], float] | None = None,
    ) -> None:
        super().__init__()
        self._choose = choose
        self._passage = passage
        self._open_sides = open_sides
        self._delay = delay
        self._connecting: asyncio.Task[None] | None = None
        self._early = b""
        self.ends: tuple[str, str] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to connect; what the client sends meanwhile waits."""
        super().connection_made(transport)
        self._open_sides.add(self)
        client = transport.get_extra_info("peername")[0]
        address = self._choose(client)
        if address is None or self.transport is None:
            self.abort()
            return
        self._connecting = asyncio.get_running_loop().create_task(self._connect(client, address))

    def data_received(self, data: bytes) -> None:
        """Pass it on, or keep it and read no more until there is somebody to pass it on to.

        Reading is paused here and not when the connection is made: before Python 3.11.4 a pause made there is lost.
        """
        if self.other is not None or self.transport is None:
            super().data_received(data)
            return
        self._early += data
        self.transport.pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """The client is gone: so is the connection made for it."""
        self._open_sides.discard(self)
        if self._connecting is not None:
            self._connecting.cancel()
        super().connection_lost(error)

    async def _connect(self, client: str, address: Address) -> None:
        loop = asyncio.get_running_loop()
        self.ends = (client, address[0])
        await self._passage(client, address[0])
        endpoint = _LateSide(partial(self._delay, client)) if self._delay else _Side()
        endpoint.other = self
        try:
            # From the client's own address, which the endpoint would see in a cluster.
            await loop.create_connection(lambda: endpoint, *address, local_addr=(client, 0))
        except OSError:
            self.abort()
            return
        self._connecting = None
        if self.transport is None or self.transport.is_closing():
            endpoint.abort()
            return
        self.other = endpoint
        if self._early:
            super().data_received(self._early)
            self._early = b""
        if self.has_ended:
            super().eof_received()
        else:
            self.read_on()

    def hold_both(self) -> None:
        """Let nothing pass in either direction."""
        self.hold()
        if self.other is not None:
            self.other.hold()

    def release_both(self) -> None:
        """Let everything pass again."""
        self.release()
        if self.other is not None:
            self.other.release()
