"""The addresses of a sandbox."""

import ipaddress
import itertools
import random

import pytest

from seatrial.sandbox.network.addresses import MAX_NODES, AddressBlock, blocks


def test_nothing_overlaps() -> None:
    """API server, nodes, pods of each node and Services have ranges of their own, all within the block."""
    block = AddressBlock(57)
    nodes = range(1, MAX_NODES + 1)
    hosts = [block.api_server, *map(block.node, nodes)]
    networks = [ipaddress.ip_network(f"{host}/32") for host in hosts]
    networks += [ipaddress.ip_network(block.pod_cidr(node)) for node in nodes]
    networks.append(ipaddress.ip_network(block.service_cidr))
    assert all(network.subnet_of(ipaddress.ip_network("127.57.0.0/16")) for network in networks)  # type: ignore[arg-type] -- both are IPv4
    ordered = sorted(networks, key=lambda network: (network.network_address, network.broadcast_address))
    assert not any(left.overlaps(right) for left, right in itertools.pairwise(ordered))


@pytest.mark.parametrize("index", [0, MAX_NODES + 1])
def test_no_such_node(index: int) -> None:
    """A node beyond the block is refused instead of landing in another range."""
    with pytest.raises(ValueError, match="nodes 1 to 126"):
        AddressBlock(57).node(index)


def test_blocks_are_all_there_in_random_order() -> None:
    """Every block comes once; another sandbox begins with another one."""
    first, second = (list(blocks(random.Random(seed))) for seed in (1, 2))
    assert sorted(block.number for block in first) == list(range(16, 251))
    assert first[0] != second[0]
