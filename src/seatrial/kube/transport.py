"""How requests get to the API server and answers come back: one HTTP session, bounded, timed and repeated.

Below the verbs of `client` and the stream of `watch`. It adds credentials, keeps the number of requests in flight
and the time of each call (all repetitions included) within limits, asks for other credentials after a 401,
repeats what `retry` allows, and turns every failure into an error of `errors`.
"""

import asyncio
import copy
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

import aiohttp
import msgspec
import yarl
from multidict import CIMultiDict

from seatrial import __version__
from seatrial.errors import ClusterError
from seatrial.kube import errors, retry

JSON = "application/json"
PING_SECONDS = 20.0
"""How often an open WebSocket is pinged."""
_CONNECT_SECONDS = 10.0
_CONNECTION_FAILURES = (aiohttp.ClientError, OSError, TimeoutError)

Params = Mapping[str, str | int | bool | None]


class Answer(msgspec.Struct, frozen=True):
    """What came back: `repeated` tells that an earlier sending may have had an effect already."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    repeated: bool = False

    def json(self) -> Any:
        """The body, decoded.

        Raises:
            UnexpectedAnswer: it isn't JSON.
        """
        return decoded(msgspec.json.Decoder(), self.body)


class Credentials(Protocol):
    """Who we are: adds to the headers of a request, and knows the TLS context that carries a client certificate."""

    async def headers(self) -> Sequence[tuple[str, str]]:
        """The headers that identify us (some may repeat); may take long (a login program, an identity provider)."""
        ...

    async def tls(self) -> ssl.SSLContext | None:
        """The context of TLS connections; None for plain HTTP."""
        ...

    def renew(self) -> bool:
        """The server refused these credentials: whether asking once more can give others."""
        ...


class Transport:
    """A session with one API server.

    Args:
        server: its URL, possibly with a path.
        credentials: who we are.
        tls_server_name: the name that the server's certificate has to bear, where it isn't the address's.
        proxy_url: an HTTP proxy.
        max_in_flight: the most requests at once (watches not counted).
        timeout_seconds: the longest that a call may take, repetitions included.
        compress: whether the server may compress its answers.
    """

    def __init__(
        self,
        server: str,
        credentials: Credentials,
        *,
        tls_server_name: str | None = None,
        proxy_url: str | None = None,
        max_in_flight: int = 100,
        timeout_seconds: float = 30.0,
        compress: bool = True,
    ) -> None:
        self.server = server.rstrip("/")
        self.timeout_seconds = timeout_seconds
        self._credentials = credentials
        self._tls_server_name = tls_server_name
        self._proxy = proxy_url
        self._in_flight = asyncio.Semaphore(max_in_flight)
        self._base_headers = {"User-Agent": f"seatrial/{__version__}"}
        if not compress:
            self._base_headers["Accept-Encoding"] = "identity"
        self._session: aiohttp.ClientSession | None = None
        self._ever_answered = False

    def through(self, proxy_url: str) -> "Transport":
        """The same server as the same user by way of an HTTP proxy, over connections of its own."""
        other = copy.copy(self)
        other._proxy = proxy_url  # noqa: SLF001 -- a copy of this very class
        other._session = None  # noqa: SLF001 -- likewise
        return other

    async def close(self) -> None:
        """Close all connections; open watches end."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        timeout_seconds: float | None = None,
    ) -> Answer:
        """Send a request and read its answer; a status of 400 and above is raised as an error.

        Args:
            method: GET, POST, ...
            path: the path below the server's URL, quoted.
            params: the query; None values are left out.
            body: what to send, JSON unless `headers` say otherwise.
            headers: in addition to the usual ones.
            repeatable: whether it may be sent again when it is not known what became of it; None: reading only.
            timeout_seconds: the deadline of this call instead of the client's.
        """
        if repeatable is None:
            repeatable = method in {"GET", "HEAD"}
        all_headers = {"Accept": JSON, **({"Content-Type": JSON} if body is not None else {}), **(headers or {})}
        seconds = self.timeout_seconds if timeout_seconds is None else timeout_seconds
        call = _Call(method, self._url(path, params), body, all_headers)
        try:
            async with asyncio.timeout(seconds) as deadline:
                return await self._until_answered(call, repeatable=repeatable, deadline=deadline)
        except TimeoutError:
            why = f" (last: {call.last_error.message})" if call.last_error else ""
            raise errors.RequestTimeout(
                f"{self.server} did not answer {method} {path} within {seconds:g} s{why}",
                hint="the API server is slow or unreachable: check the network and its load",
                url=self.server,
            ) from call.last_error

    async def request_once(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
        most_bytes: int | None = None,
    ) -> Answer:
        """Send a request once and hand back whatever is answered, whatever its status.

        For what the API server passes on, such as its proxy of services: a 503 there is a finding, no failure. Of the
        body no more than `most_bytes` are kept.
        """
        call = _Call(method, self._url(path, params), body, dict(headers or {}))
        seconds = self.timeout_seconds if timeout_seconds is None else timeout_seconds
        try:
            async with asyncio.timeout(seconds), self._in_flight, await self._send(call, _TIMEOUT) as response:
                return Answer(response.status, response.headers, await _read(response, most_bytes))
        except _CONNECTION_FAILURES as error:
            raise errors.connection_error(error, server=self.server) from error

    @asynccontextmanager
    async def stream(
        self, path: str, *, params: Params, headers: Mapping[str, str], silence_seconds: float | None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a long answer and hand out its bytes as they arrive; not repeated, not counted as in flight.

        Without `silence_seconds` it may stay silent for ever, as long as the network says that its peer is there.

        Raises:
            ClusterError: also while iterating, when the connection breaks or stays silent.
        """
        limits = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=silence_seconds)
        response = await self._opened(_Call("GET", self._url(path, params), None, dict(headers)), limits)
        try:
            yield self._chunks(response)
        finally:
            # An answer without an end is cut off, not read to its end; nor does anybody wait for the farewell of TLS.
            if response.connection is not None and response.connection.transport is not None:
                response.connection.transport.abort()
            response.close()

    @asynccontextmanager
    async def websocket(
        self, path: str, *, query: Sequence[tuple[str, str]], protocols: Sequence[str]
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open a WebSocket for the length of the block; not repeated, not counted as in flight.

        It is pinged now and then: load balancers and proxies cut connections on which nothing is said for a minute.
        What breaks while it is in use is for the caller to translate, with `errors.connection_error`.

        Raises:
            ClusterError: the API server, or the kubelet behind it, did not agree.
        """
        call = _Call("GET", yarl.URL(f"{self.server}{path}?{urlencode(query)}", encoded=True), None, {})
        websocket = await self._upgraded(call, protocols)
        connection = websocket.get_extra_info("socket")
        pinging = asyncio.create_task(_ping(websocket), name=f"pings of {path}")
        try:
            yield websocket
        finally:
            pinging.cancel()
            await asyncio.gather(pinging, return_exceptions=True)
            await websocket.close()
            if connection is not None:
                # Nobody needs the farewell of TLS, for which the closed connection would wait on.
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    async def _upgraded(self, call: "_Call", protocols: Sequence[str]) -> aiohttp.ClientWebSocketResponse:
        try:
            async with asyncio.timeout(self.timeout_seconds):
                while True:
                    try:
                        return await self._upgrade(call, protocols)
                    except _UpgradeRefusedError as refusal:
                        error = self._error(call, refusal.response, refusal.body)
                        if not self._renewed_after(error, call):
                            raise error from None
        except _CONNECTION_FAILURES as error:
            raise errors.connection_error(error, server=self.server) from error

    async def _upgrade(self, call: "_Call", protocols: Sequence[str]) -> aiohttp.ClientWebSocketResponse:
        identity = await self._credentials.headers()
        tls = await self._credentials.tls()
        return await self._open_session().ws_connect(
            call.url,
            protocols=protocols,
            headers=CIMultiDict([*call.headers.items(), *identity]),
            ssl=True if tls is None else tls,
            server_hostname=self._tls_server_name,
            proxy=self._proxy,
            timeout=_WEBSOCKET_TIMEOUT,
        )

    async def _opened(self, call: "_Call", limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        try:
            async with asyncio.timeout(self.timeout_seconds):
                while True:
                    response = await self._send(call, limits)
                    if response.status < 300:
                        return response
                    async with response:
                        error = self._error(call, response, await response.read())
                    if not self._renewed_after(error, call):
                        raise error
        except _CONNECTION_FAILURES as error:
            raise errors.connection_error(error, server=self.server) from error

    async def _chunks(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        try:
            async for chunk in response.content.iter_any():
                yield chunk
        except _CONNECTION_FAILURES as error:
            raise errors.connection_error(error, server=self.server) from error

    async def _until_answered(self, call: "_Call", *, repeatable: bool, deadline: asyncio.Timeout) -> Answer:
        backoff = retry.Backoff()
        repeated = False
        while True:
            try:
                answer = await self._attempt(call)
            except ClusterError as error:
                if self._renewed_after(error, call):
                    continue
                wait = self._wait_seconds(error, repeatable=repeatable, backoff=backoff, deadline=deadline)
                if wait is None:
                    if isinstance(error, errors.ApiStatusError):
                        error.after_repeat = repeated
                    if isinstance(error, errors.Unreachable):
                        error.was_sent = error.was_sent or repeated
                    raise
                call.last_error = error
                repeated = repeated or not errors.had_no_effect(error)
            else:
                return msgspec.structs.replace(answer, repeated=True) if repeated else answer
            await asyncio.sleep(wait)

    def _renewed_after(self, error: ClusterError, call: "_Call") -> bool:
        """After a 401: whether there may be other credentials; asked once a call."""
        if call.renewed or not isinstance(error, errors.Unauthorized):
            return False
        call.renewed = True
        return self._credentials.renew()

    def _wait_seconds(
        self, error: ClusterError, *, repeatable: bool, backoff: retry.Backoff, deadline: asyncio.Timeout
    ) -> float | None:
        """How long to wait before the next try; None when there should be none, or no time is left for it."""
        at_least = getattr(error, "retry_after_seconds", None) or 0.0
        wait = backoff.next_delay(at_least=at_least)
        again = retry.is_worth_repeating(
            error, repeatable=repeatable, failures=backoff.failures, ever_answered=self._ever_answered
        )
        left = (deadline.when() or 0.0) - asyncio.get_running_loop().time()
        return wait if again and wait < left else None

    async def _attempt(self, call: "_Call") -> Answer:
        try:
            async with self._in_flight, await self._send(call, _TIMEOUT) as response:
                body = await response.read()
        except _CONNECTION_FAILURES as error:
            raise errors.connection_error(error, server=self.server) from error
        self._ever_answered = True
        if response.status >= 300:
            raise self._error(call, response, body)
        return Answer(response.status, response.headers, body)

    async def _send(self, call: "_Call", limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        identity = await self._credentials.headers()
        tls = await self._credentials.tls()
        return await self._open_session().request(
            call.method,
            call.url,
            data=call.body,
            headers=[*call.headers.items(), *identity],
            ssl=True if tls is None else tls,
            server_hostname=self._tls_server_name,
            proxy=self._proxy,
            timeout=limits,
            allow_redirects=False,
        )

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # The semaphore is the limit; watches come on top of it.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60, socket_factory=_kept_alive),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=self._base_headers,
                timeout=_TIMEOUT,
                trust_env=False,
                raise_for_status=_keep_refusal,
            )
            # aiohttp would quietly send a DELETE twice; whether that is safe is `retry`'s decision, and must be known.
            self._session._retry_connection = False  # noqa: SLF001 -- there is no public way
        return self._session

    def _url(self, path: str, params: Params | None) -> yarl.URL:
        query = urlencode({key: _text(value) for key, value in (params or {}).items() if value is not None})
        return yarl.URL(f"{self.server}{path}{'?' if query else ''}{query}", encoded=True)

    def _error(self, call: "_Call", response: aiohttp.ClientResponse, body: bytes) -> ClusterError:
        if response.status < 300:
            return errors.UnexpectedAnswer(
                f"{self.server} answered {response.status} where a WebSocket was asked for",
                hint="a proxy before the API server may not let WebSockets through",
            )
        if response.status < 400:
            return errors.UnexpectedAnswer(
                f"{self.server} redirects to {_without_query(response.headers.get('Location', 'nowhere'))}",
                hint="the server's address in the kubeconfig is not that of a Kubernetes API server",
            )
        return errors.error_for_status(
            errors.status_of(body, code=response.status),
            code=response.status,
            retry_after_seconds=retry.retry_after_seconds(response.headers),
            request=f"{call.method} {call.url.raw_path}",
        )


class _Call:
    """What is sent, and what became of it so far."""

    def __init__(self, method: str, url: yarl.URL, body: bytes | None, headers: dict[str, str]) -> None:
        self.method = method
        self.url = url
        self.body = body
        self.headers = headers
        self.renewed = False
        self.last_error: ClusterError | None = None


class _UpgradeRefusedError(Exception):
    """The answer to a request for a WebSocket, when it isn't one."""

    def __init__(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        super().__init__(response.status)
        self.response = response
        self.body = body


async def _keep_refusal(response: aiohttp.ClientResponse) -> None:
    """Keep what is said when a WebSocket is refused: aiohttp throws the body away, and with it the Status."""
    if response.status != 101 and "Sec-WebSocket-Key" in response.request_info.headers:
        async with response:
            raise _UpgradeRefusedError(response, await response.read())


_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)
_WEBSOCKET_TIMEOUT = aiohttp.ClientWSTimeout(ws_close=2.0)
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
# A peer that vanished is noticed after 15 s + 3 x 5 s, also on a watch on which nothing happens for long.
_KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPALIVE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


class Decoder(Protocol[_T_co]):
    """Makes objects of JSON: one of msgspec, or one that keeps only part of what it read."""

    def decode(self, body: bytes | msgspec.Raw, /) -> _T_co:
        """The object.

        Raises:
            DecodeError: msgspec's; what was read is no such object.
        """
        ...


def decoded(decoder: Decoder[_T], body: bytes | msgspec.Raw) -> _T:
    """Decode an answer's body.

    Raises:
        UnexpectedAnswer: it isn't JSON, or not of the form that the API documents.
    """
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise errors.UnexpectedAnswer(
            f"an answer that can't be read: {error}",
            hint="is the server in the kubeconfig a Kubernetes API server, or a proxy's login page?",
        ) from error


async def _ping(websocket: aiohttp.ClientWebSocketResponse) -> None:
    """Ping for ever; who reads sees why a connection broke, and a peer that is busy need not answer in time."""
    with suppress(*_CONNECTION_FAILURES):
        while not websocket.closed:
            await asyncio.sleep(PING_SECONDS)
            await websocket.ping()


async def _read(response: aiohttp.ClientResponse, most_bytes: int | None) -> bytes:
    """Read a body to its end, and keep its beginning."""
    if most_bytes is None:
        return await response.read()
    kept = bytearray()
    async for chunk in response.content.iter_any():
        kept += chunk[: most_bytes - len(kept)]
    return bytes(kept)


def _kept_alive(address: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, *_ = address
    connection = socket.socket(family, kind, protocol)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        option = getattr(socket, name, None)  # the names differ between Linux and macOS
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
    return connection


def _text(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _without_query(url: str) -> str:
    return url.partition("?")[0]
