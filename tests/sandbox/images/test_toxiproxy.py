"""Toxiproxy: its HTTP interface, its toxics on real connections, its command line."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from seatrial.sandbox.images.toxiproxy.api import Api
from tests.sandbox.images.containers import Containers, listening, random_address

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Bench:
    """A Toxiproxy in front of a server that sends back what it gets, and a client of its interface."""

    def __init__(self, address: str, session: aiohttp.ClientSession) -> None:
        self.address = address
        self._session = session
        self.received = bytearray()
        self.upstream_closed = asyncio.Event()

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """A request to the interface: status and answer."""
        url = f"http://{self.address}:8474{path}"
        async with self._session.request(method, url, json=body, headers=headers) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, await answer.json() if is_json else await answer.text()

    async def good(self, method: str, path: str, body: Any = None) -> Any:
        """A request that must succeed."""
        status, answer = await self.ask(method, path, body)
        assert status < 300, answer
        return answer

    async def toxic(self, kind: str, *, stream: str = "downstream", toxicity: float = 1, **attributes: int) -> Any:
        """Add a toxic to the proxy."""
        body = {"type": kind, "stream": stream, "toxicity": toxicity, "attributes": attributes}
        return await self.good("POST", "/proxies/echo/toxics", body)

    async def connect(self) -> Streams:
        """A connection through the proxy."""
        return await asyncio.open_connection(self.address, 10000)

    async def echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send back what comes."""
        while data := await reader.read(65536):
            self.received += data
            writer.write(data)
            await writer.drain()
        self.upstream_closed.set()
        writer.close()


@asynccontextmanager
async def talking(bench: Bench) -> AsyncIterator[Streams]:
    """A connection that is closed at the end."""
    reader, writer = await bench.connect()
    try:
        yield reader, writer
    finally:
        writer.close()


@pytest.fixture
async def bench(session: aiohttp.ClientSession) -> AsyncIterator[Bench]:
    """A Toxiproxy with one proxy, `echo`."""
    address = random_address()
    bench = Bench(address, session)
    here = ("localhost", "0.0.0.0", "")
    api = Api(address_of=lambda host, port: (address if host in here else host, port), randomness=random.Random(7))
    runner = web.AppRunner(api.application(), shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, address, 8474).start()
    upstream = await asyncio.start_server(bench.echo, address, 9000)
    await bench.good("POST", "/proxies", {"name": "echo", "listen": "0.0.0.0:10000", "upstream": "localhost:9000"})
    yield bench
    api.close()
    upstream.close()
    await runner.cleanup()
    await connections_end()


async def connections_end() -> None:
    """Wait until both ends of each connection have heard of its end: the loop must not be closed before."""
    current = asyncio.current_task()
    if handlers := [task for task in asyncio.all_tasks() if task is not current]:
        assert not (await asyncio.wait(handlers, timeout=30))[1]
    await asyncio.sleep(0)  # a closed connection's socket is closed in the next round


async def seconds(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes = b"x") -> float:
    """How long an echo takes."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    writer.write(data)
    assert await reader.readexactly(len(data)) == data
    return loop.time() - began


async def test_a_proxy_carries_connections(bench: Bench) -> None:
    """Data goes through unchanged, and the end of a connection too."""
    data = random.Random(1).randbytes(2_000_000)
    async with talking(bench) as (reader, writer):
        writer.write(data)
        assert await reader.readexactly(len(data)) == data
    await bench.upstream_closed.wait()


async def test_proxies_are_created_shown_and_deleted(bench: Bench) -> None:
    """The interface's own names, defaults and codes."""
    shown = {
        "name": "web", "listen": "0.0.0.0:10001", "upstream": "localhost:9000", "enabled": False, "toxics": [],
    }  # fmt: skip
    body = {"name": "web", "listen": "0.0.0.0:10001", "upstream": "localhost:9000", "enabled": False}
    assert await bench.ask("POST", "/proxies", body) == (201, shown)
    assert await bench.ask("POST", "/proxies", body) == (409, {"error": "proxy already exists", "status": 409})
    assert set(await bench.good("GET", "/proxies")) == {"echo", "web"}
    assert await bench.ask("GET", "/proxies/web") == (200, shown)
    assert (await bench.good("POST", "/proxies/web", {"enabled": True}))["enabled"]
    assert (await bench.ask("DELETE", "/proxies/web"))[0] == 204
    assert await bench.ask("GET", "/proxies/web") == (404, {"error": "proxy not found", "status": 404})
    assert (await bench.good("GET", "/version"))["version"].startswith("2.")


async def test_any_port_can_be_asked_for(bench: Bench) -> None:
    """Port 0 becomes the one that was taken."""
    made = await bench.good("POST", "/proxies", {"name": "any", "listen": "localhost:0", "upstream": "localhost:9000"})
    assert int(made["listen"].rpartition(":")[2]) > 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("POST", "/proxies", {"upstream": "a:1"}, 400, "missing required field: name"),
        ("POST", "/proxies", {"name": "a"}, 400, "missing required field: upstream"),
        ("POST", "/proxies/no/toxics", {"type": "latency"}, 404, "proxy not found"),
        ("POST", "/proxies/echo/toxics", {"type": "sleepy"}, 400, "invalid toxic type"),
        (
            "POST",
            "/proxies/echo/toxics",
            {"type": "latency", "stream": "sideways"},
            400,
            "stream was invalid, can be either upstream or downstream",
        ),
        ("POST", "/proxies/echo", {"upstream": "nowhere"}, 500, "listen tcp: address nowhere: missing port in address"),
        ("POST", "/proxies/echo", {"upstream": "a:70000"}, 500, "listen tcp: address 70000: invalid port"),
        ("GET", "/proxies/echo/toxics/no", None, 404, "toxic not found"),
        ("DELETE", "/proxies/echo/toxics/no", None, 404, "toxic not found"),
    ],
)
async def test_what_is_wrong_is_said(bench: Bench, method: str, path: str, body: Any, status: int, error: str) -> None:
    """With the original's words and codes."""
    assert await bench.ask(method, path, body) == (status, {"error": error, "status": status})


async def test_a_body_that_is_no_json_is_refused(bench: Bench) -> None:
    """400, and the connection is good for the next request."""
    url = f"http://{bench.address}:8474/proxies"
    async with aiohttp.ClientSession() as session, session.post(url, data=b"{") as answer:
        assert answer.status == 400
        assert (await answer.json())["error"].startswith("bad request body: ")
    status, answer = await bench.ask(
        "POST", "/proxies/echo/toxics", {"type": "latency", "attributes": {"latency": "long"}}
    )
    assert (status, answer["error"].startswith("bad request body: ")) == (400, True)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/proxies", []),
        ("/proxies", {"name": 1, "upstream": "a:1"}),
        ("/proxies", {"name": "a", "upstream": "a:1", "enabled": "yes"}),
        ("/populate", [1]),
        ("/proxies/echo", [1]),
        ("/proxies/echo", {"listen": 5}),
        ("/proxies/echo/toxics", "latency"),
        ("/proxies/echo/toxics", {"type": ["latency"]}),
        ("/proxies/echo/toxics", {"type": "latency", "attributes": [5]}),
        ("/proxies/echo/toxics", {"type": "latency", "attributes": {"latency": float("inf")}}),
        ("/proxies/echo/toxics", {"type": "latency", "attributes": {"latency": 10**400}}),
        ("/proxies/echo/toxics", {"type": "latency", "attributes": {"latency": 1.5}}),
    ],
)
async def test_a_body_of_another_shape_is_refused(bench: Bench, path: str, body: Any) -> None:
    """400, as where the original can't read it into its structures."""
    status, answer = await bench.ask("POST", path, body)
    assert (status, answer["error"][:18]) == (400, "bad request body: ")


async def test_browsers_are_refused(bench: Bench) -> None:
    """A page in a browser must not be able to change proxies."""
    assert (await bench.ask("GET", "/proxies", **{"User-Agent": "Mozilla/5.0"}))[0] == 403


async def test_an_address_in_use_is_said(bench: Bench) -> None:
    """500 with the reason, and no proxy is made."""
    body = {"name": "twin", "listen": "0.0.0.0:10000", "upstream": "localhost:9000"}
    status, answer = await bench.ask("POST", "/proxies", body)
    assert (status, "address already in use" in answer["error"]) == (500, True)
    assert "twin" not in await bench.good("GET", "/proxies")


async def test_populate_makes_what_differs(bench: Bench) -> None:
    """A proxy that is there and the same keeps its connections; others are made."""
    same = {"name": "echo", "listen": "0.0.0.0:10000", "upstream": "localhost:9000"}
    other = {"name": "other", "listen": "0.0.0.0:10002", "upstream": "localhost:9000"}
    async with talking(bench) as (reader, writer):
        made = await bench.good("POST", "/populate", [same, other])
        assert [proxy["name"] for proxy in made["proxies"]] == ["echo", "other"]
        await seconds(reader, writer)


async def test_a_disabled_proxy_is_down(bench: Bench) -> None:
    """Connections end, new ones are refused, until it is enabled again or everything is reset."""
    reader, writer = await bench.connect()
    await seconds(reader, writer)
    await bench.good("POST", "/proxies/echo", {"enabled": False})
    assert await reader.read() == b""
    with pytest.raises(ConnectionRefusedError):
        await bench.connect()
    assert (await bench.ask("POST", "/reset"))[0] == 204
    async with talking(bench) as streams:
        await seconds(*streams)
    writer.close()


async def test_toxics_have_names_and_defaults(bench: Bench) -> None:
    """Downstream, for all connections, named after type and stream; all attributes are shown."""
    shown = {
        "name": "latency_downstream", "type": "latency", "stream": "downstream", "toxicity": 1.0,
        "attributes": {"latency": 250, "jitter": 0},
    }  # fmt: skip
    made = await bench.good("POST", "/proxies/echo/toxics", {"type": "latency", "attributes": {"latency": 250}})
    assert made == shown
    assert await bench.ask("POST", "/proxies/echo/toxics", {"type": "latency"}) == (
        409,
        {"error": "toxic already exists", "status": 409},
    )
    changed = await bench.good("POST", "/proxies/echo/toxics/latency_downstream", {"attributes": {"jitter": 5}})
    assert changed["attributes"] == {"latency": 250, "jitter": 5}
    assert await bench.good("GET", "/proxies/echo/toxics") == [changed]
    assert (await bench.ask("DELETE", "/proxies/echo/toxics/latency_downstream"))[0] == 204
    assert (await bench.good("GET", "/proxies/echo"))["toxics"] == []


async def test_latency_comes_and_goes_on_a_standing_connection(bench: Bench) -> None:
    """Added, changed and removed while data flows; nothing is lost."""
    async with talking(bench) as streams:
        await bench.toxic("latency", latency=80)
        await bench.toxic("latency", stream="upstream", latency=60)
        assert await seconds(*streams) >= 0.14
        await bench.good("POST", "/proxies/echo/toxics/latency_downstream", {"attributes": {"latency": 0}})
        await bench.good("POST", "/proxies/echo/toxics/latency_upstream", {"attributes": {"latency": 150}})
        assert await seconds(*streams) >= 0.15
        await bench.good("DELETE", "/proxies/echo/toxics/latency_upstream")
        assert await seconds(*streams, data=b"y" * 100_000) < 0.15


async def test_what_waits_survives_a_change(bench: Bench) -> None:
    """A chunk that is being held up when its toxic is removed arrives once."""
    await bench.toxic("latency", stream="upstream", latency=60_000)
    async with talking(bench) as (reader, writer):
        writer.write(b"one")
        await bench.good("GET", "/proxies/echo")
        await bench.good("DELETE", "/proxies/echo/toxics/latency_upstream")
        writer.write(b"two")
        assert await reader.readexactly(6) == b"onetwo"


async def test_toxicity_is_a_share_of_connections(bench: Bench) -> None:
    """With toxicity 0 nobody is hit."""
    await bench.toxic("latency", toxicity=0, latency=60_000)
    async with talking(bench) as streams:
        assert await seconds(*streams) < 5


async def test_bandwidth_is_limited(bench: Bench) -> None:
    """100 KB/s let 20 kB through in no less than 0.18 s."""
    await bench.toxic("bandwidth", rate=100)
    async with talking(bench) as streams:
        assert await seconds(*streams, data=b"z" * 20_000) >= 0.18


async def test_slow_close_delays_the_end(bench: Bench) -> None:
    """The client's end reaches the other side later."""
    await bench.toxic("slow_close", stream="upstream", delay=120)
    reader, writer = await bench.connect()
    await seconds(reader, writer)
    began = asyncio.get_running_loop().time()
    writer.close()
    await bench.upstream_closed.wait()
    assert asyncio.get_running_loop().time() - began >= 0.12


async def test_timeout_loses_data_and_closes(bench: Bench) -> None:
    """Nothing gets through, then the connection is closed."""
    await bench.toxic("timeout", stream="upstream", timeout=100)
    async with talking(bench) as (reader, writer):
        writer.write(b"lost")
        assert await reader.read() == b""
    assert not bench.received


async def test_timeout_0_closes_when_it_is_removed(bench: Bench) -> None:
    """Until then the connection stands and is silent."""
    await bench.toxic("timeout", timeout=0)
    async with talking(bench) as (reader, writer):
        writer.write(b"lost")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        await bench.good("DELETE", "/proxies/echo/toxics/timeout_downstream")
        assert await reader.read() == b""


async def test_reset_peer_resets(bench: Bench) -> None:
    """The client sees a reset, not an end."""
    await bench.toxic("reset_peer", timeout=50)
    async with talking(bench) as (reader, writer):
        writer.write(b"x")
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_slicer_cuts_data_up(bench: Bench) -> None:
    """Data comes in small pieces with pauses, and complete."""
    await bench.toxic("slicer", average_size=10, size_variation=3, delay=2000)
    async with talking(bench) as streams:
        assert await seconds(*streams, data=bytes(range(200))) >= 0.02


async def test_limit_data_closes_after_so_many_bytes(bench: Bench) -> None:
    """Exactly those arrive."""
    await bench.toxic("limit_data", bytes=1000)
    async with talking(bench) as (reader, writer):
        writer.write(b"a" * 5000)
        assert await reader.read() == b"a" * 1000


async def test_a_slow_reader_slows_the_writer(bench: Bench) -> None:
    """What nobody reads is not collected in memory: the sender is held up."""
    await bench.toxic("bandwidth", rate=1)
    async with talking(bench) as (_, writer):
        writer.write(b"b" * 120_000_000)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 0.3)
        assert len(bench.received) < 100_000_000
        writer.transport.abort()


async def test_the_program_and_its_command_line(containers: Containers, pod_ip: str, tmp_path: Path) -> None:
    """The server begins with the proxies of its configuration; the command line lists and changes them."""
    config = tmp_path / "toxiproxy.json"
    config.write_text('[{"name": "auto80", "listen": "0.0.0.0:10000", "upstream": "127.0.0.1:8080"}]')
    environ = {"SEATRIAL_POD_IP": pod_ip}
    image = "ghcr.io/shopify/toxiproxy:2.9.0"
    server = containers.start(image, "toxiproxy", "-host=0.0.0.0", f"-config={config}", environ=environ)
    await listening(pod_ip, 8474)

    def cli(*arguments: str) -> tuple[int, str, str]:
        return containers.run(image, "toxiproxy-cli", *arguments, environ=environ)

    await listening(pod_ip, 10000)
    assert cli("list") == (0, "auto80\t0.0.0.0:10000\t127.0.0.1:8080\tenabled\tNone\n", "")
    assert cli("create", "-l", "0.0.0.0:10001", "-u", "127.0.0.1:80", "new") == (0, "Created new proxy new\n", "")
    assert cli("create", "old", "--listen", "0.0.0.0:10002", "--upstream", "127.0.0.1:81")[0] == 0
    added = cli("toxic", "add", "auto80", "-t", "latency", "-a", "latency=250", "-a", "jitter=5")
    assert added == (0, "Added downstream latency toxic 'latency_downstream' on proxy 'auto80'\n", "")
    assert "latency=250 jitter=5" in cli("inspect", "auto80")[1]
    assert cli("toxic", "remove", "-n", "latency_downstream", "auto80")[0] == 0
    assert cli("toggle", "new")[1] == "Proxy new is now disabled\n"
    assert cli("delete", "new")[0] == 0
    assert cli("inspect", "new") == (1, "", "HTTP 404: proxy not found\n")
    assert containers.stop(server) == 0
