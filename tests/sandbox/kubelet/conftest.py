"""Fixtures of the node's tests: addresses of their own, certificates, a node that runs."""

import asyncio
import random
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from seatrial.sandbox.apiserver.local import local_api
from seatrial.sandbox.kubelet.machine_config import MachineConfig
from seatrial.sandbox.pki import Authority
from tests.sandbox.kubelet.node_under_test import History, NodeUnderTest, running_kubelet, running_runtime

GREETER = {"example.com/greeter": ("sh", "-c", "echo hello; exec sleep 1000")}


@dataclass(frozen=True)
class Addresses:
    """Where a test's node and its pods are."""

    node: str
    pod_cidr: str
    api_server: str


@pytest.fixture
def addresses() -> Iterator[Addresses]:
    """A part of the loopback range that no other test has."""
    while True:
        prefix = f"127.{random.randint(251, 254)}.{random.randint(0, 255)}"
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind((f"{prefix}.254", 10250))
        except OSError:
            claim.close()
            continue
        with claim:
            yield Addresses(node=f"{prefix}.253", pod_cidr=f"{prefix}.0/25", api_server=f"{prefix}.252")
            return


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """A directory with a short path, removed with what is in it."""
    directory = Path(tempfile.mkdtemp(prefix="st-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def machine_config(addresses: Addresses, authority: Authority, short_directory: Path) -> MachineConfig:
    """The settings of a node whose failed containers are restarted after a tenth of a second."""
    client = authority.issue_client("system:node:node1", ["system:nodes"])
    serving = authority.issue_server("node1", [addresses.node])
    return MachineConfig(
        node_name="node1",
        address=addresses.node,
        pod_cidr=addresses.pod_cidr,
        zone="west-1",
        region="west",
        group="workers",
        instance_id="i-1",
        directory=short_directory / "node1",
        api_server=f"https://{addresses.api_server}:6443",
        ca_file=authority.ca_file,
        client_cert_file=client.cert_file,
        client_key_file=client.key_file,
        serving_cert_file=serving.cert_file,
        serving_key_file=serving.key_file,
        sandbox="test",
        images=GREETER,
        backoff_base_seconds=0.1,
    )


@pytest.fixture
async def node(machine_config: MachineConfig) -> AsyncIterator[NodeUnderTest]:
    """A node with an API server of its own."""
    api = local_api()
    history = History()
    since = (await api.list("pods")).resource_version
    async with running_runtime() as runtime, running_kubelet(machine_config, api, runtime):
        following = asyncio.create_task(history.follow(api, since))
        yield NodeUnderTest(api, machine_config, history, runtime)
        following.cancel()
