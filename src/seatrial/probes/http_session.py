"""The HTTP session of probes, and the clock of each request's parts: connection, TLS handshake, first byte, last byte.

aiohttp tells when a connection is begun and when it stands, TLS included. When the handshake begins only the TLS
context knows, at `wrap_bio`; so probes have a context of their own that writes it down for the request that it serves.
"""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import aiohttp


@dataclass(slots=True)
class Stopwatch:
    """The moments of one request, in seconds of the event loop's clock."""

    begun: float
    connecting: float | None = None
    handshake: float | None = None
    connected: float | None = None
    first_byte: float | None = None

    @property
    def connect_ms(self) -> float | None:
        """From the beginning of the connection, looking up the name included, until it stands; without TLS."""
        return _between(self.connecting, self.handshake or self.connected)

    @property
    def tls_ms(self) -> float | None:
        """The TLS handshake; None without TLS."""
        return _between(self.handshake, self.connected)

    @property
    def first_byte_ms(self) -> float | None:
        """From the beginning of the request until the answer's head is there."""
        return _between(self.begun, self.first_byte)

    @property
    def elapsed_ms(self) -> float:
        """From the beginning of the request until this moment."""
        return (asyncio.get_running_loop().time() - self.begun) * 1000


_current: ContextVar[Stopwatch | None] = ContextVar("probe stopwatch", default=None)


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    """A stopwatch for the request made in the block, with a session of `probe_session`."""
    watch = Stopwatch(begun=asyncio.get_running_loop().time())
    token = _current.set(watch)
    try:
        yield watch
    finally:
        _current.reset(token)


def probe_session() -> aiohttp.ClientSession:
    """A session as a new client has it: a connection for each request, no cookies, nothing from the environment."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        trace_configs=[_tracing()],
    )


@cache
def tls_context(*, insecure: bool) -> ssl.SSLContext:
    """The TLS context of probes; made once, since it reads all authorities that this machine trusts."""
    context = _ObservedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_default_certs()
    return context


class _ObservedContext(ssl.SSLContext):
    """Tells the stopwatch of the request when a handshake begins."""

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """Begin a handshake over buffers, as asyncio does."""
        watch = _current.get()
        if watch is not None:
            watch.handshake = asyncio.get_running_loop().time()
        return super().wrap_bio(*args, **options)


def _tracing() -> aiohttp.TraceConfig:
    config = aiohttp.TraceConfig()
    config.on_connection_create_start.append(_note("connecting"))
    config.on_connection_create_end.append(_note("connected"))
    return config


def _note(moment: str) -> Any:
    async def note(_session: aiohttp.ClientSession, _context: SimpleNamespace, _parameters: object) -> None:
        watch = _current.get()
        if watch is not None:
            setattr(watch, moment, asyncio.get_running_loop().time())

    return note


def _between(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else (second - first) * 1000
