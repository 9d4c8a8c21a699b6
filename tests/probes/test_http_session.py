"""What a request's parts take, and what a probe trusts: against real servers, with and without TLS."""

import asyncio
import ssl

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer

from seatrial.probes.http_route import DirectRoute, NoAnswer
from seatrial.probes.http_session import probe_session, tls_context
from seatrial.probes.service_endpoints import ServiceAddress
from seatrial.probes.service_route import route_to_service
from tests.probes.conftest import Answers, listening
from tests.probes.http_proxy import HttpProxy


@pytest.fixture
def signer():
    """Signs the certificates of the tests' servers; nobody trusts it yet."""
    return trustme.CA()


@pytest.fixture
def trusted(signer, tmp_path, monkeypatch):
    """This machine trusts that authority."""
    signer.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    tls_context.cache_clear()
    yield signer
    tls_context.cache_clear()


@pytest.fixture
async def session():
    async with probe_session() as made:
        yield made


async def encrypted(answer, authority, name, host="127.0.0.1", port=None):
    """A web server with a certificate for a name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(app, host=host, port=port, scheme="https")
    await server.start_server(ssl=context)
    return server


def send(route, *, timeout_seconds=30):
    return route.send("get", "/", timeout_seconds=timeout_seconds, headers={}, body=None)


async def test_the_parts_of_a_request_are_timed(session):
    """Connection, first byte and last byte, one after the other; without TLS there is no handshake."""

    async def slowly(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await asyncio.sleep(0.5)
        await response.write(b"last")
        return response

    async with listening(slowly) as server:
        answer = await send(DirectRoute(session, str(server.make_url("/"))))
    assert answer.body == b"firstlast"
    assert answer.tls_ms is None
    assert 0 < answer.connect_ms < answer.first_byte_ms < answer.latency_ms
    assert answer.latency_ms - answer.first_byte_ms > 100


async def test_a_handshake_is_timed_apart_from_the_connection(session, trusted):
    """The handshake comes after the connection stands, and before the first byte."""
    server = await encrypted(Answers().answer, trusted, "127.0.0.1")
    answer = await send(DirectRoute(session, str(server.make_url("/"))))
    await server.close()
    assert answer.connect_ms > 0
    assert answer.tls_ms > 0
    assert answer.connect_ms + answer.tls_ms <= answer.first_byte_ms <= answer.latency_ms


async def test_requests_at_the_same_time_are_timed_apart(session, trusted):
    """Each has its own clock: a slow one makes no other look slow."""
    calls = 0

    async def one_is_slow(request):
        nonlocal calls
        calls += 1
        await asyncio.sleep(1 if calls == 1 else 0)
        return web.Response()

    server = await encrypted(one_is_slow, trusted, "127.0.0.1")
    route = DirectRoute(session, str(server.make_url("/")))
    answers = await asyncio.gather(*(send(route) for _ in range(4)))
    await server.close()
    assert all(answer.connect_ms and answer.tls_ms for answer in answers)
    assert max(answer.first_byte_ms for answer in answers) - min(answer.first_byte_ms for answer in answers) > 100


async def test_a_certificate_that_nobody_vouches_for_is_no_answer(session, signer):
    """Unless the probe says that it doesn't care."""
    server = await encrypted(Answers().answer, signer, "127.0.0.1")
    url = str(server.make_url("/"))
    with pytest.raises(NoAnswer, match="certificate verify failed"):
        await send(DirectRoute(session, url))
    assert (await send(DirectRoute(session, url, insecure=True))).status == 200
    await server.close()


async def test_a_certificate_for_another_name_is_no_answer(session, trusted):
    """The name in it is compared with the URL's host."""
    server = await encrypted(Answers().answer, trusted, "example.com")
    with pytest.raises(NoAnswer, match="certificate"):
        await send(DirectRoute(session, str(server.make_url("/"))))
    await server.close()


async def test_a_service_shows_the_certificate_of_its_name(control, session, trusted, make_service):
    """By its cluster IP too, which no certificate names."""
    address = await make_service()
    server = await encrypted(Answers().answer, trusted, "web.default.svc", host=address, port=8080)
    service = ServiceAddress(namespace="default", name="web", port=8080, scheme="https")
    route = await route_to_service(control.cluster, session, service)
    assert (route.via, (await send(route)).status) == ("clusterIP", 200)
    await server.close()


async def test_a_proxy_leads_to_a_url(session, trusted):
    """Plain requests and tunnels alike."""
    server = await encrypted(Answers({"text": "secret"}).answer, trusted, "127.0.0.1")
    async with HttpProxy() as proxy, listening(Answers({"text": "plain"}).answer) as plain:
        answer = await send(DirectRoute(session, str(server.make_url("/")), proxy=proxy.url))
        assert answer.body == b"secret"
        assert answer.tls_ms > 0
        assert (await send(DirectRoute(session, str(plain.make_url("/")), proxy=proxy.url))).body == b"plain"
        assert [line.split()[0] for line in proxy.asked] == ["CONNECT", "GET"]
    await server.close()


async def test_a_proxy_leads_to_a_service(control, session, make_service):
    """To its cluster IP, which needs not be in reach of this process."""
    address = await make_service()
    async with HttpProxy() as proxy, listening(Answers().answer, host=address, port=8080):
        service = ServiceAddress(namespace="default", name="web", port=8080)
        route = await route_to_service(control.cluster, session, service, proxy=proxy.url)
        assert (route.via, (await send(route)).status) == ("clusterIP", 200)
        assert proxy.asked == [f"GET http://{address}:8080/ HTTP/1.1"]


async def test_a_proxy_of_the_environment_is_ignored(session, monkeypatch):
    """A probe takes the way that the policy says."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with listening(Answers().answer) as server:
        assert (await send(DirectRoute(session, str(server.make_url("/"))))).status == 200


async def test_a_large_body_is_read_to_its_end_and_not_kept(session):
    """16 MiB are kept, however long it is."""
    piece, pieces = b"x" * 1024 * 1024, 20

    async def large(request):
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(pieces):
            await response.write(piece)
        return response

    async with listening(large) as server:
        assert len((await send(DirectRoute(session, str(server.make_url("/"))))).body) == 16 * 1024 * 1024


async def test_cookies_stay_out_of_the_next_request(session):
    """Each request is that of a new client."""
    answers = Answers({"headers": {"Set-Cookie": "a=b"}})
    async with listening(answers.answer) as server:
        for _ in range(2):
            await send(DirectRoute(session, str(server.make_url("/"))))
    assert all("Cookie" not in headers for _, _, _, headers in answers.requests)
