"""A client that sends whatever it is told to, well-formed or not, and reads what comes back with a deadline."""

import http.client
import socket
import ssl
from dataclasses import dataclass
from io import BytesIO

HEAD_SECONDS = 20.0
"""How long an answer may take to begin: one that waits for a revision of the future takes three seconds."""

_STREAM_SECONDS = 0.05
_MOST_READ = 1 << 20


@dataclass(frozen=True)
class Answer:
    """What a server answered; `body` is the beginning of a stream that has no end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class NoAnswerError(Exception):
    """The server closed the connection without an answer, or answered no HTTP."""


class RawClient:
    """Keeps one connection to an HTTPS server as long as both sides like.

    Args:
        address: host and port.
        tls: how to connect.
        headers: sent with each request unless it has its own of the name.
    """

    def __init__(self, address: tuple[str, int], *, tls: ssl.SSLContext, headers: dict[str, str]) -> None:
        self._address = address
        self._tls = tls
        self._headers = headers
        self._socket: ssl.SSLSocket | None = None

    def request(
        self, method: str, target: str | bytes, *, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send one request and read its answer; of a stream, what comes at once."""
        sent = {**self._headers, **(headers or {})}
        target = target if isinstance(target, bytes) else target.encode(errors="surrogatepass")
        lines = [method.encode() + b" " + target + b" HTTP/1.1", b"Host: fuzz"]
        lines += [f"{name}: {value}".encode(errors="surrogateescape") for name, value in sent.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}".encode())
        return self.send(b"\r\n".join(lines) + b"\r\n\r\n" + body, method=method)

    def send(self, data: bytes, *, method: str = "GET") -> Answer:
        """Send these bytes and read what they are answered."""
        fresh = self._socket is None
        try:
            return self._exchange(data, method)
        except (ConnectionError, ssl.SSLError, http.client.HTTPException, NoAnswerError):
            # The server may close a connection that was kept; a fresh one it must answer on.
            self.close()
            if fresh:
                raise NoAnswerError(data[:200]) from None
            return self.send(data, method=method)

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def connect(self) -> ssl.SSLSocket:
        """A connection of its own, for whoever wants to misuse it."""
        plain = socket.create_connection(self._address, timeout=HEAD_SECONDS)
        return self._tls.wrap_socket(plain, server_hostname=self._address[0])

    def _exchange(self, data: bytes, method: str) -> Answer:
        self._socket = self._socket or self.connect()
        self._socket.settimeout(HEAD_SECONDS)
        self._socket.sendall(data)
        response = http.client.HTTPResponse(self._socket, method=method)
        try:
            response.begin()
            body, complete = self._body(response)
        finally:
            response.close()
        if not complete or response.will_close or response.status == 101:
            self.close()
        return Answer(response.status, response.headers, body)

    def _body(self, response: http.client.HTTPResponse) -> tuple[bytes, bool]:
        assert self._socket is not None
        if response.status == 101:
            return b"", False
        if not response.chunked:
            return response.read(), True
        # A stream: what is there within a moment is enough.
        self._socket.settimeout(_STREAM_SECONDS)
        read = BytesIO()
        try:
            while read.tell() < _MOST_READ:
                piece = response.read1(65536)
                if not piece:
                    return read.getvalue(), True
                read.write(piece)
        except TimeoutError:
            pass
        return read.getvalue(), False
