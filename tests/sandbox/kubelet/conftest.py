"""Fixtures of the node's tests: addresses of their own, certificates, a node that runs."""

import random
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from seatrial.sandbox.kubelet.machine_config import MachineConfig
from seatrial.sandbox.pki import Authority
from seatrial.sandbox.timing import SANDBOX
from tests.sandbox.kubelet.node_under_test import NodeUnderTest, running_node

GREETER = {"example.com/greeter": ("sh", "-c", "echo hello; exec sleep 1000")}


@dataclass(frozen=True)
class Addresses:
    """Where a test's node and its pods are."""

    node: str
    pod_cidr: str
    api_server: str


@contextmanager
def free_addresses() -> Iterator[Addresses]:
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
def addresses() -> Iterator[Addresses]:
    """A part of the loopback range that no other test has."""
    with free_addresses() as found:
        yield found


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """A directory with a short path, removed with what is in it."""
    directory = Path(tempfile.mkdtemp(prefix="st-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """A directory with a short path, removed with what is in it."""
    with temporary_directory() as directory:
        yield directory


@pytest.fixture
def machine_config(addresses: Addresses, authority: Authority, short_directory: Path) -> MachineConfig:
    """The settings of a node whose failed containers are restarted after a tenth of a second."""
    return node_config(addresses, authority, short_directory)


def node_config(addresses: Addresses, authority: Authority, directory: Path) -> MachineConfig:
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
        directory=directory / "node1",
        api_server=f"https://{addresses.api_server}:6443",
        ca_file=authority.ca_file,
        client_cert_file=client.cert_file,
        client_key_file=client.key_file,
        serving_cert_file=serving.cert_file,
        serving_key_file=serving.key_file,
        sandbox="test",
        images=GREETER,
        timing=replace(SANDBOX, restart_base_seconds=0.1, pull_base_seconds=0.1, eviction_look_seconds=0.1),
    )


@pytest.fixture
async def node(machine_config: MachineConfig) -> AsyncIterator[NodeUnderTest]:
    """A node with an API server of its own."""
    async with running_node(machine_config) as node:
        yield node
