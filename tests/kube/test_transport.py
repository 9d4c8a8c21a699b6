"""How requests get there: repeated where it helps, bounded in number and time, and honest about what became of them."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from seatrial.kube import errors
from seatrial.kube.client import Client, connect
from seatrial.kube.resources import CONFIGMAPS, PODS
from tests.kube.conftest import WriteKubeconfig
from tests.kube.fake_apiserver import FakeApiServer, answer, break_off, pod, status

_PODS = "/api/v1/namespaces/team/pods"
_POD = f"{_PODS}/p"
_BUSY = answer(status(429, "TooManyRequests"), headers={"Retry-After": "0"})


@pytest.mark.parametrize("failure", [status(503), status(502), status(504), status(500), _BUSY, break_off])
async def test_reading_is_repeated_until_it_works(server: FakeApiServer, client: Client, failure: object) -> None:
    """A passing failure of the server or the connection isn't seen by the caller."""
    server.on("GET", _POD, failure, pod("p", 1))  # type: ignore[arg-type]  # each is one of the accepted kinds
    assert (await client.get(PODS, "p"))["metadata"]["name"] == "p"
    assert len(server.sent) == 2


@pytest.mark.parametrize("failure", [status(503), status(500), break_off])
async def test_a_creation_is_never_repeated_blindly(server: FakeApiServer, client: Client, failure: object) -> None:
    """It may have worked, and a second object would be one too many."""
    server.on("POST", _PODS, failure, pod("p", 1))  # type: ignore[arg-type]  # each is one of the accepted kinds
    with pytest.raises((errors.ServerError, errors.Unreachable)):
        await client.create(PODS, pod("p", 0, namespace=""))
    assert len(server.sent) == 1


async def test_a_request_turned_away_with_retry_after_is_repeated(server: FakeApiServer, client: Client) -> None:
    """A busy server tells when to come back; it hasn't looked at the request, so even a creation may come again."""
    server.on("POST", _PODS, _BUSY, _BUSY, pod("p", 1))
    await client.create(PODS, pod("p", 0, namespace=""))
    assert len(server.sent) == 3


async def test_retry_after_is_waited_for(server: FakeApiServer, client: Client) -> None:
    """Coming back earlier would be impolite."""
    server.on("GET", _POD, answer(status(503), headers={"Retry-After": "1"}), pod("p", 1))
    began = time.monotonic()
    await client.get(PODS, "p")
    assert time.monotonic() - began >= 1


async def test_a_wait_beyond_the_deadline_isn_t_begun(server: FakeApiServer, client: Client) -> None:
    """The caller hears at once what the server said, instead of a timeout later."""
    server.on("GET", _POD, answer(status(503, "ServiceUnavailable", "down"), headers={"Retry-After": "3600"}))
    began = time.monotonic()
    with pytest.raises(errors.ServerError, match="down"):
        await client.get(PODS, "p")
    assert time.monotonic() - began < 5


async def test_a_delete_with_uid_is_repeated(server: FakeApiServer, client: Client) -> None:
    """The precondition makes it safe; gone at the second try means that the first one worked."""
    for second in (status(404, "NotFound"), status(409, "Conflict"), pod("p", 9)):
        server.on("DELETE", _POD, break_off, second)
        await client.delete(PODS, "p", uid="u1")
    assert len(server.sent) == 6
    assert server.sent[0].json()["preconditions"] == {"uid": "u1"}


async def test_a_delete_without_uid_is_not_repeated(server: FakeApiServer, client: Client) -> None:
    """The second could hit another object of the same name; this holds on a connection used before, too."""
    server.on("GET", _POD, pod("p", 1))
    server.on("DELETE", _POD, break_off, pod("p", 9))
    await client.get(PODS, "p")
    with pytest.raises(errors.Unreachable, match="closed the connection"):
        await client.delete(PODS, "p")
    assert len(server.seen("DELETE", _POD)) == 1


async def test_a_conflict_at_the_first_try_stays_one(server: FakeApiServer, client: Client) -> None:
    """Without a repetition there is nothing to explain it away."""
    server.on("DELETE", _POD, status(409, "Conflict", "the UID in the precondition does not match"))
    with pytest.raises(errors.Conflict):
        await client.delete(PODS, "p", uid="u1")


async def test_a_failure_that_stays_is_told_after_few_tries(server: FakeApiServer, client: Client) -> None:
    """A 500 may be a bug of the server: three tries are enough to know."""
    server.on("GET", _POD, status(500, "InternalError", "boom"))
    with pytest.raises(errors.ServerError, match="boom"):
        await client.get(PODS, "p")
    assert len(server.sent) == 3


async def test_nothing_listens(write_kubeconfig: WriteKubeconfig) -> None:
    """One line with the address and the reason, soon."""
    async with await connect(kubeconfig=write_kubeconfig("https://127.0.0.1:1")) as client:
        began = time.monotonic()
        with pytest.raises(errors.Unreachable, match=r"https://127\.0\.0\.1:1: connection refused") as refused:
            await client.create(CONFIGMAPS, {"metadata": {"name": "x"}})
    assert time.monotonic() - began < 5
    assert not refused.value.was_sent


async def test_what_was_sent_once_may_have_had_an_effect(server: FakeApiServer, client: Client) -> None:
    """Where the last try finds nobody, the first may have been carried out all the same."""
    stopping = []

    async def goes_away(request: web.Request) -> web.Response:
        stopping.append(asyncio.create_task(server.stop()))
        assert request.transport
        request.transport.abort()
        return web.Response()

    server.on("POST", "/api/v1/namespaces/team/configmaps", goes_away)
    with pytest.raises(errors.Unreachable, match="refused") as lost:
        await client.create(CONFIGMAPS, {"metadata": {"name": "x"}}, repeatable=True)
    assert lost.value.was_sent
    assert not errors.had_no_effect(lost.value)
    await asyncio.wait(stopping)


async def test_a_name_that_isn_t_known(write_kubeconfig: WriteKubeconfig) -> None:
    """A wrong address is told apart from a server that is down."""
    async with await connect(kubeconfig=write_kubeconfig("https://no-such-host.invalid")) as client:
        with pytest.raises(errors.Unreachable, match="its name is not known"):
            await client.version()


async def test_a_restarting_server_is_waited_for(server: FakeApiServer, client: Client) -> None:
    """A server that answered before gets the whole deadline to come back."""
    server.on("GET", _POD, pod("p", 1))
    await client.get(PODS, "p")
    port = server.port
    await server.stop()
    reading = asyncio.create_task(client.get(PODS, "p"))
    done, _ = await asyncio.wait([reading], timeout=0.5)
    assert not done
    await server.start(port=port)
    assert (await reading)["metadata"]["name"] == "p"


async def test_a_call_ends_at_its_deadline(server: FakeApiServer, write_kubeconfig: WriteKubeconfig) -> None:
    """Repetitions and waiting included; the message says what was tried last."""

    async def never(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    server.on("GET", _POD, break_off, never)
    async with await connect(kubeconfig=write_kubeconfig(server), timeout_seconds=1) as client:
        with pytest.raises(errors.RequestTimeout, match=r"did not answer GET .* within 1 s \(last: "):
            await client.get(PODS, "p")


async def test_requests_in_flight_are_bounded(server: FakeApiServer, write_kubeconfig: WriteKubeconfig) -> None:
    """More calls than the limit wait for their turn."""
    arrived, most = 0, 0
    full, go_on = asyncio.Event(), asyncio.Event()

    async def counting(_request: web.Request) -> web.StreamResponse:
        nonlocal arrived, most
        arrived += 1
        most = max(most, arrived)
        if arrived == 3:
            full.set()
        await go_on.wait()
        arrived -= 1
        return answer(pod("p", 1))

    server.on("GET", _POD, counting)
    async with await connect(kubeconfig=write_kubeconfig(server), max_in_flight=3) as client:
        calls = asyncio.gather(*(client.get(PODS, "p") for _ in range(10)))
        await asyncio.wait_for(full.wait(), 30)
        go_on.set()
        await calls
    assert most == 3


async def test_a_cancelled_call_gives_its_place_back(server: FakeApiServer, write_kubeconfig: WriteKubeconfig) -> None:
    """Otherwise an aborted experiment would leave the clean-up without connections."""
    started = asyncio.Event()

    async def never(_request: web.Request) -> web.StreamResponse:
        started.set()
        await asyncio.Event().wait()
        return web.Response()

    server.on("GET", _POD, never, pod("p", 1))
    async with await connect(kubeconfig=write_kubeconfig(server), max_in_flight=1) as client:
        call = asyncio.create_task(client.get(PODS, "p"))
        await started.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert (await client.get(PODS, "p"))["metadata"]["name"] == "p"


async def test_a_redirect_is_not_followed(server: FakeApiServer, client: Client) -> None:
    """Credentials must not travel to where a server points."""
    server.on("GET", _POD, web.Response(status=302, headers={"Location": "https://login.example/?secret"}))
    with pytest.raises(errors.UnexpectedAnswer, match=r"redirects to https://login\.example/$"):
        await client.get(PODS, "p")


async def test_a_page_instead_of_json_is_said(server: FakeApiServer, client: Client) -> None:
    """A login page of a proxy answers 200."""
    server.on("GET", _POD, web.Response(text="<html>Please log in</html>"))
    with pytest.raises(errors.UnexpectedAnswer, match="can't be read") as refused:
        await client.get(PODS, "p")
    assert "login page" in refused.value.hint


async def test_raw_requests_hand_back_any_answer(server: FakeApiServer, client: Client) -> None:
    """A 503 through the proxy of a service is a finding about the service: not raised, not repeated."""
    path = "/api/v1/namespaces/team/services/http:web:80/proxy/healthz"
    server.on("GET", path, web.Response(status=503, text="no", headers={"X-Back": "1", "Retry-After": "0"}))
    found = await client.request("GET", path, params={"a": "b c"}, headers={"X-There": "1"})
    assert (found.status, found.body, found.headers["X-Back"]) == (503, b"no", "1")
    assert len(server.sent) == 1
    assert (server.sent[0].query, server.sent[0].headers["X-There"]) == ({"a": "b c"}, "1")


async def test_who_we_are_is_said(server: FakeApiServer, client: Client) -> None:
    """The server's log tells our requests from others'."""
    server.on("GET", _POD, pod("p", 1))
    await client.get(PODS, "p")
    assert server.sent[0].headers["User-Agent"].startswith("seatrial/")


@pytest.mark.parametrize(("disable", "expected"), [(True, "identity"), (False, "gzip")])
async def test_compression_can_be_switched_off(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, expected: str, *, disable: bool
) -> None:
    """As the kubeconfig's `disable-compression` says."""
    server.on("GET", _POD, pod("p", 1))
    async with await connect(kubeconfig=write_kubeconfig(server, cluster={"disable-compression": disable})) as client:
        await client.get(PODS, "p")
    assert expected in server.sent[0].headers["Accept-Encoding"]


async def test_a_server_below_a_path_is_reached(server: FakeApiServer, write_kubeconfig: WriteKubeconfig) -> None:
    """Some platforms serve many clusters under one address."""
    server.on("GET", f"/k8s/clusters/c1{_POD}", pod("p", 1))
    path = write_kubeconfig(server, cluster={"server": f"{server.url}/k8s/clusters/c1/"})
    async with await connect(kubeconfig=path) as client:
        await client.get(PODS, "p")
        assert client.server == f"{server.url}/k8s/clusters/c1"


class ConnectProxy:
    """An HTTP proxy that knows CONNECT only, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port."""
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head)
        host, _, port = head.split()[1].decode().rpartition(":")
        there, back = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(_copy(reader, back), _copy(there, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
    writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[ConnectProxy]:
    """A running proxy."""
    running = ConnectProxy()
    await running.start()
    yield running
    await running.stop()


async def test_a_proxy_of_the_kubeconfig_is_used(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, proxy: ConnectProxy
) -> None:
    """With `proxy-url` the connection is tunnelled; the proxy sees no credentials of the cluster, only its own."""
    server.on("GET", _POD, pod("p", 1))
    path = write_kubeconfig(server, cluster={"proxy-url": f"http://user:pass@127.0.0.1:{proxy.port}"})
    async with await connect(kubeconfig=path) as client:
        await client.get(PODS, "p")
    [asked] = proxy.asked
    assert asked.startswith(f"CONNECT 127.0.0.1:{server.port} ".encode())
    assert b"Basic " + base64.b64encode(b"user:pass") in asked
    assert b"the-token" not in asked


async def test_the_environment_s_proxy_is_not_used_for_loopback(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster on this machine is reached directly, as by other clients."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    server.on("GET", _POD, pod("p", 1))
    async with await connect(kubeconfig=write_kubeconfig(server)) as client:
        await client.get(PODS, "p")


async def test_the_environment_s_proxy_is_used_for_others(
    write_kubeconfig: WriteKubeconfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTPS_PROXY counts, except for what NO_PROXY names."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    async with await connect(kubeconfig=write_kubeconfig("https://cluster.invalid")) as client:
        with pytest.raises(errors.Unreachable, match="connection refused"):
            await client.version()
    monkeypatch.setenv("NO_PROXY", ".invalid")
    async with await connect(kubeconfig=write_kubeconfig("https://cluster.invalid")) as client:
        with pytest.raises(errors.Unreachable, match="name is not known"):
            await client.version()
