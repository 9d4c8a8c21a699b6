"""The machine's control socket: stop and start its kubelet, run a command, ask how it is.

`<directory>/machine.sock`, for this user only; one JSON object a line, one line in return:

    {"stop": "kubelet"}    {"start": "kubelet"}    {"status": {}}    {"firewall": [NODE, ...]}
    {"exec": {"command": ..., "timeoutSeconds": ...}}

The answer is the machine's status (of a command: what it came to, when it ended), or `{"error": ...}`. Containers are
not touched by any of these.
"""

import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from seatrial.sandbox.kubelet.channel import Channel
from seatrial.sandbox.kubelet.reactor import Reactor

SOCKET_NAME: Final = "machine.sock"
_BACKLOG: Final = 8

Answer = Callable[[dict[str, Any]], None]
Handler = Callable[[dict[str, Any], Answer], dict[str, Any] | None]


def request(directory: Path, message: dict[str, Any], *, timeout_seconds: float = 5) -> dict[str, Any]:
    """Send one request to the machine of that directory and return its answer.

    Raises:
        OSError: the machine is off.
    """
    with socket.socket(socket.AF_UNIX) as sock, short_path(directory) as path:
        sock.settimeout(timeout_seconds)
        sock.connect(path)
        sock.sendall(json.dumps(message).encode() + b"\n")
        with sock.makefile("rb") as answer:
            decoded: dict[str, Any] = json.loads(answer.readline() or b'{"error": "the machine hung up"}')
    return decoded


class ControlSocket:
    """Listens in the machine's directory and answers with what `handler` returns, or (None) hands over later."""

    def __init__(self, reactor: Reactor, directory: Path, handler: Handler) -> None:
        self._reactor = reactor
        self._handler = handler
        self._channels: set[Channel] = set()
        (directory / SOCKET_NAME).unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        umask = os.umask(0o177)
        try:
            with short_path(directory) as path:
                self._socket.bind(path)
        finally:
            os.umask(umask)
        self._socket.listen(_BACKLOG)
        reactor.watch(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            sock, _ = self._socket.accept()
        except BlockingIOError:
            return
        channel = Channel(
            self._reactor,
            sock,
            on_line=lambda line: self._take(line, lambda answer: channel.send(json.dumps(answer).encode() + b"\n")),
            on_close=lambda: self._channels.discard(channel),
        )
        self._channels.add(channel)

    def _take(self, line: bytes, send: Answer) -> None:
        try:
            answer = self._handler(_decode(line), send)
        except ValueError as error:
            answer = {"error": str(error)}
        if answer is not None:
            send(answer)


def _decode(line: bytes) -> dict[str, Any]:
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("a request is a JSON object")  # noqa: TRY004 -- the peer's mistake, not a programmer's
    return message


@contextlib.contextmanager
def short_path(directory: Path) -> Iterator[str]:
    """A path to the socket that fits in a `sockaddr_un` (108 bytes), however deep the directory lies."""
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{SOCKET_NAME}"
    finally:
        os.close(fd)
