"""A listening TCP socket that can be closed at any moment without stranding a client.

asyncio's own server loses a connection that it has accepted but not yet handed on when it is closed in between: the
client then waits for ever. Here each accepted connection gets its protocol, whatever happens to the listener.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

import structlog

_BACKLOG: Final = 1024
_ACCEPT_AGAIN_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class Listener:
    """Listens from the moment it is made.

    Args:
        address: IPv4 address and port.
        accept: makes the protocol of a connection.

    Raises:
        OSError: the address can't be bound.
    """

    def __init__(self, address: tuple[str, int], *, accept: Callable[[], asyncio.Protocol]) -> None:
        self._accept = accept
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.setblocking(False)
            self._socket.bind(address)
            self._socket.listen(_BACKLOG)
        except OSError:
            self._socket.close()
            raise
        self._resume()

    def close(self) -> None:
        """Stop listening; connections that stand are left alone."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _resume(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket, self._readable)

    def _readable(self) -> None:
        for _ in range(_BACKLOG):
            try:
                accepted, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # Out of file descriptors, most likely: the socket stays readable, so look away for a while.
                _log.warning("connections can't be accepted", error=str(error))
                self._loop.remove_reader(self._socket)
                self._loop.call_later(_ACCEPT_AGAIN_SECONDS, self._resume)
                return
            accepted.setblocking(False)
            task = self._loop.create_task(self._hand_on(accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _hand_on(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._accept, accepted)
        except OSError:
            accepted.close()
