"""How an HTTP request reaches what it probes: straight to a URL, or to a Service by one of three ways.

`service_route` chooses the way. By cluster IP a request goes as other pods' do. The API server's service proxy
(`/api/v1/namespaces/NAMESPACE/services/SCHEME:NAME:PORT/proxy`, Kubernetes documentation, "Access Services Running on
Clusters") and a port-forward to one of its pods serve where cluster IPs can't be reached.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import aiohttp

from seatrial.kube.client import Client
from seatrial.kube.errors import PortUnreachable, RequestTimeout, error_for_status, status_of
from seatrial.probes.http_session import stopwatch, tls_context
from seatrial.probes.service_endpoints import NoEndpoint, ServiceEndpoints

Via = Literal["clusterIP", "apiserver", "portForward"]

_MOST_BODY_BYTES = 16 * 1024 * 1024
_OWN_REFUSALS = frozenset({401, 403, 404, 429, 500, 504})
# The text with which an API server that has too many requests in flight refuses one, before it looks at it.
_BUSY = b"Too many requests, please try again later."
# What would be taken as the API server's own, or never gets through it.
_APISERVER_HEADERS = frozenset({"authorization", "host", "connection", "upgrade"})


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status, the first 16 MiB of its body, and how long its parts took.

    `latency_ms` is from the beginning of the request to its last byte; `ProbeSampled` says what the others are.
    """

    status: int
    body: bytes
    latency_ms: float
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None


class NoAnswer(Exception):  # noqa: N818 -- it says what happened
    """No HTTP answer came, and why in a few words."""


class Route(Protocol):
    """A way to one target; `via` names it ("url", "clusterIP", "apiserver", "portForward")."""

    via: str
    target: str

    async def send(
        self, method: str, path: str, *, timeout_seconds: float, headers: Mapping[str, str], body: str | None
    ) -> Answer:
        """Send one request, once.

        Raises:
            NoAnswer: the connection failed or took too long.
            ClusterError: the API server did not let it through.
        """
        ...


class DirectRoute:
    """Requests from this process to the target. Proxies named by environment variables are ignored.

    Args:
        session: of `http_session`.
        base_url: where requests go.
        via: how that is called.
        proxy: the URL of an HTTP proxy.
        insecure: accept any certificate.
        server_name: the name in the target's certificate, where it isn't the URL's host.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        *,
        via: str = "url",
        proxy: str = "",
        insecure: bool = False,
        server_name: str = "",
    ) -> None:
        self.via = via
        self.target = base_url
        self._session = session
        self._proxy = proxy or None
        self._insecure = insecure
        self._server_name = server_name or None

    async def send(
        self, method: str, path: str, *, timeout_seconds: float, headers: Mapping[str, str], body: str | None
    ) -> Answer:
        """Send one request; redirects are not followed, so that `code` can expect one."""
        try:
            with stopwatch() as watch:
                async with self._session.request(
                    method,
                    join(self.target, path),
                    headers=headers,
                    data=body,
                    proxy=self._proxy,
                    ssl=tls_context(insecure=self._insecure) if self.target.startswith("https:") else True,
                    server_hostname=self._server_name,
                    timeout=aiohttp.ClientTimeout(total=timeout_seconds),
                    allow_redirects=False,
                ) as response:
                    watch.first_byte = asyncio.get_running_loop().time()
                    content = await _first_bytes(response)
                    return Answer(
                        response.status,
                        content,
                        watch.elapsed_ms,
                        connect_ms=watch.connect_ms,
                        tls_ms=watch.tls_ms,
                        first_byte_ms=watch.first_byte_ms,
                    )
        except TimeoutError:
            raise too_late(timeout_seconds) from None
        except aiohttp.InvalidURL as error:
            raise NoAnswer("the URL can't be used") from error
        except aiohttp.ClientHttpProxyError as error:
            raise NoAnswer(f"the proxy answered {error.status} {error.message}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoAnswer(_in_words(error)) from error


class ApiserverRoute:
    """Requests through the API server's service proxy, which accepts any certificate of the service."""

    via = "apiserver"

    def __init__(self, cluster: Client, *, namespace: str, name: str, port: int, scheme: str) -> None:
        self.target = f"{scheme}://{name}.{namespace}:{port}"
        self._cluster = cluster
        self._path = f"/api/v1/namespaces/{quote(namespace)}/services/{scheme}:{quote(name)}:{port}/proxy"

    async def send(
        self, method: str, path: str, *, timeout_seconds: float, headers: Mapping[str, str], body: str | None
    ) -> Answer:
        """Send one request; what the API server says of itself (403, 500) is raised, its 502 and 503 are answers."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            answer = await self._cluster.request(
                method.upper(),
                # A Service without a path is redirected by the API server.
                join(self._path, path or "/"),
                headers=headers,
                body=None if body is None else body.encode(),
                timeout_seconds=timeout_seconds,
                most_bytes=_MOST_BODY_BYTES,
            )
        except RequestTimeout:
            raise too_late(timeout_seconds) from None
        latency_ms = (loop.time() - begun) * 1000
        _raise_own_refusal(answer.status, answer.body)
        return Answer(answer.status, answer.body, latency_ms)


class PortForwardRoute:
    """Requests to the Service's Ready pods in turn, each by a port-forward of its own.

    A pod that was there for the last request may be gone for the next one: experiments see to that.
    """

    via = "portForward"

    def __init__(
        self,
        cluster: Client,
        session: aiohttp.ClientSession,
        endpoints: ServiceEndpoints,
        *,
        scheme: str,
        insecure: bool = False,
    ) -> None:
        self.target = f"{scheme}://{endpoints.name}.{endpoints.namespace}:{endpoints.port}"
        self._cluster = cluster
        self._session = session
        self._endpoints = endpoints
        self._scheme = scheme
        self._insecure = insecure

    async def send(
        self, method: str, path: str, *, timeout_seconds: float, headers: Mapping[str, str], body: str | None
    ) -> Answer:
        """Send one request; the port-forward counts into its times."""
        endpoints = self._endpoints
        try:
            pod, port = await endpoints.next_pod()
        except NoEndpoint as error:
            raise NoAnswer(str(error)) from None
        named = {name.lower() for name in headers}
        host = {} if "host" in named else {"Host": f"{endpoints.name}.{endpoints.namespace}:{endpoints.port}"}
        async with self._cluster.port_forward(pod, namespace=endpoints.namespace, port=port) as forward:
            direct = DirectRoute(
                self._session,
                f"{self._scheme}://{forward.host}:{forward.port}",
                insecure=self._insecure,
                server_name=server_name(endpoints) if self._scheme == "https" else "",
            )
            try:
                return await direct.send(
                    method, path, timeout_seconds=timeout_seconds, headers={**host, **headers}, body=body
                )
            except NoAnswer as problem:
                if isinstance(forward.failure, PortUnreachable):
                    raise NoAnswer(f"port {port} of pod {pod}: {forward.failure.message}") from None
                if forward.failure is not None:
                    raise forward.failure from None
                raise problem from None


def server_name(endpoints: ServiceEndpoints) -> str:
    """The name that a Service's certificate bears."""
    return f"{endpoints.name}.{endpoints.namespace}.svc"


def passes_apiserver(headers: Mapping[str, str]) -> bool:
    """Whether all these headers reach a service through the API server, and none means something to it."""
    names = {name.lower() for name in headers}
    return not names & _APISERVER_HEADERS and not any(name.startswith("impersonate-") for name in names)


def _in_words(error: Exception) -> str:
    """What the system says of a connection ("connection refused"), without aiohttp's words around it."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return str(error.certificate_error)
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, OSError) and cause.errno and not isinstance(cause, ssl.SSLError | socket.gaierror):
        return os.strerror(cause.errno).lower()
    if isinstance(cause, socket.gaierror):
        return f"the name can't be resolved: {cause.strerror}"
    return str(cause) or type(cause).__name__


def too_late(timeout_seconds: float) -> NoAnswer:
    """No answer came in time."""
    return NoAnswer(f"no answer within {timeout_seconds * 1000:g} ms")


def _raise_own_refusal(code: int, body: bytes) -> None:
    """Raise what the API server says of itself in its own words, which are not the backend's.

    Its 502 and 503 are about the backend: that it has no endpoints, or that they can't be reached.
    """
    status = status_of(body, code=code)
    is_busy = code == 429 and body.startswith(_BUSY)
    if is_busy or (code in _OWN_REFUSALS and status.status == "Failure"):
        raise error_for_status(status, code=code)


def public(url: str) -> str:
    """A URL as it may be shown: without user, password, and the values of its query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(a URL that can't be read)"
    host = parts.netloc.rpartition("@")[2]
    pairs = (pair.partition("=") for pair in parts.query.split("&") if pair)
    query = "&".join(f"{name}=***" if equals else "***" for name, equals, _ in pairs)
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def join(base: str, path: str) -> str:
    """A URL or path with another part added, one slash between."""
    return f"{base.rstrip('/')}/{path.lstrip('/')}" if path else base


async def _first_bytes(response: aiohttp.ClientResponse) -> bytes:
    """Read a body to its end, since that is timed, but keep no more than a bounded part of it."""
    kept = bytearray()
    async for chunk in response.content.iter_any():
        kept += chunk[: _MOST_BODY_BYTES - len(kept)]
    return bytes(kept)
