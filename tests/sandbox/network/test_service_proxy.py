"""The service proxy: real connections through cluster IPs to real listeners."""

import asyncio
import contextlib
import random
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.local import LocalApi, local_api
from seatrial.sandbox.control.partitions import Partitions
from seatrial.sandbox.network.addresses import API_SERVER_PORT, blocks
from seatrial.sandbox.network.low_ports import bindable
from seatrial.sandbox.network.service_proxy import ServiceProxy

PATIENCE_SECONDS = 60.0


class Net:
    """A block of loopback addresses, the proxy on it, and servers that say their name."""

    def __init__(self, api: LocalApi, block: int) -> None:
        self.api = api
        self.block = block
        self._servers: list[asyncio.Server] = []
        self._held: list[asyncio.StreamWriter] = []
        self.clients: list[str] = []
        self.partitions = Partitions([("node1", "here"), ("node2", "there")])
        self.proxy = ServiceProxy(api, partitions=self.partitions)

    async def serve(self, name: str, *, number: int, port: int) -> str:
        """A server that answers each line with its name and the line; returns its address."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._held.append(writer)
            self.clients.append(writer.get_extra_info("peername")[0])
            writer.write(f"{name}\n".encode())
            while line := await reader.readline():
                writer.write(line)
                await writer.drain()
            writer.write(b"bye\n")
            writer.close()

        address = f"127.{self.block}.1.{number}"
        self._servers.append(await asyncio.start_server(answer, address, bindable(port)))
        return address

    async def service(self, name: str, number: int, *, port: int = 8000, **spec: Any) -> str:
        """A Service without a selector, so that a test writes its slices; returns its cluster IP."""
        cluster_ip = f"127.{self.block}.128.{number}"
        body = {"metadata": {"name": name}, "spec": {"clusterIP": cluster_ip, "ports": [{"port": port}], **spec}}
        await self.api.create("services", body, "default")
        return cluster_ip

    async def endpoints(self, service: str, *addresses: str, port: int, **conditions: bool) -> Object:
        """A slice with these addresses; an earlier one of that Service is replaced."""
        body = {
            "metadata": {"name": service, "labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": [address], "conditions": {"ready": True, **conditions}} for address in addresses
            ],
            "ports": [{"name": "", "port": port, "protocol": "TCP"}],
        }
        known = await self.api.list("endpointslices.discovery.k8s.io", "default")
        if service in [item["metadata"]["name"] for item in known.items]:
            return await self.api.patch(
                "endpointslices.discovery.k8s.io", service, "default", {"endpoints": body["endpoints"]}
            )
        return await self.api.create("endpointslices.discovery.k8s.io", body, "default")

    async def say(self, address: str, port: int = 8000, *, source: str = "") -> str:
        """Connect and read who answers."""
        local = (source, 0) if source else None
        reader, writer = await asyncio.open_connection(address, bindable(port), local_addr=local)
        try:
            line = await reader.readline()
            if not line:
                raise ConnectionResetError
            return line.decode().strip()
        finally:
            writer.close()

    async def answered(self, address: str, name: str, port: int = 8000) -> None:
        """Connect until this one answers: a change takes a moment to be taken in."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.outcome(address, port) != name:
                pass

    async def connect(self, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection, as soon as the Service is listened on."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (streams := await self._try_to_connect(address)) is None:
                pass
        return streams

    async def _try_to_connect(self, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        try:
            return await asyncio.open_connection(address, 8000)
        except ConnectionRefusedError:
            await asyncio.sleep(0)
            return None

    async def outcome(self, address: str, port: int = 8000) -> str:
        """Who answers, or how connecting fails."""
        try:
            return await self.say(address, port)
        except ConnectionRefusedError:
            await asyncio.sleep(0)  # refused at once: the proxy needs its turn
            return "refused"
        except ConnectionResetError:
            return "reset"

    def close(self) -> None:
        """End all servers."""
        for server in self._servers:
            server.close()
        for writer in self._held:
            writer.close()


@pytest.fixture
def block() -> Iterator[int]:
    """A block of the loopback range that neither a sandbox nor another test has."""
    for candidate in blocks(random.Random()):
        with socket.socket() as claim, contextlib.suppress(OSError):
            claim.bind((candidate.api_server, API_SERVER_PORT))
            yield candidate.number
            return


@pytest.fixture
async def net(block: int) -> AsyncIterator[Net]:
    """A proxy that runs over an empty API."""
    net = Net(local_api(service_cidr=f"127.{block}.128.0/17"), block)
    running = asyncio.create_task(net.proxy.run())
    yield net
    running.cancel()
    await asyncio.wait([running])
    net.proxy.close()
    net.close()


@asynccontextmanager
async def connection(
    address: str, port: int = 8000
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that is closed at the end."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def test_a_cluster_ip_answers(net: Net) -> None:
    """A Service of port 80 reaches an endpoint's other port; low ports are shifted on both sides alike."""
    backend = await net.serve("one", number=1, port=81)
    cluster_ip = await net.service("web", 10, port=80)
    await net.endpoints("web", backend, port=81)
    await net.answered(cluster_ip, "one", port=80)


async def test_connections_are_spread_evenly(net: Net) -> None:
    """Of 300 connections each of three endpoints gets about a third."""
    backends = [await net.serve(name, number=number, port=9000) for number, name in enumerate("abc", start=1)]
    cluster_ip = await net.service("web", 10)
    await net.endpoints("web", *backends, port=9000)
    await net.answered(cluster_ip, "a")
    counts = Counter([await net.say(cluster_ip) for _ in range(300)])
    assert set(counts) == {"a", "b", "c"}
    assert min(counts.values()) > 50


async def test_the_endpoint_sees_the_clients_address(net: Net) -> None:
    """The source address is kept, as it is within a cluster."""
    backend = await net.serve("one", number=1, port=9000)
    cluster_ip = await net.service("web", 10)
    await net.endpoints("web", backend, port=9000)
    await net.answered(cluster_ip, "one")
    source = f"127.{net.block}.2.7"
    await net.say(cluster_ip, source=source)
    assert net.clients[-1] == source


async def test_changes_count_for_the_next_connection(net: Net) -> None:
    """A removed endpoint gets no new connection, one that stands goes on."""
    one = await net.serve("one", number=1, port=9000)
    two = await net.serve("two", number=2, port=9000)
    cluster_ip = await net.service("web", 10)
    await net.endpoints("web", one, port=9000)
    await net.answered(cluster_ip, "one")
    async with connection(cluster_ip) as (reader, writer):
        await reader.readline()
        await net.endpoints("web", two, port=9000)
        await net.answered(cluster_ip, "two")
        assert {await net.say(cluster_ip) for _ in range(20)} == {"two"}
        writer.write(b"still there\n")
        assert await reader.readline() == b"still there\n"


async def test_without_endpoints_connections_are_refused(net: Net) -> None:
    """Before the first endpoint, after the last, and once the Service is gone."""
    backend = await net.serve("one", number=1, port=9000)
    cluster_ip = await net.service("web", 10)
    assert await net.outcome(cluster_ip) == "refused"
    await net.endpoints("web", backend, port=9000)
    await net.answered(cluster_ip, "one")
    await net.endpoints("web", port=9000)
    await net.answered(cluster_ip, "refused")
    await net.endpoints("web", backend, port=9000)
    await net.answered(cluster_ip, "one")
    await net.api.delete("services", "web", "default")
    await net.answered(cluster_ip, "refused")


async def test_an_endpoint_that_is_not_ready_gets_nothing(net: Net) -> None:
    """Unless all are on their way out: then those that still serve do."""
    backend = await net.serve("one", number=1, port=9000)
    cluster_ip = await net.service("web", 10)
    await net.endpoints("web", backend, port=9000)
    await net.answered(cluster_ip, "one")
    await net.endpoints("web", backend, port=9000, ready=False, serving=False, terminating=False)
    await net.answered(cluster_ip, "refused")
    await net.endpoints("web", backend, port=9000, ready=False, serving=True, terminating=True)
    await net.answered(cluster_ip, "one")


async def test_an_endpoint_that_refuses_is_not_hidden(net: Net) -> None:
    """The client's connection is reset; no other endpoint is tried for it."""
    alive = await net.serve("one", number=1, port=9000)
    dead = f"127.{net.block}.1.99"
    cluster_ip = await net.service("web", 10)
    await net.endpoints("web", alive, dead, port=9000)
    await net.answered(cluster_ip, "one")
    outcomes = Counter([await net.outcome(cluster_ip) for _ in range(60)])
    assert set(outcomes) == {"one", "reset"}


async def test_session_affinity_keeps_a_client_where_it_was(net: Net) -> None:
    """By client address, until that endpoint is gone."""
    backends = {name: await net.serve(name, number=number, port=9000) for number, name in enumerate("abcd", start=1)}
    cluster_ip = await net.service("web", 10, sessionAffinity="ClientIP")
    await net.endpoints("web", *backends.values(), port=9000)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (first := await net.outcome(cluster_ip)) == "refused":
            pass
    assert {await net.say(cluster_ip) for _ in range(20)} == {first}
    others = {await net.say(cluster_ip, source=f"127.{net.block}.2.{number}") for number in range(1, 40)}
    assert len(others) > 1
    await net.endpoints("web", *(address for name, address in backends.items() if name != first), port=9000)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (then := await net.say(cluster_ip)) == first:
            pass
    assert {await net.say(cluster_ip) for _ in range(20)} == {then}


async def test_a_half_close_is_passed_on(net: Net) -> None:
    """The client says it is done and still hears the end of the answer."""
    backend = await net.serve("one", number=1, port=9000)
    cluster_ip = await net.service("web", 10)
    await net.endpoints("web", backend, port=9000)
    await net.answered(cluster_ip, "one")
    async with connection(cluster_ip) as (reader, writer):
        writer.write(b"last words\n")
        writer.write_eof()
        assert await reader.read() == b"one\nlast words\nbye\n"


async def test_a_slow_reader_slows_the_sender(net: Net) -> None:
    """What nobody reads isn't piled up in the proxy; once read, every byte is there."""
    size = 64 * 2**20
    sent = 0
    stalled = asyncio.Event()

    async def pour(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.transport.set_write_buffer_limits(high=0)
        block = b"x" * 2**16
        while sent < size:
            writer.write(block)
            try:
                async with asyncio.timeout(0.5):
                    await writer.drain()
            except TimeoutError:
                stalled.set()
                await writer.drain()
            sent += len(block)
        writer.close()

    address = f"127.{net.block}.1.1"
    server = await asyncio.start_server(pour, address, 9000)
    cluster_ip = await net.service("web", 10)
    await net.endpoints("web", address, port=9000)
    reader, writer = await net.connect(cluster_ip)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await stalled.wait()
        assert sent < size / 2
        received = 0
        while block := await reader.read(2**20):
            received += len(block)
    assert received == size
    writer.close()
    server.close()


async def test_routes_stay_when_the_proxy_stops(block: int) -> None:
    """What was set up goes on carrying connections and goes stale, until the proxy runs again."""
    net = Net(local_api(service_cidr=f"127.{block}.128.0/17"), block)
    running = asyncio.create_task(net.proxy.run())
    old, new = await net.serve("old", number=1, port=9000), await net.serve("new", number=2, port=9000)
    cluster_ip = await net.service("web", 10)
    await net.endpoints("web", old, port=9000)
    await net.answered(cluster_ip, "old")
    running.cancel()
    await asyncio.wait([running])
    await net.endpoints("web", new, port=9000)
    gone = await net.service("gone", 11)
    assert [await net.say(cluster_ip) for _ in range(5)] == ["old"] * 5
    assert await net.outcome(gone) == "refused"
    running = asyncio.create_task(net.proxy.run())
    await net.answered(cluster_ip, "new")
    running.cancel()
    await asyncio.wait([running])
    net.proxy.close()
    net.close()


async def test_connections_between_parted_zones_are_silent(net: Net) -> None:
    """What stands falls silent and goes on when the network is healed; what is new waits for that."""
    backend = await net.serve("one", number=1, port=9000)
    cluster_ip = await net.service("web", 10)
    await net.endpoints("web", backend, port=9000)
    await net.answered(cluster_ip, "one")
    local = (f"127.{net.block}.2.7", 0)
    reader, writer = await asyncio.open_connection(cluster_ip, 8000, local_addr=local)
    assert await reader.readline() == b"one\n"
    net.partitions.cut("here", ["there"])
    writer.write(b"heard?\n")
    waiting = asyncio.create_task(net.say(cluster_ip, source=local[0]))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.readline(), 0.1)
    assert await net.say(cluster_ip, source=f"127.{net.block}.1.9") == "one"
    assert not waiting.done()
    net.partitions.heal()
    assert await reader.readline() == b"heard?\n"
    assert await waiting == "one"
    writer.close()


async def test_everything_closes_with_the_proxy(block: int) -> None:
    """When the proxy is closed, listeners and standing connections end."""
    net = Net(local_api(service_cidr=f"127.{block}.128.0/17"), block)
    running = asyncio.create_task(net.proxy.run())
    backend = await net.serve("one", number=1, port=9000)
    cluster_ip = await net.service("web", 10)
    await net.endpoints("web", backend, port=9000)
    await net.answered(cluster_ip, "one")
    async with connection(cluster_ip) as (reader, _):
        await reader.readline()
        running.cancel()
        await asyncio.wait([running])
        net.proxy.close()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert await net.outcome(cluster_ip) == "refused"
    net.close()
