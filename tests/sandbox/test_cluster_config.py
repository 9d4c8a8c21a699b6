"""What a sandbox is asked to be, and how its main process hears of it."""

from pathlib import Path

import pytest

from seatrial.errors import UsageError
from seatrial.sandbox.cluster_config import ClusterConfig, region_of
from seatrial.sandbox.order import Order


def test_nodes_are_dealt_to_zones_in_turn() -> None:
    """Five nodes in two zones: three in the first, two in the second; the region is the zone's first part."""
    plan = ClusterConfig(name="x", directory=Path("/x"), nodes=5, zones=("west-1", "east-1")).plan()
    assert [(node.name, node.zone, node.region) for node in plan] == [
        ("node1", "west-1", "west"),
        ("node2", "east-1", "east"),
        ("node3", "west-1", "west"),
        ("node4", "east-1", "east"),
        ("node5", "west-1", "west"),
    ]


@pytest.mark.parametrize(("zone", "region"), [("west-1", "west"), ("eu-central-1a", "eu-central"), ("attic", "attic")])
def test_region_of(zone: str, region: str) -> None:
    """The region is the zone without its last part."""
    assert region_of(zone) == region


@pytest.mark.parametrize("nodes", [0, 127, -1])
def test_too_few_or_too_many_nodes(nodes: int) -> None:
    """A sandbox has 1 to 126 nodes."""
    with pytest.raises(UsageError, match="1 to 126 nodes"):
        ClusterConfig(name="x", directory=Path("/x"), nodes=nodes)


@pytest.mark.parametrize("zones", [(), ("",), ("a", "")])
def test_zones_need_names(zones: tuple[str, ...]) -> None:
    """No zones, or a zone without a name, is an error."""
    with pytest.raises(UsageError, match="zone"):
        ClusterConfig(name="x", directory=Path("/x"), zones=zones)


def test_order_survives_the_command_line() -> None:
    """What is encoded for the command line is read back the same."""
    config = ClusterConfig(
        name="x", directory=Path("/a b"), nodes=2, zones=["z-1"], images={"me/app": ("run", "it")}, sandbox_id="7"
    )
    order = Order(config=config, began=1.5, ready_fd=4, owner_fd=None)
    assert Order.decode(order.encode()) == order
