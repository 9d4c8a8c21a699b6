"""What a sidecar is told over Toxiproxy's HTTP interface, held against a Toxiproxy that speaks it."""

import random

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from seatrial.sandbox.images.toxiproxy.api import Api
from seatrial.steps.clone.toxiproxy.api import RefusedError, ShownToxic, ToxiproxyApi, ToxiproxyError
from seatrial.steps.clone.toxiproxy.layout import PlannedToxic

TOXIC = PlannedToxic("web", "latency_downstream", "latency", "downstream", 0.1, (("latency", 250),))


@pytest.fixture
async def serve():
    """The client's side of a server of this application."""
    opened = []

    async def of(app):
        server = TestServer(app)
        await server.start_server()
        session = aiohttp.ClientSession(str(server.make_url("")))
        opened.append((session, server))
        return ToxiproxyApi(session)

    yield of
    for session, server in opened:
        await session.close()
        await server.close()


@pytest.fixture
async def toxiproxy(serve):
    """A Toxiproxy."""
    api = Api(address_of=lambda _host, port: ("127.0.0.1", port), randomness=random.Random(1))
    yield await serve(api.application())
    api.close()


def answering(status, text):
    async def answer(_request):
        return web.Response(status=status, text=text)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


async def test_proxies_and_toxics_are_made_and_read_back(toxiproxy):
    """What is shown is what was planned; Toxiproxy keeps shares as 32-bit numbers."""
    await toxiproxy.create_proxy("web", listen="127.0.0.1:0", upstream="127.0.0.1:9")
    await toxiproxy.add_toxic(TOXIC)
    shown = (await toxiproxy.proxies())["web"]
    assert shown.enabled
    assert [toxic.is_as(TOXIC) for toxic in shown.toxics] == [True]


async def test_names_are_quoted(toxiproxy):
    """A proxy of the policy may be called anything."""
    await toxiproxy.create_proxy("a b/c", listen="127.0.0.1:0", upstream="127.0.0.1:9")
    await toxiproxy.add_toxic(PlannedToxic("a b/c", "t", "timeout", "upstream", 1, ()))
    assert [toxic.name for toxic in (await toxiproxy.proxies())["a b/c"].toxics] == ["t"]


@pytest.mark.parametrize(
    "shown",
    [
        {"attributes": {"latency": 251, "jitter": 0}},
        {"attributes": {"jitter": 0}},
        {"toxicity": 1.0},
        {"stream": "upstream"},
        {"type": "timeout"},
    ],
)
def test_a_toxic_that_differs_is_seen(shown):
    """In any of its fields."""
    same = {"type": "latency", "stream": "downstream", "toxicity": 0.1, "attributes": {"latency": 250, "jitter": 0}}
    assert ShownToxic(name=TOXIC.name, **same).is_as(TOXIC)
    assert not ShownToxic(name=TOXIC.name, **{**same, **shown}).is_as(TOXIC)


async def test_a_refusal_says_why(toxiproxy):
    """In Toxiproxy's words."""
    with pytest.raises(RefusedError, match="proxy not found"):
        await toxiproxy.add_toxic(TOXIC)


@pytest.mark.parametrize(
    ("body", "why"),
    [('{"error": "bad", "status": 400}', "bad"), ('{"title": "old", "status": 400}', "old"), ("<html>", "400")],
)
async def test_refusals_of_old_versions_are_read(serve, body, why):
    """They say it under another key."""
    api = await serve(answering(400, body))
    with pytest.raises(RefusedError, match=why):
        await api.create_proxy("a", listen="b:1", upstream="c:2")


async def test_what_is_no_toxiproxy_is_said(serve):
    """An answer of something else."""
    api = await serve(answering(200, "[]"))
    with pytest.raises(ToxiproxyError, match="can't be read"):
        await api.proxies()
