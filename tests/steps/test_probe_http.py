import asyncio
import re

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec.structs import replace
from pydantic import ValidationError

from seatrial.runtime.events import Where
from seatrial.runtime.verdict import Verdict
from seatrial.steps.probe_http import ProbeHTTP, plan, run


class Backend:
    """A small web server that answers with the given statuses in turn, the last one again and again."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.requests = []
        self.hang = False

    async def __aenter__(self):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self.server = TestServer(app)
        await self.server.start_server()
        self.url = str(self.server.make_url("")).rstrip("/")
        return self

    async def __aexit__(self, *error):
        await self.server.close()

    async def _answer(self, request):
        self.requests.append((request.method, request.path, await request.text(), dict(request.headers)))
        if self.hang:
            await asyncio.sleep(60)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})


def probe(url, **given):
    return ProbeHTTP.model_validate({"target": {"url": url}, **given})


async def test_an_expected_status_passes(recorder):
    """One request with the expected status is enough; its latency and status are recorded."""
    async with Backend(200) as backend:
        outcome = await run(probe(backend.url, endpoint="/healthz"), recorder.context)
        [sample] = await recorder.events()
        assert outcome.verdict is Verdict.PASSED
        assert (sample.ok, sample.status, sample.via, sample.target) == (True, 200, "url", f"{backend.url}/healthz")
        assert sample.latency_ms > 0
        assert [request[:2] for request in backend.requests] == [("GET", "/healthz")]


async def test_another_status_fails_after_all_tries(recorder):
    """Three tries by default, 100 ms between them, then the scenario fails with what was seen."""
    async with Backend(503) as backend:
        outcome = await run(probe(backend.url), recorder.context)
        assert outcome.verdict is Verdict.FAILED
        assert outcome.reasons == (f"GET {backend.url}: expected 200, got 503 after 3 tries",)
        assert len(backend.requests) == 3
        assert recorder.clock.slept == [0.1, 0.1]


async def test_a_later_try_may_succeed(recorder):
    """A try that succeeds ends the trying."""
    async with Backend(500, 200) as backend:
        outcome = await run(probe(backend.url, retries=5, delay=20), recorder.context)
        assert outcome.passed
        assert len(backend.requests) == 2
        assert [sample.ok for sample in await recorder.events()] == [False, True]


async def test_every_one_of_count_requests_has_to_succeed(recorder):
    """`count` requests are sent one after the other; the first that fails all its tries fails the step."""
    async with Backend(200, 200, 500) as backend:
        outcome = await run(probe(backend.url, count=5, retries=2, delay=0), recorder.context)
        assert outcome.verdict is Verdict.FAILED
        assert len(backend.requests) == 4


async def test_the_trace_is_taken_along_where_a_probe_asks_for_it(recorder):
    """The header names the run's trace and the step's span; one of the policy's own is sent instead, none unasked."""
    context = recorder.context.at(where=Where(round=1, scenario="s", step=2))
    own = {"name": "TraceParent", "value": "own"}
    async with Backend(200) as backend:
        await run(probe(backend.url), context)
        await run(probe(backend.url, traceparent=True), context)
        await run(probe(backend.url, traceparent=True, headers=[own]), context)
        sent = [
            [value for name, value in request[3].items() if name.lower() == "traceparent"]
            for request in backend.requests
        ]
        assert sent == [[], [context.traceparent], ["own"]]
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", context.traceparent)


async def test_method_body_and_headers_are_sent(recorder):
    """The request is the one that the policy describes."""
    async with Backend(201) as backend:
        spec = probe(
            backend.url, method="post", body="hello", code=201, headers=[{"name": "X-Chaos", "value": "monkey"}]
        )
        assert (await run(spec, recorder.context)).passed
        [(method, _, body, headers)] = backend.requests
        assert (method, body, headers["X-Chaos"]) == ("POST", "hello", "monkey")


async def test_a_redirect_is_an_answer_like_any_other(recorder):
    """Redirects are not followed, so a policy can expect one."""
    async with Backend(302) as backend:
        assert (await run(probe(backend.url, code=302), recorder.context)).passed
        assert len(backend.requests) == 1


async def test_an_answer_that_does_not_come_fails(recorder):
    """A request has `timeout` milliseconds."""
    async with Backend(200) as backend:
        backend.hang = True
        outcome = await run(probe(backend.url, timeout=50, retries=1), recorder.context)
        assert outcome.reasons == (f"GET {backend.url}: no answer within 50 ms",)


async def test_nobody_listening_fails(recorder, unused_tcp_port):
    """A connection that is refused is a failure of the system under test, with its reason."""
    outcome = await run(probe(f"http://127.0.0.1:{unused_tcp_port}", retries=1), recorder.context)
    assert outcome.verdict is Verdict.FAILED
    assert "onnect" in outcome.reasons[0]


async def test_proxies_of_the_environment_are_ignored(recorder, monkeypatch, unused_tcp_port):
    """HTTP_PROXY has no effect on a probe; `proxy` in the policy does."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_tcp_port}")
    async with Backend(200) as backend:
        assert (await run(probe(backend.url), recorder.context)).passed
        assert (await run(probe("http://nowhere.invalid/x", proxy=backend.url), recorder.context)).passed
        assert backend.requests[-1][1] == "/x"


async def test_a_certificate_is_verified_unless_insecure(recorder):
    """A self-signed certificate fails the probe; `insecure: true` accepts it."""
    import ssl

    import trustme

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    async def answer(request):
        return web.Response()

    app = web.Application()
    app.router.add_get("/", answer)
    server = TestServer(app, scheme="https")
    await server.start_server(ssl=context)
    url = str(server.make_url("/"))
    refused = await run(probe(url, retries=1), recorder.context)
    accepted = await run(probe(url, retries=1, insecure=True), recorder.context)
    await server.close()
    assert (refused.verdict, accepted.verdict) == (Verdict.FAILED, Verdict.PASSED)
    assert "certificate" in refused.reasons[0].lower()


@pytest.mark.parametrize(
    ("given", "summary"),
    [
        ({"target": {"url": "http://a/"}, "endpoint": "/x"}, "GET http://a/x, expecting 200"),
        (
            {"target": {"service": {"name": "s", "namespace": "n", "port": 8080}}, "count": 3, "code": 404},
            "3 x GET http://s.n:8080, expecting 404",
        ),
    ],
)
async def test_a_plan_tells_the_requests(on_cluster, given, summary):
    """A plan says what would be requested and sends nothing."""
    assert (await plan(ProbeHTTP.model_validate(given), on_cluster.context)).summary == summary


async def test_the_times_of_a_requests_parts_are_recorded(recorder):
    """Connection, first byte and last byte of each request."""
    async with Backend(200) as backend:
        await run(probe(backend.url, count=2), recorder.context)
        samples = await recorder.events()
    assert len(samples) == 2
    for sample in samples:
        assert 0 < sample.connect_ms < sample.first_byte_ms <= sample.latency_ms
        assert sample.tls_ms is None


async def test_probes_run_side_by_side(recorder):
    """A probe may be run again and again while other steps run: each run is one of its own."""
    async with Backend(200) as backend:
        outcomes = await asyncio.gather(*(run(probe(backend.url), recorder.context) for _ in range(10)))
        assert all(outcome.passed for outcome in outcomes)
        assert len(backend.requests) == 10


def problems_of(**given):
    """The complaints about a probe, each with its path."""
    with pytest.raises(ValidationError) as caught:
        ProbeHTTP.model_validate(given)
    return [(each["loc"], each["msg"]) for each in caught.value.errors()]


@pytest.mark.parametrize("via", ["apiserver", "portForward"])
def test_a_proxy_and_another_way_contradict_each_other(via):
    """A proxy leads to a cluster IP, not to the API server nor into a pod."""
    target = {"service": {"name": "s", "namespace": "n", "via": via}}
    [(path, message)] = problems_of(target=target, proxy="http://proxy")
    assert path == ("proxy",)
    assert via in message
    ProbeHTTP.model_validate({"target": {"service": {"name": "s", "namespace": "n"}}, "proxy": "http://proxy"})


@pytest.mark.parametrize("name", ["Authorization", "host", "Impersonate-User"])
def test_a_header_that_the_api_server_would_take_for_its_own_is_refused(name):
    """Through the API server it would mean somebody else's rights, or never arrive."""
    target = {"service": {"name": "s", "namespace": "n", "via": "apiserver"}}
    headers = [{"name": "X-Fine", "value": "1"}, {"name": name, "value": "x"}]
    [(path, message)] = problems_of(target=target, headers=headers)
    assert path == ("headers", 1, "name")
    assert name in message


async def test_a_plan_names_missing_permissions(control, on_cluster):
    """Each way needs its own; they are asked for before anything is sent."""
    async with await control.connect_as("jane") as cluster:
        context = replace(on_cluster.context, cluster=cluster)
        for via, missing in {
            None: {"get services"},
            "apiserver": {"get services", "create services/proxy"},
            "portForward": {
                "get services",
                "list endpointslices",
                "get pods/portforward",
                "create pods/portforward",
            },
        }.items():
            target = {"service": {"name": "s", "namespace": "n", **({"via": via} if via else {})}}
            planned = await plan(ProbeHTTP.model_validate({"target": target, "method": "post"}), context)
            assert set(planned.missing_permissions) == {f"{each} in n" for each in missing}
