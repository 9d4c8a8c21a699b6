"""A small API server for the tests of the client: real TLS on loopback, says what it is told and keeps what it got."""

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import trustme
from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Sent(msgspec.Struct, frozen=True):
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)


def status(code: int, reason: str = "", message: str = "", **details: Any) -> dict[str, Any]:
    """A Status object."""
    return {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message or reason,
        "reason": reason, "details": details, "code": code,
    }  # fmt: skip


def answer(body: Any, *, code: int | None = None, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer; a Status object brings its own code."""
    if code is None:
        code = body["code"] if body.get("kind") == "Status" and body.get("code") else 200
    return web.Response(status=code, body=msgspec.json.encode(body), content_type="application/json", headers=headers)


def pod(name: str, version: int, *, uid: str = "", namespace: str = "default", **labels: str) -> dict[str, Any]:
    """A pod with little in it."""
    meta = {"name": name, "namespace": namespace, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": {**meta, "labels": labels}, "spec": {"containers": [{"name": "c"}]}, "status": {}}


def pod_list(*pods: dict[str, Any], version: int, token: str = "") -> dict[str, Any]:
    """A PodList, or a page of one."""
    return {"kind": "PodList", "metadata": {"resourceVersion": str(version), "continue": token}, "items": list(pods)}


class FakeApiServer:
    """Answers by `routes[(method, path)]`; a list of handlers is used up one by one, the last stays."""

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.sent: list[Sent] = []
        self.routes: dict[tuple[str, str], list[Handler]] = {}
        self.address = "127.0.0.1"
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"https://{self.address}:{self.port}"

    @property
    def authority_pem(self) -> bytes:
        """The authority that signed its certificate."""
        return self.authority.cert_pem.bytes()

    def on(self, method: str, path: str, *handlers: Handler | dict[str, Any] | web.Response) -> None:
        """Say what to answer; dictionaries are JSON answers."""
        self.routes[method, path] = [_handler(handler) for handler in handlers]

    def seen(self, method: str, path: str) -> list[Sent]:
        """What was sent there so far."""
        return [sent for sent in self.sent if (sent.method, sent.path) == (method, path)]

    async def start(self, *names: str, client_certificates: bool = False, port: int = 0) -> None:
        """Listen, with a certificate for these names (the address by default)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*(names or (self.address,))).configure_cert(context)
        if client_certificates:
            context.verify_mode = ssl.CERT_REQUIRED
            self.authority.configure_trust(context)
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.address, port, ssl_context=context, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.sent.append(Sent(request.method, request.path, dict(request.query), dict(request.headers), body))
        handlers = self.routes.get((request.method, request.path))
        if not handlers:
            return answer(status(404, "NotFound", "the server could not find the requested resource"))
        handler = handlers.pop(0) if len(handlers) > 1 else handlers[0]
        return await handler(request)


def _handler(given: Handler | dict[str, Any] | web.Response) -> Handler:
    if callable(given):
        return given

    async def fixed(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0)
        if isinstance(given, web.Response):
            return web.Response(
                status=given.status, body=given.body, content_type=given.content_type, headers=_plain(given)
            )
        return answer(given)

    return fixed


def _plain(response: web.Response) -> dict[str, str]:
    return {key: value for key, value in response.headers.items() if not key.startswith("Content-")}


async def break_off(request: web.Request) -> web.StreamResponse:
    """Cut the connection in the middle of everything."""
    transport = request.transport
    assert transport is not None
    transport.abort()
    await asyncio.sleep(0)
    return web.Response()


@contextlib.asynccontextmanager
async def serving(*names: str, client_certificates: bool = False) -> AsyncIterator[FakeApiServer]:
    """A server for the length of a block."""
    server = FakeApiServer()
    await server.start(*names, client_certificates=client_certificates)
    try:
        yield server
    finally:
        await server.stop()


counter = itertools.count(1)
