"""Redirection of a pod's ports: met from outside, not from inside the pod."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seatrial.sandbox.kubelet.pod_addresses import PodAddresses
from seatrial.sandbox.kubelet.pod_network import PodNetwork

POD = {"spec": {"containers": [{"ports": [{"containerPort": 8080}, {"containerPort": 9090}]}]}}


class Pod:
    """A pod's network, and servers that say at which port they listen."""

    def __init__(self, directory: Path) -> None:
        self.addresses = PodAddresses(f"127.251.{random.randint(1, 254)}.0/24")
        self.ip = self.addresses.take()
        self.network = PodNetwork(directory, self.addresses)
        self._servers: list[asyncio.Server] = []

    def rules(self, **ports: int) -> None:
        """What an init container has written."""
        self.network.rules_file.write_text(json.dumps({name.removeprefix("p"): to for name, to in ports.items()}))

    async def serve(self, port: int) -> None:
        """A program of the pod."""

        async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(f"{port} {writer.get_extra_info('peername')[0]}".encode())
            writer.close()

        self._servers.append(await asyncio.start_server(answer, self.network.inner_ip or self.ip, port))

    async def ask(self, port: int, *, client: str) -> str:
        """Connect to the pod's address and read which program answers, and whom it sees."""
        reader, writer = await asyncio.open_connection(self.ip, port, local_addr=(client, 0))
        try:
            return (await reader.read()).decode()
        finally:
            writer.close()

    def close(self) -> None:
        """End everything."""
        self.network.close()
        for server in self._servers:
            server.close()


@pytest.fixture
async def pod(tmp_path: Path) -> AsyncIterator[Pod]:
    """A pod with an address."""
    pod = Pod(tmp_path)
    yield pod
    pod.close()


async def test_a_port_is_redirected_from_outside(pod: Pod) -> None:
    """Others meet the target; the program sees their address; ports without a rule lead where they say."""
    pod.rules(p8080=10000)
    pod.network.apply(POD, pod.ip)
    for port in (8080, 9090, 10000):
        await pod.serve(port)
    assert await pod.ask(8080, client="127.251.255.9") == "10000 127.251.255.9"
    assert await pod.ask(9090, client="127.251.255.9") == "9090 127.251.255.9"


async def test_the_pod_itself_is_not_redirected(pod: Pod) -> None:
    """What it sends to its own address doesn't come in through the network."""
    pod.rules(p8080=10000)
    pod.network.apply(POD, pod.ip)
    for port in (8080, 10000):
        await pod.serve(port)
    assert await pod.ask(8080, client=pod.ip) == f"8080 {pod.ip}"


async def test_without_rules_programs_have_the_pods_address(pod: Pod) -> None:
    """Nothing stands in between."""
    pod.network.apply(POD, pod.ip)
    assert pod.network.inner_ip == ""
    await pod.serve(8080)
    assert await pod.ask(8080, client="127.251.255.9") == "8080 127.251.255.9"


async def test_a_target_that_nobody_listens_at_resets(pod: Pod) -> None:
    """As long as the proxy behind the redirection isn't there, nothing answers."""
    pod.rules(p8080=10000)
    pod.network.apply(POD, pod.ip)
    with pytest.raises(ConnectionResetError):
        await pod.ask(8080, client="127.251.255.9")


async def test_where_a_port_leads_is_known(pod: Pod) -> None:
    """Whoever looks whether somebody listens looks there: at the pod's own address every connection is taken."""
    assert pod.network.behind(8080) is None
    pod.rules(p8080=10000)
    pod.network.apply(POD, pod.ip)
    inner = pod.network.inner_ip
    assert (pod.network.behind(8080), pod.network.behind(9090)) == ((inner, 10000), (inner, 9090))


async def test_answers_take_their_time(pod: Pod) -> None:
    """What `tc` delayed comes later to others, whole and in order; not to the pod's own programs."""
    pod.network.rules_file.write_text(json.dumps({"delay": [0.3, 0.05]}))
    pod.network.apply(POD, pod.ip)
    await pod.serve(8080)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert await pod.ask(8080, client="127.251.255.9") == "8080 127.251.255.9"
    assert loop.time() - begun >= 0.25
    assert await pod.ask(8080, client=pod.ip) == f"8080 {pod.ip}"


async def test_the_address_goes_back(pod: Pod) -> None:
    """At the end nothing listens, and the second address is free again."""
    pod.rules(p8080=10000)
    pod.network.apply(POD, pod.ip)
    inner = pod.network.inner_ip
    pod.network.close()
    with pytest.raises(ConnectionRefusedError):
        await pod.ask(8080, client="127.251.255.9")
    assert inner in {pod.addresses.take() for _ in range(253)}
