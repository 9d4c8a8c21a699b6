import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

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
        return web.Response(text=request.path_qs, status=418, headers={"X-Seen": request.method})

    async with serving(answer) as port:
        yield port


async def test_proxy_to_a_pod_and_a_service(served: Served, echo: int) -> None:
    """The proxy hands through path, query, status and headers, to a port by number or name."""
    await running_pod(served)
    async with served.session.get(f"/api/v1/namespaces/default/pods/p:{echo}/proxy/a/b?c=d") as answer:
        assert (answer.status, await answer.text(), answer.headers["X-Seen"]) == (418, "/a/b?c=d", "GET")
    service = {"metadata": {"name": "s"}, "spec": {"ports": [{"name": "web", "port": 80}]}}
    await served.api.create("services", service, "default")
    proxied = "/api/v1/namespaces/default/services/http:s:web/proxy/x"
    async with served.session.get(proxied) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (503, "ServiceUnavailable")
    piece = {
        "metadata": {"name": "s-1", "labels": {"kubernetes.io/service-name": "s"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "web", "port": echo}],
    }
    await served.api.create("endpointslices.discovery.k8s.io", piece, "default")
    async with served.session.post(proxied, data=b"body") as answer:
        assert (answer.status, answer.headers["X-Seen"]) == (418, "POST")


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
