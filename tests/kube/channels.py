"""A kubelet's end of streams in WebSockets, behind the API server of the tests: says what a script tells it to."""

import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from seatrial.kube.client import Client
from seatrial.kube.transport import Transport
from tests.kube.fake_apiserver import FakeApiServer

V4, V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"
Talk = Callable[["KubeletSocket"], Awaitable[None]]


class KubeletSocket:
    """One WebSocket as the kubelet sees it."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.socket = socket
        self.request = request

    async def send(self, channel: int, data: bytes) -> None:
        await self.socket.send_bytes(bytes([channel]) + data)

    async def conclude(self, **status: Any) -> None:
        await self.send(3, msgspec.json.encode({"metadata": {}, "status": "Success", **status}))

    async def receive(self) -> tuple[int, bytes] | None:
        message = await self.socket.receive()
        return (message.data[0], message.data[1:]) if message.type is WSMsgType.BINARY else None


def kubelet(talk: Talk, *, protocols: tuple[str, ...] = (V5, V4)):
    """A handler that agrees on one of the protocols and then talks; a client that offers none of them is refused."""

    async def handle(request: web.Request) -> web.StreamResponse:
        offered = [each.strip() for each in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        chosen = next((each for each in offered if each in protocols), None)
        if chosen is None:
            return web.Response(status=403)
        socket = web.WebSocketResponse(protocols=(chosen,), timeout=0.5)
        await socket.prepare(request)
        with contextlib.suppress(ConnectionError):
            await talk(KubeletSocket(socket, request))
        await socket.close()
        return socket

    return handle


class _Anonymous:
    """Credentials of nobody, who trusts everybody."""

    async def headers(self):
        return ()

    async def tls(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def renew(self):
        return False


def unverified_client(server: FakeApiServer) -> Client:
    """A client without a kubeconfig."""
    return Client(Transport(server.url, _Anonymous()), default_namespace="team")
