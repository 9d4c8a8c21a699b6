"""A Service of an API server, with a real web server at its cluster IP, its endpoint, or nowhere."""

import asyncio
import contextlib

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

HEADLESS = "None"


class Answers:
    """What a web server says to each request in turn, the last one for ever, and what it was asked.

    `fifth` is set when five requests came.
    """

    def __init__(self, *answers):
        self.answers = list(answers) or [{}]
        self.requests = []
        self.fifth = asyncio.Event()

    async def answer(self, request):
        self.requests.append((request.method, request.path_qs, await request.text(), dict(request.headers)))
        if len(self.requests) == 5:
            self.fifth.set()
        said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(**said)


@contextlib.asynccontextmanager
async def listening(answer, host="127.0.0.1", port=0):
    """A web server that answers every request with that coroutine function."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(app, host=host, port=port or None)
    await server.start_server()
    try:
        yield server
    finally:
        await server.close()


@pytest.fixture
def make_service(control):
    """Creates a Service and answers its cluster IP; `endpoint` is the port of this machine behind it."""

    async def make(name="web", *, port=8080, endpoint=None, cluster_ip=""):
        ports = [{"name": "http", "port": port, "targetPort": endpoint or port}]
        spec = {"ports": ports, **({"clusterIP": cluster_ip} if cluster_ip else {})}
        made = await control.server.api.create("services", {"metadata": {"name": name}, "spec": spec}, "default")
        if endpoint:
            piece = {
                "metadata": {"name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}},
                "addressType": "IPv4",
                "endpoints": [{"addresses": ["127.0.0.1"]}],
                "ports": [{"name": "http", "port": endpoint}],
            }
            await control.server.api.create("endpointslices.discovery.k8s.io", piece, "default")
        return made["spec"]["clusterIP"]

    return make
