"""The sandbox's API server: HTTPS on loopback, spoken to by kubectl and any other Kubernetes client.

Every request is authenticated, authorized, and handed to `resource_handler` or answered here (discovery, OpenAPI,
health). `ApiServer.api` is the same API for components of this process, without HTTP.
"""

import asyncio
import hashlib
import ssl
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import msgspec
import structlog
from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDict

from seatrial.errors import SandboxError
from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver import bootstrap, discovery, openapi, openapi_protobuf, statuses
from seatrial.sandbox.apiserver.authentication import Authenticator, impersonated
from seatrial.sandbox.apiserver.authorization import Attributes, Authorizer
from seatrial.sandbox.apiserver.bootstrap_roles import furnish_roles
from seatrial.sandbox.apiserver.calls import User
from seatrial.sandbox.apiserver.connections import Connections
from seatrial.sandbox.apiserver.escalation import EscalationGuard
from seatrial.sandbox.apiserver.kubeconfig import write_kubeconfig
from seatrial.sandbox.apiserver.local import LocalApi
from seatrial.sandbox.apiserver.negotiation import PLAIN, encode, negotiate, wants_aggregated
from seatrial.sandbox.apiserver.operations import Operations
from seatrial.sandbox.apiserver.request_info import RequestInfo, parse
from seatrial.sandbox.apiserver.resource_handler import ResourceHandler
from seatrial.sandbox.apiserver.resources import built_in
from seatrial.sandbox.apiserver.reviews import Reviews
from seatrial.sandbox.apiserver.store import Store
from seatrial.sandbox.apiserver.subresources import Subresources
from seatrial.sandbox.apiserver.tokens import TokenSigner
from seatrial.sandbox.pki import Authority

__all__ = ["ApiServer", "ApiServerConfig", "write_kubeconfig"]

_log = structlog.get_logger(__name__)
_LARGEST_BODY = 3 * 1024 * 1024
_SERVICE_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")


@dataclass(frozen=True, slots=True)
class ApiServerConfig:
    """Where the API server listens and what it hands out.

    Args:
        host: the loopback address to bind.
        port: the port; 0 lets the system choose.
        directory: where its certificates are kept.
        service_cidr: the range of cluster IPs; the first is the API server's own service.
        admin_token: a bearer token with all rights; empty for none.
    """

    host: str
    port: int
    directory: Path
    service_cidr: str
    admin_token: str = ""


class ApiServer:
    """Serves the API from `start` to `stop`."""

    def __init__(self, config: ApiServerConfig, authority: Authority) -> None:
        self._config = config
        self._authority = authority
        self._store = Store()
        self._operations = Operations(
            store=self._store,
            registry=built_in(),
            service_cidr=config.service_cidr,
            ca_data=authority.ca_pem,
        )
        signer = TokenSigner(self._operations)
        subresources = Subresources(self._operations, signer)
        self._authenticator = Authenticator(admin_token=config.admin_token, signer=signer)
        self._authorizer = Authorizer(self._operations)
        credential = authority.issue_client("kube-apiserver-kubelet-client", ["system:masters"])
        self._connections = Connections(self._operations, authority, credential)
        reviews = Reviews(self._operations, self._authorizer, signer)
        self._handler = ResourceHandler(
            self._operations,
            subresources=subresources,
            reviews=reviews,
            connections=self._connections,
            guard=EscalationGuard(self._operations, self._authorizer),
        )
        self.api = LocalApi(self._operations, subresources)
        self._runner: web.ServerRunner | None = None
        self._port = config.port
        bootstrap.furnish(self._operations)
        furnish_roles(self._operations)

    @property
    def url(self) -> str:
        """Where clients find it; the port is known after `start`."""
        return f"https://{self._config.host}:{self._port}"

    async def start(self) -> None:
        """Listen; SandboxError when the address is taken."""
        server = web.Server(self._handle, request_factory=_request, handler_cancellation=True)
        runner = web.ServerRunner(server, access_log=None, shutdown_timeout=0.0)
        await runner.setup()
        site = web.TCPSite(
            runner, self._config.host, self._config.port, ssl_context=self._tls(), reuse_address=True, backlog=512
        )
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            address = f"{self._config.host}:{self._config.port}"
            raise SandboxError(
                f"the API server can't listen on {address}: {error.strerror or error}",
                hint="another sandbox or program may use this address; stop it or choose another port",
            ) from error
        self._runner = runner
        self._port = runner.addresses[0][1]
        bootstrap.announce(self._operations, self._config.host, self._port)

    async def stop(self) -> None:
        """End every watch and connection at once."""
        self._store.close()
        await self._connections.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _tls(self) -> ssl.SSLContext:
        first = str(ip_network(self._config.service_cidr)[1])
        hosts = [self._config.host, first, "localhost", *_SERVICE_NAMES]
        credential = self._authority.issue_server("kube-apiserver", hosts)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(credential.cert_file, credential.key_file)
        context.load_verify_locations(self._authority.ca_file)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    # One request.

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except ApiError as error:
            return _refusal(request, error)
        except web.HTTPRequestEntityTooLarge:
            text = f"Request entity too large: limit is {_LARGEST_BODY}"
            return _refusal(request, statuses.failure(413, "RequestEntityTooLarge", text))
        except Exception as error:  # noqa: BLE001 -- one request's trouble must not look like a broken connection
            _log.exception("request failed", method=request.method, path=request.path)
            text = f"Internal error occurred: {type(error).__name__}"
            return _refusal(request, statuses.failure(500, "InternalError", text))

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        user = self._user(request)
        info = parse(request.method, request.path, dict(request.query))
        self._authorizer.demand(user, info.attributes())
        if info.resource:
            return await self._handler.handle(request, info, user)
        return self._plain(request, info)

    def _user(self, request: web.BaseRequest) -> User:
        transport = request.transport
        tls = transport.get_extra_info("ssl_object") if transport else None
        certificate = transport.get_extra_info("peercert") if transport else None
        der = tls.getpeercert(binary_form=True) if tls and certificate else None
        user = self._authenticator.authenticate(request.headers, certificate, der)
        other = impersonated(request.headers)
        if other is None:
            return user
        kind = "serviceaccounts" if other.name.startswith("system:serviceaccount:") else "users"
        self._authorizer.demand(user, Attributes(verb="impersonate", resource=kind, name=other.name))
        for group in request.headers.getall("Impersonate-Group", []):
            self._authorizer.demand(user, Attributes(verb="impersonate", resource="groups", name=group))
        if other.uid:
            uids = Attributes(verb="impersonate", group="authentication.k8s.io", resource="uids", name=other.uid)
            self._authorizer.demand(user, uids)
        return other

    # Paths that are no resources.

    def _plain(self, request: web.BaseRequest, info: RequestInfo) -> web.Response:
        path = request.path.rstrip("/") or "/"
        root = next((name for name in discovery.HEALTH if path == name or path.startswith(f"{name}/")), None)
        if root is not None:
            return _health(request, path[len(root) :], root)
        if path == "/openapi/v2" and openapi_protobuf.MEDIA_TYPE in request.headers.get("Accept", ""):
            data = openapi_protobuf.encode_document(openapi.swagger(self._operations.registry))
            headers = {"Content-Type": openapi_protobuf.CONTENT_TYPE, "Cache-Control": "no-cache, private"}
            return web.Response(body=data, headers=headers)
        body, content_type = self._document(request, path)
        if body is None:
            return _not_found()
        if request.method != "GET":
            raise statuses.method_not_allowed()
        del info
        return _document_response(request, body, content_type)

    def _document(self, request: web.BaseRequest, path: str) -> tuple[Object | None, str]:
        accept = request.headers.get("Accept", "")
        registry = self._operations.registry
        if path in ("/api", "/apis"):
            return self._groups(path, accept)
        if path == "/version":
            return discovery.VERSION, ""
        if path == "/":
            return discovery.root_paths(registry), ""
        if path.startswith("/openapi"):
            return self._openapi(path), ""
        parts = path.strip("/").split("/")
        if parts[0] == "api" and len(parts) == 2:
            return _known(discovery.resource_list(registry, "", parts[1])), ""
        if parts[0] == "apis" and len(parts) == 2:
            return discovery.group(registry, parts[1]), ""
        if parts[0] == "apis" and len(parts) == 3 and parts[1] in registry.groups():
            return _known(discovery.resource_list(registry, parts[1], parts[2])), ""
        return None, ""

    def _groups(self, path: str, accept: str) -> tuple[Object, str]:
        wanted = wants_aggregated(accept)
        registry = self._operations.registry
        if wanted is None:
            kinds = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
            text = f"only the following media types are accepted: {kinds}"
            raise statuses.failure(406, "NotAcceptable", text)
        if wanted:
            return discovery.aggregated(registry, core=path == "/api"), discovery.AGGREGATED
        if path == "/api":
            return discovery.core_versions(f"{self._config.host}:{self._port}"), ""
        return discovery.group_list(registry), ""

    def _openapi(self, path: str) -> Object | None:
        registry = self._operations.registry
        if path == "/openapi/v2":
            return openapi.swagger(registry)
        if path == "/openapi/v3":
            return openapi.index(registry)
        parts = path.removeprefix("/openapi/v3/").split("/")
        if parts[0] == "api" and len(parts) == 2:
            return openapi.document(registry, "", parts[1])
        if parts[0] == "apis" and len(parts) == 3:
            return openapi.document(registry, parts[1], parts[2])
        return None


def _known(body: Object | None) -> Object:
    if body is None:
        raise statuses.no_such_resource()
    return body


def _document_response(request: web.BaseRequest, body: Object, content_type: str) -> web.Response:
    form = (
        PLAIN if content_type or request.path.startswith("/openapi") else negotiate(request.headers.get("Accept", ""))
    )
    data = encode(body, form)
    headers = {"Cache-Control": "no-cache, private", "Content-Type": content_type or form.content_type}
    if content_type:
        etag = f'"{hashlib.sha256(data).hexdigest().upper()}"'
        headers |= {"Etag": etag, "Vary": "Accept", "Cache-Control": "public"}
        if request.headers.get("If-None-Match") == etag:
            del headers["Content-Type"]
            return web.Response(status=304, headers=headers)
    return web.Response(body=data, headers=headers)


def _health(request: web.BaseRequest, check: str, root: str) -> web.Response:
    checks = ("ping", "log", "etcd")
    headers = {"Cache-Control": "no-cache, private", "X-Content-Type-Options": "nosniff"}
    if check and check.strip("/") not in checks:
        return _not_found()
    text = "ok"
    if "verbose" in request.query and not check:
        lines = [f"[+]{name} ok" for name in checks]
        text = "\n".join([*lines, f"{root.strip('/')} check passed", ""])
    return web.Response(text=text, headers=headers)


def _not_found() -> web.Response:
    headers = {"Cache-Control": "no-cache, private"}
    return web.Response(status=404, text="404 page not found\n", headers=headers)


def _refusal(request: web.BaseRequest, error: ApiError) -> web.Response:
    """A Status as an answer, in JSON or YAML."""
    headers = CIMultiDict({"Cache-Control": "no-cache, private"})
    for name, value in error.__dict__.get("headers", {}).items():
        headers[name] = value
    data, kind = msgspec.json.encode(error.status) + b"\n", "application/json"
    accept = request.headers.get("Accept", "")
    if accept.startswith("application/yaml"):
        data, kind = encode(error.status, negotiate("application/yaml")), "application/yaml"
    headers["Content-Type"] = kind
    return web.Response(status=error.code, body=data, headers=headers)


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: "asyncio.Task[None]",
) -> web.BaseRequest:
    """A request with the API server's limit on bodies."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_LARGEST_BODY)
