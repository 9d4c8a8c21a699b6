"""How an HTTP request reaches what it probes: straight to a URL, or to a Service by one of two ways.

A Service is tried by its cluster IP first, as other pods reach it. Where that doesn't connect (Seatrial runs outside of
the cluster, or nothing listens), requests go through the API server's service proxy
(`/api/v1/namespaces/NAMESPACE/services/SCHEME:NAME:PORT/proxy`, Kubernetes documentation, "Access Services Running on
Clusters"); the route says which one it is.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import aiohttp

from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.errors import RequestTimeout, error_for_status, status_of
from seatrial.kube.objects import Service
from seatrial.kube.resources import SERVICES

Via = Literal["clusterIP", "apiserver"]

_CONNECT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status, body, and the time from sending the request to its last byte."""

    status: int
    body: bytes
    latency_ms: float


class NoAnswer(Exception):  # noqa: N818 -- it says what happened
    """No HTTP answer came, and why in a few words."""


class Route(Protocol):
    """A way to one target; `via` names it ("url", "clusterIP", "apiserver")."""

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
    """Requests from this process to the target. Proxies named by environment variables are ignored."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        *,
        via: str = "url",
        proxy: str = "",
        insecure: bool = False,
    ) -> None:
        self.via = via
        self.target = base_url
        self._session = session
        self._proxy = proxy or None
        self._insecure = insecure

    async def send(
        self, method: str, path: str, *, timeout_seconds: float, headers: Mapping[str, str], body: str | None
    ) -> Answer:
        """Send one request; redirects are not followed, so that `code` can expect one."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            async with self._session.request(
                method,
                join(self.target, path),
                headers=headers,
                data=body,
                proxy=self._proxy,
                ssl=not self._insecure,
                timeout=aiohttp.ClientTimeout(total=timeout_seconds),
                allow_redirects=False,
            ) as response:
                content = await response.read()
                return Answer(response.status, content, (loop.time() - begun) * 1000)
        except TimeoutError:
            raise NoAnswer(f"no answer within {timeout_seconds * 1000:g} ms") from None
        except aiohttp.InvalidURL as error:
            raise NoAnswer("the URL can't be used") from error
        except aiohttp.ClientHttpProxyError as error:
            raise NoAnswer(f"the proxy answered {error.status} {error.message}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoAnswer(str(error) or type(error).__name__) from error


class ApiserverRoute:
    """Requests through the API server's service proxy."""

    via = "apiserver"

    def __init__(self, cluster: Client, *, namespace: str, name: str, port: int, scheme: str) -> None:
        self.target = f"{scheme}://{name}.{namespace}:{port}"
        self._cluster = cluster
        self._path = f"/api/v1/namespaces/{quote(namespace)}/services/{scheme}:{quote(name)}:{port}/proxy"

    async def send(
        self, method: str, path: str, *, timeout_seconds: float, headers: Mapping[str, str], body: str | None
    ) -> Answer:
        """Send one request; what the API server itself refuses (403) is raised, its 502 and 503 are answers."""
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
            )
        except RequestTimeout:
            raise NoAnswer(f"no answer within {timeout_seconds * 1000:g} ms") from None
        latency_ms = (loop.time() - begun) * 1000
        if answer.status in {401, 403, 404}:
            status = status_of(answer.body, code=answer.status)
            if status.status == "Failure":  # the API server's own words, not the backend's
                raise error_for_status(status, code=answer.status)
        return Answer(answer.status, answer.body, latency_ms)


async def route_to_service(
    cluster: Client,
    session: aiohttp.ClientSession,
    *,
    namespace: str,
    name: str,
    port: int,
    scheme: str = "http",
    via: Via | None = None,
    insecure: bool = False,
) -> Route:
    """The way to a Service's port; without `via`, the first one that connects.

    Raises:
        ClusterError: there is no such Service or port, or the API server did not answer.
    """
    service = await cluster.get(SERVICES, name, namespace=namespace, type=Service)
    if port not in {each.port for each in service.spec.ports}:
        ports = ", ".join(str(each.port) for each in service.spec.ports) or "none"
        raise ClusterError(f"Service {namespace}/{name} has no port {port} (it has: {ports})")
    address = service.spec.cluster_ip
    has_address = bool(address) and address != "None"
    if via == "clusterIP" and not has_address:
        raise ClusterError(f"Service {namespace}/{name} has no cluster IP", hint="leave out 'via', or use apiserver")
    if via == "clusterIP" or (via is None and has_address and await _connects(address, port)):
        host = f"[{address}]" if ":" in address else address
        return DirectRoute(session, f"{scheme}://{host}:{port}", via="clusterIP", insecure=insecure)
    return ApiserverRoute(cluster, namespace=namespace, name=name, port=port, scheme=scheme)


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


async def _connects(address: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(address, port)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return True
