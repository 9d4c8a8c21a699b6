"""The sandbox's API server: HTTPS on loopback, spoken to by kubectl and any other Kubernetes client.

Every request is authenticated, authorized, and handed to `resource_handler` or answered here (discovery, OpenAPI,
health). `ApiServer.api` is the same API for components of this process, without HTTP.
"""

import asyncio
import ssl
from dataclasses import dataclass, replace
from http import HTTPStatus
from ipaddress import ip_network
from pathlib import Path
from typing import Protocol

import structlog
from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDict

from seatrial.errors import SandboxError
from seatrial.sandbox.api import ApiError
from seatrial.sandbox.apiserver import bootstrap, metrics_api, statuses
from seatrial.sandbox.apiserver.access.authentication import Authenticator
from seatrial.sandbox.apiserver.access.authorization import Authorizer, denial
from seatrial.sandbox.apiserver.access.bootstrap_roles import furnish_roles
from seatrial.sandbox.apiserver.access.escalation import EscalationGuard
from seatrial.sandbox.apiserver.access.impersonation import demand_rights, impersonated
from seatrial.sandbox.apiserver.access.reviews import Reviews
from seatrial.sandbox.apiserver.access.tokens import TokenSigner
from seatrial.sandbox.apiserver.audit import AuditLog, Level, current_trail
from seatrial.sandbox.apiserver.built_in_resources import built_in
from seatrial.sandbox.apiserver.calls import User
from seatrial.sandbox.apiserver.custom.service import CustomResources
from seatrial.sandbox.apiserver.free_memory import FreeMemory
from seatrial.sandbox.apiserver.http_protocol import IDLE_SECONDS, ApiHttpServer, ApiRequest, legible
from seatrial.sandbox.apiserver.in_flight import MOST_READING, MOST_WRITING, InFlight
from seatrial.sandbox.apiserver.kubeconfig import write_kubeconfig
from seatrial.sandbox.apiserver.local import LocalApi
from seatrial.sandbox.apiserver.negotiation import encode, refusal_form
from seatrial.sandbox.apiserver.onward.connections import Connections
from seatrial.sandbox.apiserver.operations import Operations
from seatrial.sandbox.apiserver.publishing import api_services
from seatrial.sandbox.apiserver.publishing.documents import Documents
from seatrial.sandbox.apiserver.request_info import RequestInfo, parse
from seatrial.sandbox.apiserver.resource_handler import ResourceHandler
from seatrial.sandbox.apiserver.store import Store
from seatrial.sandbox.apiserver.subresources import Subresources
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
        audit_log: where to write who asked for what; None for nowhere.
        audit_level: how much of it.
        most_reading: how many reads are served at a time.
        most_writing: how many writes.
    """

    host: str
    port: int
    directory: Path
    service_cidr: str
    admin_token: str = ""
    audit_log: Path | None = None
    audit_level: Level = "Metadata"
    most_reading: int = MOST_READING
    most_writing: int = MOST_WRITING


class Doorman(Protocol):
    """Stands before every request that has been authenticated."""

    async def admit(self, request: web.BaseRequest, user: User) -> None:
        """Let a request in, sooner or later; raises `ApiError` for one that is to fail."""
        ...

    def leave(self, request: web.BaseRequest) -> None:
        """A request is over, whether it was let in or not."""
        ...

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse | None:
        """The answer to an authorized request for a path of the doorman's own; None for all others."""
        ...


class ApiServer:
    """Serves the API from `start` to `stop`; a `doorman` may stand before it."""

    def __init__(self, config: ApiServerConfig, authority: Authority) -> None:
        self.doorman: Doorman | None = None
        self._config = config
        self._authority = authority
        self._store = Store()
        self._operations = Operations(
            store=self._store,
            registry=built_in(),
            service_cidr=config.service_cidr,
            ca_data=authority.ca_pem,
        )
        CustomResources(self._operations)
        signer = TokenSigner(self._operations)
        self._documents = Documents(self._operations, signer, config.host)
        subresources = Subresources(self._operations, signer)
        self._authenticator = Authenticator(admin_token=config.admin_token, signer=signer)
        self._authorizer = Authorizer(self._operations)
        self._in_flight = InFlight(config.most_reading, config.most_writing)
        self._audit = AuditLog(config.audit_log, config.audit_level) if config.audit_log else None
        credential = authority.issue_client("kube-apiserver-kubelet-client", ["system:masters"])
        self._connections = Connections(self._operations, authority, credential, self._authorizer)
        self._metrics = metrics_api.MetricsApi(self._operations, self._connections.kubelet_json)
        reviews = Reviews(self._operations, self._authorizer, signer)
        self._handler = ResourceHandler(
            self._operations,
            subresources=subresources,
            reviews=reviews,
            connections=self._connections,
            guard=EscalationGuard(self._operations, self._authorizer),
        )
        self.api = LocalApi(self._operations, subresources)
        self._free_memory = FreeMemory()
        self._runner: web.ServerRunner | None = None
        self._port = config.port
        bootstrap.furnish(self._operations)
        furnish_roles(self._operations)
        api_services.register_all(self._operations)

    @property
    def url(self) -> str:
        """Where clients find it; the port is known after `start`."""
        return f"https://{self._config.host}:{self._port}"

    def node_of_pod(self, namespace: str, name: str) -> str:
        """The node that a pod is bound to; empty if there is none."""
        pod = self._operations.lookup("pods", namespace, name)
        return str(pod["spec"].get("nodeName", "")) if pod is not None else ""

    async def start(self) -> None:
        """Listen; SandboxError when the address is taken."""
        server = ApiHttpServer(
            self._handle,
            request_factory=_request,
            handler_cancellation=True,
            auto_decompress=False,
            keepalive_timeout=IDLE_SECONDS,
        )
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
        self._documents = replace(self._documents, address=f"{self._config.host}:{self._port}")
        bootstrap.announce(self._operations, self._config.host, self._port)

    async def stop(self) -> None:
        """End every watch and connection at once."""
        self._store.close()
        self._free_memory.close()
        await self._connections.close()
        if self._runner is not None:
            server = self._runner.server
            await self._runner.cleanup()
            if isinstance(server, ApiHttpServer):
                await server.abort()
            self._runner = None
        if self._audit is not None:
            await self._audit.close()

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
        if self._audit is None:
            return await self._handle_unseen(request)
        with self._audit.watching(request) as audited:
            audited.response = await self._handle_unseen(request)
            return audited.response

    async def _handle_unseen(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except ApiError as error:
            return _refusal(request, error)
        except web.HTTPRequestEntityTooLarge:
            text = f"Request entity too large: limit is {_LARGEST_BODY}"
            return _refusal(request, statuses.failure(413, "RequestEntityTooLarge", text))
        except RecursionError:
            # Patches can nest deeper, step by step, than any body may.
            return _refusal(request, statuses.bad_request("exceeded max depth"))
        except ConnectionResetError:  # the client went before its answer began, so that nobody will read this one
            return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE)
        except Exception as error:  # noqa: BLE001 -- one request's trouble must not look like a broken connection
            _log.exception("request failed", method=request.method, path=request.path)
            text = f"Internal error occurred: {type(error).__name__}"
            return _refusal(request, statuses.failure(500, "InternalError", text))

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        user = self._user(request)
        if self.doorman is None:
            return await self._serve(request, user)
        try:
            await self.doorman.admit(request, user)
            return await self._serve(request, user)
        finally:
            self.doorman.leave(request)

    async def _serve(self, request: web.BaseRequest, user: User) -> web.StreamResponse:
        info = parse(request.method, request.path, dict(request.query))
        if not self._in_flight.enter(info, user):
            return _too_many()
        try:
            response = await self._carry_out(request, info, user)
        finally:
            self._in_flight.leave(info)
        self._free_memory.after(response)
        return response

    async def _carry_out(self, request: web.BaseRequest, info: RequestInfo, user: User) -> web.StreamResponse:
        decision = self._authorizer.decide(user, info.attributes())
        trail = current_trail()
        if trail is not None:
            trail.allowed, trail.reason = decision.allowed, decision.reason
        if not decision.allowed:
            raise denial(user, info.attributes(), decision.reason)
        if info.resource and info.group == metrics_api.GROUP:
            return await self._metrics.handle(request, info)
        if info.resource:
            return await self._handler.handle(request, info, user)
        if self.doorman is not None and (answer := await self.doorman.answer(request)) is not None:
            return answer
        return self._documents.answer(request)

    def _user(self, request: web.BaseRequest) -> User:
        transport = request.transport
        tls = transport.get_extra_info("ssl_object") if transport else None
        certificate = transport.get_extra_info("peercert") if transport else None
        der = tls.getpeercert(binary_form=True) if tls and certificate else None
        user = self._authenticator.authenticate(request.headers, certificate, der)
        trail = current_trail()
        if trail is not None:
            trail.user = user
        other = impersonated(request.headers)
        if other is None:
            return user
        if trail is not None:
            trail.impersonated = other
        demand_rights(self._authorizer, user, request.headers, other)
        return other


def _too_many() -> web.Response:
    headers = {"Retry-After": "1", "Cache-Control": "no-cache, private", "X-Content-Type-Options": "nosniff"}
    return web.Response(status=429, text="Too many requests, please try again later.\n", headers=headers)


def _refusal(request: web.BaseRequest, error: ApiError) -> web.Response:
    """A Status as an answer, in the form that was asked for where possible; none in the middle of another."""
    if request.writer.output_size > 0 and request.transport is not None:
        request.transport.abort()
    headers = CIMultiDict({"Cache-Control": "no-cache, private", **error.headers})
    form = refusal_form(request.headers.get("Accept", ""))
    headers["Content-Type"] = form.content_type
    return web.Response(status=error.code, body=encode(error.status, form), headers=headers)


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: "asyncio.Task[None]",
) -> web.BaseRequest:
    """A request with the API server's limit on bodies."""
    loop = asyncio.get_running_loop()
    return ApiRequest(legible(message), payload, protocol, writer, task, loop, client_max_size=_LARGEST_BODY)
