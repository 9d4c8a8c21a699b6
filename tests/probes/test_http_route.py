import asyncio

import pytest
from aiohttp import web

from seatrial.errors import ClusterError
from seatrial.kube.errors import NotFound, TooManyRequests
from seatrial.probes.http_route import ApiserverRoute, DirectRoute, NoAnswer, join, public
from seatrial.probes.http_session import probe_session
from seatrial.probes.service_endpoints import ServiceAddress
from seatrial.probes.service_route import route_to_service
from tests.kube.channels import unverified_client
from tests.kube.fake_apiserver import serving, status
from tests.probes.conftest import HEADLESS, Answers, listening


@pytest.fixture
async def session():
    """A session that takes nothing from the environment."""
    async with probe_session() as made:
        yield made


def send(route, path="", *, method="get", timeout_seconds=30, headers=None, body=None):
    return route.send(method, path, timeout_seconds=timeout_seconds, headers=headers or {}, body=body)


def route(session, control, **given):
    return route_to_service(
        control.cluster, session, ServiceAddress(namespace="default", name="web", port=8080), **given
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://web:8080/healthz", "http://web:8080/healthz"),
        ("https://user:secret@web/x", "https://web/x"),
        ("https://user:se@cret@web/x", "https://web/x"),
        ("https://secret@web/x", "https://web/x"),
        ("http://web/x?token=secret&page=secret", "http://web/x?token=***&page=***"),
        ("http://web/x?token=secret&token=secret", "http://web/x?token=***&token=***"),
        ("http://web/x?token=", "http://web/x?token=***"),
        ("http://web/x#secret", "http://web/x"),
        ("http://user:secret@[fd00::1]:80/x", "http://[fd00::1]:80/x"),
        ("http://[broken/?token=secret", "(a URL that can't be read)"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_its_secrets(url, shown):
    """User, password, fragment and the values of the query never appear; their names do."""
    assert public(url) == shown
    assert "secret" not in public(url)


@pytest.mark.parametrize(
    ("base", "path", "joined"),
    [
        ("http://web", "", "http://web"),
        ("http://web/", "", "http://web/"),
        ("http://web", "healthz", "http://web/healthz"),
        ("http://web/", "/healthz", "http://web/healthz"),
        ("http://web/api/", "v1/x/", "http://web/api/v1/x/"),
        ("/services/web/proxy", "/x?y=z", "/services/web/proxy/x?y=z"),
    ],
)
def test_two_parts_are_joined_by_one_slash(base, path, joined):
    """However many slashes the parts have; an empty path adds nothing."""
    assert join(base, path) == joined


async def test_a_direct_request_is_what_it_was_told_to_be(session):
    """Method, path, headers and body arrive, and status, body and time come back."""
    answers = Answers({"status": 418, "text": "teapot"})
    async with listening(answers.answer) as server:
        direct = DirectRoute(session, str(server.make_url("/")))
        answer = await send(direct, "/pot", method="post", headers={"X-Chaos": "yes"}, body="brew")
    assert (answer.status, answer.body, direct.via) == (418, b"teapot", "url")
    assert answer.latency_ms > 0
    [(method, path, body, headers)] = answers.requests
    assert (method, path, body, headers["X-Chaos"]) == ("POST", "/pot", "brew", "yes")


async def test_a_redirect_is_an_answer(session):
    """Redirects are not followed."""
    answers = Answers({"status": 302, "headers": {"Location": "/elsewhere"}})
    async with listening(answers.answer) as server:
        assert (await send(DirectRoute(session, str(server.make_url("/"))))).status == 302
    assert len(answers.requests) == 1


async def test_an_answer_that_takes_too_long_is_none(session):
    """The time limit is told in milliseconds."""

    async def hangs(request):
        await asyncio.Event().wait()

    async with listening(hangs) as server:
        with pytest.raises(NoAnswer, match="no answer within 50 ms"):
            await send(DirectRoute(session, str(server.make_url("/"))), timeout_seconds=0.05)


async def test_a_connection_that_breaks_is_no_answer(session):
    """A server that hangs up in the middle has not answered."""

    async def hangs_up(request):
        request.transport.close()
        return web.Response()

    async with listening(hangs_up) as server:
        with pytest.raises(NoAnswer):
            await send(DirectRoute(session, str(server.make_url("/"))))


@pytest.mark.parametrize(
    "url", ["http://user:secret@127.0.0.1:{}/?token=secret", "http://secret:secret@host:99999999/"]
)
async def test_what_keeps_an_answer_away_is_told_without_secrets(session, unused_tcp_port, url):
    """Neither password nor token of a URL is in the reason."""
    with pytest.raises(NoAnswer) as caught:
        await send(DirectRoute(session, url.format(unused_tcp_port)))
    assert "secret" not in str(caught.value)


async def test_a_service_is_asked_by_its_cluster_ip_where_that_connects(control, session, make_service):
    """Something listens at the cluster IP: requests go there, and the route says so."""
    address = await make_service()
    async with listening(Answers({"text": "hello"}).answer, host=address, port=8080):
        found = await route(session, control)
        assert (found.via, found.target) == ("clusterIP", f"http://{address}:8080")
        assert (await send(found, "/")).body == b"hello"


async def test_a_service_whose_cluster_ip_does_not_connect_is_asked_through_the_api_server(
    control, session, make_service
):
    """Nothing listens at the cluster IP: the request reaches the endpoint by the API server's proxy."""
    answers = Answers({"text": "hello"})
    async with listening(answers.answer) as server:
        await make_service(endpoint=server.port)
        found = await route(session, control)
        assert (found.via, found.target) == ("apiserver", "http://web.default:8080")
        answer = await send(found, "/x?y=z", method="post", headers={"X-Chaos": "yes"}, body="brew")
    assert (answer.status, answer.body) == (200, b"hello")
    [(method, path, body, headers)] = answers.requests
    assert (method, path, body, headers["X-Chaos"]) == ("POST", "/x?y=z", "brew", "yes")


async def test_a_service_without_a_cluster_ip_is_asked_through_the_api_server(control, session, make_service):
    """A headless Service has no address to try."""
    await make_service(cluster_ip=HEADLESS)
    assert (await route(session, control)).via == "apiserver"


async def test_the_way_can_be_chosen(control, session, make_service):
    """`via` is taken at its word, whatever connects."""
    address = await make_service()
    assert (await route(session, control, via="clusterIP")).via == "clusterIP"
    async with listening(Answers().answer, host=address, port=8080):
        assert (await route(session, control, via="apiserver")).via == "apiserver"


async def test_a_service_without_that_address_can_t_be_asked_by_it(control, session, make_service):
    """`via: clusterIP` of a headless Service is an error with a hint."""
    await make_service(cluster_ip=HEADLESS)
    with pytest.raises(ClusterError, match="Service default/web has no cluster IP") as caught:
        await route(session, control, via="clusterIP")
    assert "via: portForward" in caught.value.hint


async def test_a_service_without_that_port_is_said_with_the_ports_it_has(control, session, make_service):
    """A wrong port is not taken for a service that is down."""
    await make_service(port=9090)
    with pytest.raises(ClusterError, match=r"has no port 8080 \(it has: 9090\)"):
        await route(session, control)


async def test_a_service_that_isn_t_there_is_said(control, session):
    """The API server's own words."""
    with pytest.raises(NotFound):
        await route(session, control)


async def test_no_endpoints_are_an_answer(control, session, make_service):
    """The 503 of the API server's proxy is what a client of the service would see: an answer, no error."""
    await make_service()
    found = await route(session, control, via="apiserver")
    assert (await send(found)).status == 503


@pytest.mark.parametrize("status", [401, 403, 404, 500])
async def test_a_refusal_of_the_backend_is_an_answer(control, session, make_service, status):
    """What the backend itself refuses is its answer, not the API server's error."""
    async with listening(Answers({"status": status, "text": "go away"}).answer) as server:
        await make_service(endpoint=server.port)
        answer = await send(await route(session, control, via="apiserver"))
    assert (answer.status, answer.body) == (status, b"go away")


async def test_a_refusal_of_the_api_server_is_an_error(control):
    """Who may not use the proxy learns that, and takes it for no answer of the service."""
    async with await control.connect_as("jane") as cluster:
        with pytest.raises(ClusterError, match="jane"):
            await send(ApiserverRoute(cluster, namespace="default", name="web", port=80, scheme="http"))


async def test_an_api_server_that_is_too_busy_is_an_error():
    """Its 429 says nothing about the service; the service's own 429 does."""
    path = "/api/v1/namespaces/default/services/http:web:80/proxy/"
    async with serving() as server, unverified_client(server) as cluster:
        way = ApiserverRoute(cluster, namespace="default", name="web", port=80, scheme="http")
        server.on("GET", path, web.Response(status=429, text="Too many requests, please try again later.\n"))
        with pytest.raises(TooManyRequests):
            await send(way)
        server.on("GET", path, web.Response(status=429, text="slow down"))
        assert (await send(way)).status == 429


@pytest.mark.parametrize(("code", "reason"), [(429, "TooManyRequests"), (500, "InternalError"), (504, "Timeout")])
async def test_an_api_server_that_fails_is_an_error(code, reason):
    """Its own failure is no finding about the service."""
    async with serving() as server, unverified_client(server) as cluster:
        way = ApiserverRoute(cluster, namespace="default", name="web", port=80, scheme="http")
        server.on("GET", "/api/v1/namespaces/default/services/http:web:80/proxy/", status(code, reason, "no"))
        with pytest.raises(ClusterError, match="no"):
            await send(way)


async def test_from_inside_a_service_is_asked_by_its_cluster_ip_alone(control, session, make_service):
    """There a cluster IP that doesn't connect is the finding, and no way around it is looked for."""
    await make_service()
    found = await route(session, control, is_inside=True)
    assert found.via == "clusterIP"
    with pytest.raises(NoAnswer):
        await send(found)


async def test_a_backend_that_hangs_behind_the_api_server_gives_no_answer(control, session, make_service):
    """The time limit holds by this way too."""

    async def hangs(request):
        await asyncio.Event().wait()

    async with listening(hangs) as server:
        await make_service(endpoint=server.port)
        with pytest.raises(NoAnswer, match="no answer within 100 ms"):
            await send(await route(session, control, via="apiserver"), timeout_seconds=0.1)


async def test_a_proxys_refusal_does_not_show_its_password():
    """What a proxy answers to CONNECT is said by its status; the proxy's URL, which may hold a password, is not."""

    async def refuse(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with probe_session() as session:
        route = DirectRoute(session, "https://example.invalid", proxy=f"http://user:s3cret@127.0.0.1:{port}")
        with pytest.raises(NoAnswer) as caught:
            await route.send("get", "/", timeout_seconds=5, headers={}, body=None)
    server.close()
    assert "407" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_query_without_names_is_hidden_too():
    """A token may be the whole query."""
    assert public("http://h/x?s3cr3t&a=b") == "http://h/x?***&a=***"


async def test_a_large_body_through_the_api_server_is_not_kept(control, session, make_service):
    """16 MiB are, as by every way."""

    async def large(request):
        return web.Response(body=b"x" * (20 * 1024 * 1024))

    async with listening(large) as server:
        await make_service(endpoint=server.port)
        answer = await send(await route(session, control, via="apiserver"))
    assert (answer.status, len(answer.body)) == (200, 16 * 1024 * 1024)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:1/", "connection refused"),
        ("http://no-such-host.invalid/", "the name can't be resolved"),
    ],
)
async def test_why_there_is_no_answer_is_said_in_the_systems_words(url, said, session):
    """The reason stands alone: who was asked is said by whoever tells of it."""
    with pytest.raises(NoAnswer) as raised:
        await send(DirectRoute(session, url, via="url"))
    assert str(raised.value).startswith(said)
    assert "ssl:" not in str(raised.value)
