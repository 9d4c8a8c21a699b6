import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from tests.sandbox.apiserver.conftest import Served
from tests.sandbox.apiserver.objects import pod


@asynccontextmanager
async def serving(answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> AsyncIterator[int]:
    """A web server for one test; its port."""
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=512).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def running_pod(served: Served) -> None:
    """A pod `p` whose address is the loopback's."""
    await served.api.create("pods", pod("p", nodeName="node1"), "default")
    await served.api.patch("pods", "p", "default", {"status": {"podIP": "127.0.0.1"}}, subresource="status")


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """A web server that answers with the path it was asked for; its port."""

    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response(text=request.raw_path, status=418, headers={"X-Seen": request.method})

    async with serving(answer) as port:
        yield port


async def test_proxy_to_a_pod_and_a_service(served: Served, echo: int) -> None:
    """The proxy hands through path and query as they were encoded, status and headers, to a port by number or name."""
    await running_pod(served)
    async with served.session.get(f"/api/v1/namespaces/default/pods/p:{echo}/proxy/a/b?c=d") as answer:
        assert (answer.status, await answer.text(), answer.headers["X-Seen"]) == (418, "/a/b?c=d", "GET")
    await service_of(served, echo)
    proxied = "/api/v1/namespaces/default/services/http:s:web/proxy/x"
    async with served.session.post(proxied, data=b"body") as answer:
        assert (answer.status, answer.headers["X-Seen"]) == (418, "POST")
    odd = URL(f"{proxied}/%2e%2F%20?a=%0d%0aX:%20y&b=%26", encoded=True)
    async with served.session.get(odd) as answer:
        assert (await answer.text()) == "/x/%2e%2F%20?a=%0d%0aX:%20y&b=%26"


async def test_a_service_without_endpoints_is_unavailable(served: Served) -> None:
    """The proxy says 503 where no pod stands behind a Service."""
    service = {"metadata": {"name": "s"}, "spec": {"ports": [{"name": "web", "port": 80}]}}
    await served.api.create("services", service, "default")
    async with served.session.get("/api/v1/namespaces/default/services/http:s:web/proxy/x") as answer:
        assert (answer.status, (await answer.json())["reason"]) == (503, "ServiceUnavailable")


async def test_a_proxied_request_says_only_what_its_client_said(served: Served) -> None:
    """The proxy adds no preferences of its own: what a client can't read must not come back."""
    seen: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        seen.extend(name.lower() for name in request.headers)
        return web.Response(text="ok")

    async with serving(answer) as port:
        await running_pod(served)
        skipped = ("Accept", "Accept-Encoding", "User-Agent")
        acting = {"Impersonate-User": "jane", "Impersonate-Group": "system:masters"}
        url = f"/api/v1/namespaces/default/pods/p:{port}/proxy/"
        async with served.session.get(url, headers=acting, skip_auto_headers=skipped) as response:
            assert response.status == 200
    assert not {"accept", "accept-encoding", "user-agent", "content-type", "impersonate-user"} & set(seen)


async def test_hundreds_of_streams_pass_the_proxy_at_a_time(served: Served) -> None:
    """Long answers don't wait for each other."""
    streams = 120
    everybody = asyncio.Barrier(streams)

    async def answer(request: web.BaseRequest) -> web.Response:
        await everybody.wait()
        return web.Response(text="ok")

    async def ask(url: str) -> int:
        async with served.session.get(url) as response:
            return response.status

    async with serving(answer) as port:
        await running_pod(served)
        connector = served.session.connector
        assert isinstance(connector, aiohttp.TCPConnector)
        connector._limit = 0
        url = f"/api/v1/namespaces/default/pods/p:{port}/proxy/"
        assert await asyncio.gather(*(ask(url) for _ in range(streams))) == [200] * streams


async def test_a_server_that_breaks_off_breaks_off_its_clients_answer(served: Served) -> None:
    """An answer that ends too early is never taken for a whole one."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    async with serving(answer) as port:
        await running_pod(served)
        with pytest.raises(aiohttp.ClientError):
            async with served.session.get(f"/api/v1/namespaces/default/pods/p:{port}/proxy/") as response:
                await response.read()


class Firehose:
    """A web server's answer without end; it counts what it could send and tells when it is stopped."""

    def __init__(self) -> None:
        self.sent = 0
        self.stopped = asyncio.Event()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Send until the client goes."""
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(100_000))
                self.sent += 100_000
        finally:
            self.stopped.set()


async def test_a_client_that_stops_reading_holds_up_only_its_own_answer(served: Served) -> None:
    """What isn't read stays with the pod; others are answered meanwhile; the pod is let go with the client."""
    firehose = Firehose()

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=bytes(1_000_000)) if request.path == "/other" else await firehose(request)

    async with asyncio.timeout(60), serving(answer) as port:
        await running_pod(served)
        url = f"/api/v1/namespaces/default/pods/p:{port}/proxy"
        async with served.session.get(f"{url}/hose") as stuck:
            assert len(await stuck.content.readany()) > 0
            for _ in range(30):
                async with served.session.get(f"{url}/other") as other:
                    assert len(await other.read()) == 1_000_000
            # Sockets' buffers, and no more: those of the system are some megabytes at most.
            assert firehose.sent < 30_000_000
            assert not firehose.stopped.is_set()
            stuck.close()
        await firehose.stopped.wait()


async def echo_messages(request: web.BaseRequest) -> web.StreamResponse:
    """A WebSocket that repeats what it is told, and first of all where it was asked for."""
    socket = web.WebSocketResponse(protocols=("chat",))
    if not socket.can_prepare(request).ok:
        return web.Response(status=426, text="WebSockets only")
    await socket.prepare(request)
    await socket.send_str(f"{request.raw_path} {socket.ws_protocol}")
    async for message in socket:
        await socket.send_bytes(message.data)
    return socket


async def service_of(served: Served, port: int) -> None:
    """A Service `s` whose port 80 leads to a port of the loopback."""
    service = {"metadata": {"name": "s"}, "spec": {"ports": [{"name": "web", "port": 80}]}}
    await served.api.create("services", service, "default")
    piece = {
        "metadata": {"name": "s-1", "labels": {"kubernetes.io/service-name": "s"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "web", "port": port}],
    }
    await served.api.create("endpointslices.discovery.k8s.io", piece, "default")


@pytest.mark.parametrize("target", ["pods/p:{port}", "pods/http:p:{port}", "services/s:80", "services/s:web"])
async def test_a_websocket_passes_the_proxy(served: Served, target: str) -> None:
    """Path, query and protocol reach the pod; messages of any size pass both ways, and the close of the client."""
    async with asyncio.timeout(60), serving(echo_messages) as port:
        await running_pod(served)
        await service_of(served, port)
        url = f"/api/v1/namespaces/default/{target.format(port=port)}/proxy/talk/here?a=%20b"
        async with served.session.ws_connect(url, protocols=("chat",), max_msg_size=0) as socket:
            assert await socket.receive_str() == "/talk/here?a=%20b chat"
            for size in (0, 1, 70_000, 3_000_000):
                message = bytes(size)
                sending = asyncio.create_task(socket.send_bytes(message))
                assert await socket.receive_bytes() == message
                await sending
        assert socket.close_code == 1000


async def test_a_pod_that_refuses_an_upgrade_is_heard(served: Served) -> None:
    """Its own answer comes back, as it is."""

    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response(status=403, text=f"not at {request.path}")

    async with asyncio.timeout(60), serving(answer) as port:
        await running_pod(served)
        url = f"/api/v1/namespaces/default/pods/p:{port}/proxy/talk"
        headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
        async with served.session.get(url, headers=headers) as response:
            assert (response.status, await response.text()) == (403, "not at /talk")


async def test_an_upgrade_to_a_closed_port_fails_at_once(served: Served) -> None:
    """Where nothing listens, the API server says that it could not dial."""
    async with asyncio.timeout(60), serving(echo_messages) as port:
        pass
    await running_pod(served)
    headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
    url = f"/api/v1/namespaces/default/pods/p:{port}/proxy/talk"
    async with served.session.get(url, headers=headers) as response:
        assert response.status == 500
        assert "error dialing backend" in (await response.json())["message"]
