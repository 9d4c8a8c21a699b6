"""Requests that go on to somewhere else: a container's log at its kubelet, and HTTP through `proxy` subresources.

Logs come from `https://NODE_ADDRESS:10250/containerLogs/...`, asked with the API server's own client certificate.
The proxies go straight to a pod's address, or to one of a service's ready endpoints, and hand answers through as
they come.
"""

import random
import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.operations import Operations
from seatrial.sandbox.apiserver.request_info import RequestInfo
from seatrial.sandbox.low_ports import bindable
from seatrial.sandbox.pki import Authority, Credential

KUBELET_PORT = 10250
_LOG_OPTIONS = ("follow", "previous", "timestamps", "sinceSeconds", "sinceTime", "tailLines", "limitBytes", "stream")
_HOP_BY_HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
        "upgrade", "host", "authorization", "content-length",
    }
)  # fmt: skip
_CHUNK = 64 * 1024


class Connections:
    """Opens the onward connections; `close` ends them."""

    def __init__(self, operations: Operations, authority: Authority, credential: Credential) -> None:
        self._operations = operations
        self._authority = authority
        self._credential = credential
        self._session: aiohttp.ClientSession | None = None
        self._tls: ssl.SSLContext | None = None

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, connect=10)
            self._session = aiohttp.ClientSession(timeout=timeout, auto_decompress=False)
        return self._session

    def _kubelet_tls(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=str(self._authority.ca_file))
            self._tls.load_cert_chain(self._credential.cert_file, self._credential.key_file)
        return self._tls

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    # pods/log

    async def log(self, request: web.BaseRequest, info: RequestInfo) -> web.StreamResponse:
        """A container's log, streamed."""
        pod = self._operations.record(self._operations.registry.of("pods"), info.namespace, info.name).object
        container = _log_container(pod, request.query.get("container", ""))
        query = {key: request.query[key] for key in _LOG_OPTIONS if key in request.query}
        node = pod["spec"].get("nodeName")
        if not node:
            return web.Response(content_type="text/plain", headers={"Cache-Control": "no-cache, private"})
        address = self._node_address(node)
        path = f"/containerLogs/{info.namespace}/{info.name}/{container}"
        url = f"https://{address}:{KUBELET_PORT}{path}?{urlencode(query)}"
        try:
            answer = await self._client().get(url, ssl=self._kubelet_tls())
        except aiohttp.ClientError as error:
            text = f'Get "{url}": {error}'
            raise statuses.failure(500, "", text) from error
        async with answer:
            if answer.status != 200:
                raise _kubelet_refusal(answer.status, (await answer.text()).strip())
            return await _stream(request, answer, CIMultiDict({"Content-Type": "text/plain"}))

    def _node_address(self, name: str) -> str:
        node = self._operations.record(self._operations.registry.of("nodes"), None, name).object
        addresses = (node.get("status") or {}).get("addresses") or ()
        found = next((entry["address"] for entry in addresses if entry["type"] == "InternalIP"), None)
        if found is None:
            raise statuses.failure(500, "", f"no preferred addresses found; known addresses: [] of node {name}")
        return str(found)

    # proxy

    async def proxy(self, request: web.BaseRequest, info: RequestInfo) -> web.StreamResponse:
        """An HTTP request to a pod or service, and its answer."""
        scheme, name, port = _split_target(info.name)
        target = self._pod_target if info.resource == "pods" else self._service_target
        address, number = target(info.namespace, name, port)
        query = f"?{request.query_string}" if request.query_string else ""
        url = f"{scheme}://{address}:{bindable(number)}/{info.rest}{query}"
        headers = CIMultiDict((k, v) for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP)
        headers["X-Forwarded-Uri"] = request.path
        body = _body(request) if request.can_read_body else None
        # A pod's own certificate is nobody's business but its author's: Kubernetes' proxy doesn't verify it either.
        try:
            answer = await self._client().request(
                request.method, url, headers=headers, data=body, allow_redirects=False, ssl=False
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            text = f"error trying to reach service: {error}"
            raise statuses.failure(503, "ServiceUnavailable", text) from error
        async with answer:
            kept = CIMultiDict((k, v) for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP)
            return await _stream(request, answer, kept)

    def _pod_target(self, namespace: str, name: str, port: str) -> tuple[str, int]:
        pod = self._operations.record(self._operations.registry.of("pods"), namespace, name).object
        address = (pod.get("status") or {}).get("podIP")
        if not address:
            raise statuses.bad_request("address not allowed")
        containers = pod["spec"].get("containers") or ()
        ports = [entry for container in containers for entry in container.get("ports") or ()]
        if not port:
            return address, next((entry["containerPort"] for entry in ports), 80)
        if port.isdigit():
            return address, int(port)
        found = next((entry["containerPort"] for entry in ports if entry.get("name") == port), None)
        if found is None:
            raise statuses.bad_request(f"no port named {port} in pod {name}")
        return address, found

    def _service_target(self, namespace: str, name: str, port: str) -> tuple[str, int]:
        service = self._operations.record(self._operations.registry.of("services"), namespace, name).object
        ports = service["spec"].get("ports") or ()
        wanted = [entry for entry in ports if port in (entry.get("name", ""), str(entry["port"]))]
        if not port and len(ports) == 1:
            wanted = list(ports)
        unavailable = statuses.failure(503, "ServiceUnavailable", f'no endpoints available for service "{name}"')
        if not wanted:
            raise statuses.failure(503, "ServiceUnavailable", f'no service port "{port}" found for service "{name}"')
        choices = self._endpoints(namespace, name, wanted[0].get("name", ""))
        if not choices:
            raise unavailable
        return random.choice(choices)  # noqa: S311 -- load balancing

    def _endpoints(self, namespace: str, service: str, port_name: str) -> list[tuple[str, int]]:
        found = []
        for piece in self._operations.objects("endpointslices.discovery.k8s.io", namespace):
            if (piece["metadata"].get("labels") or {}).get("kubernetes.io/service-name") != service:
                continue
            numbers = [p["port"] for p in piece.get("ports") or () if p.get("name", "") == port_name and p.get("port")]
            for endpoint in piece.get("endpoints") or ():
                if (endpoint.get("conditions") or {}).get("ready", True):
                    found += [(endpoint["addresses"][0], number) for number in numbers]
        return found


def _split_target(name: str) -> tuple[str, str, str]:
    """`[scheme:]name[:port]`."""
    parts = name.split(":")
    if len(parts) == 3:
        scheme, name, port = parts
        if scheme not in ("http", "https", ""):
            raise statuses.bad_request(f'invalid service request "{name}"')
        return scheme or "http", name, port
    return "http", parts[0], parts[1] if len(parts) == 2 else ""


def _log_container(pod: Object, wanted: str) -> str:
    spec, name = pod["spec"], pod["metadata"]["name"]
    containers = [c["name"] for c in spec.get("containers") or ()]
    init = [c["name"] for c in spec.get("initContainers") or ()]
    ephemeral = [c["name"] for c in spec.get("ephemeralContainers") or ()]
    if wanted:
        if wanted not in (*containers, *init, *ephemeral):
            raise statuses.bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(containers) == 1 and not init:
        return str(containers[0])
    default = (pod["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
    if default in containers:
        return str(default)
    if len(containers) == 1:
        return str(containers[0])
    text = f"a container name must be specified for pod {name}, choose one of: [{' '.join(containers)}]"
    if init:
        text += f" or one of the init containers: [{' '.join(init)}]"
    raise statuses.bad_request(text)


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
    response.enable_chunked_encoding()
    await response.prepare(request)
    async for chunk in answer.content.iter_any():
        await response.write(chunk)
    await response.write_eof()
    return response
