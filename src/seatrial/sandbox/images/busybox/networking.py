"""The applets that talk to others: `wget` and `nc`.

They call from the pod's own address. A bare Service name is found through the variables that Kubernetes gives each
container (`WEB_SERVICE_HOST`).
"""

import argparse
import http.client
import socket
import sys
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from seatrial.sandbox.images.serving import complain, pod_address
from seatrial.sandbox.network.low_ports import bindable

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_MAX_REDIRECTS = 5


class _WrongUsageError(Exception):
    """The arguments make no sense."""


class _Flags(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _WrongUsageError(message)


def wget(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Fetch a URL: `-q`, `-O FILE`, `-T SECONDS`, `--spider`, `-S`, `--header`, `--post-data`; plain HTTP only."""
    flags = _Flags(prog="wget", add_help=False)
    for name in ("-q", "-S", "--spider"):
        flags.add_argument(name, action="store_true")
    flags.add_argument("-O", default="")
    flags.add_argument("-T", type=float, default=900.0)
    flags.add_argument("--header", action="append", default=[])
    flags.add_argument("--post-data")
    flags.add_argument("url")
    try:
        asked = flags.parse_args(argv[1:])
        return _fetch(asked, environ)
    except (_WrongUsageError, OSError, http.client.HTTPException) as error:
        complain(f"wget: {_reason(error)}")
        return 1


def _fetch(asked: argparse.Namespace, environ: Mapping[str, str]) -> int:
    url = asked.url if "://" in asked.url else f"http://{asked.url}"
    headers = dict(line.split(":", 1) for line in asked.header if ":" in line)
    for _ in range(_MAX_REDIRECTS):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "http":
            raise _WrongUsageError(f"not an http URL: {url}")
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=asked.T)
        connection.sock = _connect(parts.hostname or "", parts.port or 80, timeout=asked.T, environ=environ)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        method = "POST" if asked.post_data is not None else "GET"
        connection.request(method, path, asked.post_data, {"Host": parts.netloc, "User-Agent": "Wget", **headers})
        answer = connection.getresponse()
        if asked.S:
            complain(f"  HTTP/1.1 {answer.status} {answer.reason}\n{answer.headers}".rstrip())
        location = answer.getheader("Location")
        if not (300 <= answer.status < 400 and location):
            return _store(asked, answer, parts)
        url = urllib.parse.urljoin(url, location)
    raise _WrongUsageError("too many redirections")


def _store(asked: argparse.Namespace, answer: http.client.HTTPResponse, parts: urllib.parse.SplitResult) -> int:
    if answer.status >= 400:
        complain(f"wget: server returned error: HTTP/1.1 {answer.status} {answer.reason}")
        return 1
    if asked.spider:
        return 0
    body = answer.read()
    if asked.O == "-":
        sys.stdout.buffer.write(body)
        sys.stdout.flush()
    else:
        Path(asked.O or Path(parts.path).name or "index.html").write_bytes(body)
    return 0


def nc(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Connect to HOST PORT: `-z` only looks whether it listens, `-w SECONDS`; else standard input is sent."""
    flags = _Flags(prog="nc", add_help=False)
    flags.add_argument("-z", action="store_true")
    flags.add_argument("-v", action="store_true")
    flags.add_argument("-w", type=float)
    flags.add_argument("host")
    flags.add_argument("port", type=int)
    try:
        asked = flags.parse_args(argv[1:])
        with _connect(asked.host, asked.port, timeout=asked.w, environ=environ) as connection:
            if asked.v:
                complain(f"{asked.host} ({connection.getpeername()[0]}:{asked.port}) open")
            if not asked.z:
                _exchange(connection)
    except (_WrongUsageError, OSError) as error:
        complain(f"nc: {_reason(error)}")
        return 1
    return 0


def _exchange(connection: socket.socket) -> None:
    connection.sendall(sys.stdin.buffer.read())
    connection.shutdown(socket.SHUT_WR)
    while data := connection.recv(65536):
        sys.stdout.buffer.write(data)
    sys.stdout.flush()


def _connect(host: str, port: int, *, timeout: float | None, environ: Mapping[str, str]) -> socket.socket:
    """A connection from the pod's own address; a pod's `localhost` is the pod itself, then the machine."""
    here = pod_address(environ)
    if host in _LOCAL:
        try:
            return socket.create_connection((here, bindable(port)), timeout, source_address=(here, 0))
        except ConnectionRefusedError:
            host = "127.0.0.1"
    return socket.create_connection((_resolved(host, environ), bindable(port)), timeout, source_address=(here, 0))


def _resolved(host: str, environ: Mapping[str, str]) -> str:
    return environ.get(f"{host.upper().replace('-', '_')}_SERVICE_HOST") or host


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
