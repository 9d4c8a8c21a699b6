"""A line-wise connection of the machine's event loop: what the kubelet and whoever controls the machine speak over."""

import socket
from collections.abc import Callable
from typing import Final

from seatrial.sandbox.kubelet.reactor import Reactor

# A peer that leaves that much unread is taken for dead.
_MOST_UNSENT_BYTES: Final = 32 * 1024 * 1024
_CHUNK_BYTES: Final = 65536


class Channel:
    """Reads lines, writes lines, never blocks.

    Args:
        reactor: the loop that it lives in.
        sock: a connected stream socket; closed with the channel.
        on_line: called for each line, without its end.
        on_close: called once, when the peer is gone or `close` was called.
    """

    def __init__(
        self,
        reactor: Reactor,
        sock: socket.socket,
        *,
        on_line: Callable[[bytes], None],
        on_close: Callable[[], None],
    ) -> None:
        sock.setblocking(False)
        self._reactor = reactor
        self._socket = sock
        self._on_line = on_line
        self._on_close = on_close
        self._received = bytearray()
        self._unsent = bytearray()
        self._open = True
        reactor.watch(sock.fileno(), self._read)

    def send(self, line: bytes) -> None:
        """Send one line, which ends in a newline; silently nothing when the peer is gone."""
        if not self._open:
            return
        self._unsent += line
        self._write()

    def close(self) -> None:
        """Hang up."""
        if self._open:
            self._open = False
            self._reactor.unwatch(self._socket.fileno())
            self._socket.close()
            self._on_close()

    def _write(self) -> None:
        try:
            while self._unsent:
                sent = self._socket.send(self._unsent)
                del self._unsent[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        if len(self._unsent) > _MOST_UNSENT_BYTES:
            self.close()
            return
        self._reactor.watch(self._socket.fileno(), self._read, self._write if self._unsent else None)

    def _read(self) -> None:
        try:
            chunk = self._socket.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self.close()
            return
        self._received += chunk
        while self._open and (end := self._received.find(b"\n")) >= 0:
            line = bytes(self._received[:end])
            del self._received[: end + 1]
            self._on_line(line)
