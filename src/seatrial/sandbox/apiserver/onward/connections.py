"""Requests that go on to somewhere else: a container's streams and log at its kubelet, HTTP through `proxy`.

The kubelet of a node listens at `https://NODE_ADDRESS:10250` and is asked with the API server's own client
certificate. What is upgraded goes through a `tunnel`; answers to plain requests are handed through as they come.
"""

import ssl
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from seatrial.sandbox.api import ApiError
from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.access.authorization import Attributes, Authorizer
from seatrial.sandbox.apiserver.calls import User
from seatrial.sandbox.apiserver.onward.dial_errors import dial_failure
from seatrial.sandbox.apiserver.onward.pod_streams import log_query, stream_target, valid_container
from seatrial.sandbox.apiserver.onward.proxy_targets import KUBELET_PORT, ProxyTarget, ProxyTargets
from seatrial.sandbox.apiserver.onward.socket_answers import is_websocket, log_protocol, send_log
from seatrial.sandbox.apiserver.onward.tunnel import Destination, is_upgrade, tunnel
from seatrial.sandbox.apiserver.operations import Operations
from seatrial.sandbox.apiserver.request_info import RequestInfo
from seatrial.sandbox.network.low_ports import bindable
from seatrial.sandbox.network.reachability import REACHABILITY
from seatrial.sandbox.pki import Authority, Credential

_HOP_BY_HOP: Final = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
        "upgrade", "host", "authorization", "content-length",
    }
)  # fmt: skip
_CHUNK: Final = 64 * 1024
_KUBELET_SECONDS: Final = 10
_UNCACHED: Final = {"Cache-Control": "no-cache, private"}


class Connections:
    """Opens the onward connections; `close` ends them."""

    def __init__(
        self, operations: Operations, authority: Authority, credential: Credential, authorizer: Authorizer
    ) -> None:
        self._operations = operations
        self._authority = authority
        self._credential = credential
        self._authorizer = authorizer
        self._targets = ProxyTargets(operations)
        self._session: aiohttp.ClientSession | None = None
        self._tls: ssl.SSLContext | None = None

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None, connect=10),
                auto_decompress=False,
                # Logs may be followed by any number of clients; nothing of one request may come to another.
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            )
        return self._session

    def _kubelet_tls(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=str(self._authority.ca_file))
            self._tls.load_cert_chain(self._credential.cert_file, self._credential.key_file)
        return self._tls

    async def kubelet_json(self, node: str, path: str) -> Any:
        """What a node's kubelet answers at a path; TimeoutError or another OSError where it doesn't."""
        address = self._targets.node_address(node)
        await _reach(address)
        url = f"https://{address}:{KUBELET_PORT}{path}"
        timeout = aiohttp.ClientTimeout(total=_KUBELET_SECONDS)
        async with self._client().get(url, ssl=self._kubelet_tls(), timeout=timeout) as answer:
            return await answer.json()

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    # pods/exec, pods/attach, pods/portforward

    async def stream(self, request: web.BaseRequest, info: RequestInfo, user: User) -> web.StreamResponse:
        """The streams of a command, a container, or a pod's ports."""
        # A WebSocket begins with a GET, which must not be enough to run commands.
        resource = Attributes("create", "", info.resource, info.subresource, info.namespace, info.name)
        self._authorizer.demand(user, resource)
        pod = self._operations.record(self._operations.registry.of("pods"), info.namespace, info.name).object
        target = stream_target(pod, info.subresource, request.query)
        address = self._targets.node_address(pod["spec"]["nodeName"])
        if not is_upgrade(request):
            raise statuses.bad_request("Upgrade request required")
        destination = Destination(
            host=address, port=KUBELET_PORT, shown_port=KUBELET_PORT, target=target, tls=self._kubelet_tls()
        )
        return await tunnel(request, destination)

    # pods/log

    async def log(self, request: web.BaseRequest, info: RequestInfo) -> web.StreamResponse:
        """A container's log, streamed."""
        protocol = log_protocol(request) if is_websocket(request) else ""
        if protocol is None:
            return web.Response(status=403)
        query = log_query(info.name, request.query)
        pod = self._operations.record(self._operations.registry.of("pods"), info.namespace, info.name).object
        container = valid_container(pod, request.query.get("container", ""))
        node = pod["spec"].get("nodeName")
        if not node:
            return web.Response(status=204, headers=_UNCACHED)
        address = self._targets.node_address(node)
        url = f"https://{address}:{KUBELET_PORT}/containerLogs/{info.namespace}/{info.name}/{container}"
        url += f"?{urlencode(query)}" if query else ""
        try:
            await _reach(address)
            answer = await self._client().get(url, ssl=self._kubelet_tls())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            text = f'Get "{url}": {dial_failure(error, address, KUBELET_PORT)}'
            raise statuses.failure(500, "", text) from error
        async with answer:
            if answer.status != 200:
                raise _kubelet_refusal(answer.status, (await answer.text()).strip())
            if is_websocket(request):
                return await send_log(request, protocol, answer.content)
            return await _stream(request, answer, CIMultiDict({"Content-Type": "text/plain", **_UNCACHED}))

    # proxy

    async def proxy(self, request: web.BaseRequest, info: RequestInfo) -> web.StreamResponse:
        """An HTTP request to a pod, service or node, and its answer."""
        target = self._targets.find(info.resource, info.namespace, info.name)
        query = f"?{request.rel_url.raw_query_string}" if request.query_string else ""
        path = "/" + _after_proxy(request, info)
        if is_upgrade(request):
            return await tunnel(request, self._upgraded(target, f"{path}{query}"))
        if not info.rest and not request.path.endswith("/") and request.method in ("GET", "HEAD"):
            location = f"{request.rel_url.raw_path}/{query}"
            return web.Response(status=301, headers={"Location": location, **_UNCACHED})
        return await self._forward(request, target, f"{path}{query}")

    def _upgraded(self, target: ProxyTarget, path: str) -> Destination:
        port = target.port if target.is_kubelet else bindable(target.port)
        return Destination(host=target.host, port=port, shown_port=target.port, target=path, tls=self._tls_for(target))

    def _tls_for(self, target: ProxyTarget) -> ssl.SSLContext | None:
        if target.scheme != "https":
            return None
        if target.is_kubelet:
            return self._kubelet_tls()
        # A pod's own certificate is nobody's business but its author's: Kubernetes' proxy doesn't verify it either.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    async def _forward(self, request: web.BaseRequest, target: ProxyTarget, path: str) -> web.StreamResponse:
        port = target.port if target.is_kubelet else bindable(target.port)
        url = URL(f"{target.scheme}://{target.host}:{port}{path}", encoded=True)
        # Whom the client acts as was judged here, and is nobody's business beyond.
        headers = CIMultiDict(
            (name, value)
            for name, value in request.headers.items()
            if name.lower() not in _HOP_BY_HOP and not name.lower().startswith("impersonate-")
        )
        headers["X-Forwarded-Uri"] = request.rel_url.raw_path
        body = _body(request) if request.can_read_body else None
        tls = self._tls_for(target)
        try:
            await _reach(target.host)
            answer = await self._client().request(
                request.method, url, headers=headers, data=body, allow_redirects=False, ssl=True if tls is None else tls
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            text = f"error trying to reach service: {dial_failure(error, target.host, target.port)}"
            raise statuses.failure(503, "ServiceUnavailable", text) from error
        async with answer:
            kept = CIMultiDict((k, v) for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP)
            kept.setdefault("Cache-Control", _UNCACHED["Cache-Control"])
            return await _stream(request, answer, kept)


async def _reach(address: str) -> None:
    """Wait as long as the network between the control plane and there is cut; TimeoutError."""
    await REACHABILITY.passage_from_control_plane(address, timeout_seconds=_KUBELET_SECONDS)


def _after_proxy(request: web.BaseRequest, info: RequestInfo) -> str:
    """The path behind `proxy`, in the encoding that the client chose."""
    _, found, rest = request.rel_url.raw_path.partition(f"/{info.subresource}/")
    return rest if found else ""


def _kubelet_refusal(code: int, text: str) -> ApiError:
    """What the API server says when the kubelet refused."""
    if code == 400:
        return statuses.bad_request(text)
    if code == 404:
        details = {"causes": [{"reason": "UnexpectedServerResponse", "message": text}]}
        message = "the server could not find the requested resource"
        return statuses.failure(404, "NotFound", message, details=details)
    return statuses.failure(500, "InternalError", f"Internal error occurred: {text}")


async def _body(request: web.BaseRequest) -> AsyncIterator[bytes]:
    async for chunk in request.content.iter_chunked(_CHUNK):
        yield chunk


async def _stream(
    request: web.BaseRequest, answer: aiohttp.ClientResponse, headers: CIMultiDict[str]
) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=headers)
    if request.method != "HEAD":
        response.enable_chunked_encoding()
    await response.prepare(request)
    try:
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    except (aiohttp.ClientError, ConnectionError):
        # One of the two is gone: the other learns it from an answer that breaks off.
        if request.transport is not None:
            request.transport.abort()
    return response
