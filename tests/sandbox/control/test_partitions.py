"""Which zones can't reach each other."""

import asyncio

import pytest

from seatrial.sandbox.control.partitions import OUTSIDE, Partitions, UnknownZoneError

NODES = [("node1", "west-1"), ("node2", "west-2"), ("node3", "east-1"), ("node4", "west-1")]


async def test_a_zone_is_parted_from_another_in_both_directions() -> None:
    """Two zones, and nobody else."""
    partitions = Partitions(NODES)
    partitions.cut("west-1", ["east-1"])
    assert partitions.is_cut("west-1", "east-1")
    assert partitions.is_cut("east-1", "west-1")
    assert not partitions.is_cut("west-2", "east-1")
    assert not partitions.is_cut("west-1", "west-1")


async def test_without_others_a_zone_is_alone() -> None:
    """It is parted from all."""
    partitions = Partitions(NODES)
    assert partitions.cut("west-2").others == ("west-1", "east-1")


async def test_the_outside_reaches_everything() -> None:
    """Clients that are in no zone are never cut off."""
    partitions = Partitions(NODES)
    partitions.cut("west-1")
    assert not partitions.is_cut(OUTSIDE, "west-1")


async def test_who_waits_passes_when_it_is_healed() -> None:
    """A passage is silent as long as it is cut."""
    partitions = Partitions(NODES)
    partitions.cut("west-1", ["east-1"])
    waiting = asyncio.create_task(partitions.passage("east-1", "west-1"))
    await asyncio.sleep(0)
    partitions.cut("west-2", ["east-1"])
    await asyncio.sleep(0)
    assert not waiting.done()
    assert [each.zone for each in partitions.heal("west-1")] == ["west-1"]
    await waiting
    assert partitions.is_cut("west-2", "east-1")


@pytest.mark.parametrize(("zone", "others"), [("north", []), ("west-1", ["north"]), ("west-1", ["west-1"])])
async def test_a_zone_has_to_exist_and_differ(zone: str, others: list[str]) -> None:
    """Anything else is refused, with the zones that there are."""
    with pytest.raises(UnknownZoneError):
        Partitions(NODES).cut(zone, others)


async def test_zones_are_known_by_node_and_address() -> None:
    """A node's own address and its pods' lead to its zone; others lie outside."""
    partitions = Partitions(NODES)
    assert partitions.zone_of_node("node2") == "west-2"
    assert partitions.zone_of_node("node9") == OUTSIDE
    assert partitions.zone_of_address("127.33.0.13") == "east-1"
    assert partitions.zone_of_address("127.33.4.77") == "west-1"
    for outside in ("127.0.0.1", "127.33.0.1", "127.33.9.1", "127.33.200.1", "::1", "10.0.1.5"):
        assert partitions.zone_of_address(outside) == OUTSIDE
