"""Which zones can't reach each other."""

import asyncio

import pytest

from seatrial.sandbox.control.partitions import OUTSIDE, Partitions, UnknownZoneError
from seatrial.sandbox.network.reachability import CONTROL_PLANE, Reachability

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
    waiting = [
        asyncio.create_task(partitions.passage_between("127.33.0.13", "127.33.1.7")),
        asyncio.create_task(partitions.passage_to_control_plane("node3")),
    ]
    await asyncio.sleep(0)
    partitions.cut("west-2", ["east-1"])
    await asyncio.sleep(0)
    assert not any(each.done() for each in waiting)
    assert [each.zone for each in partitions.heal("west-1")] == ["west-1"]
    await asyncio.gather(*waiting)
    assert partitions.is_cut("west-2", "east-1")


@pytest.mark.looptime
async def test_a_machines_firewall_cuts_as_a_partition_does() -> None:
    """Off the control plane, off another machine; who listens is told soon after the machine changed it."""
    reachability = Reachability()
    partitions, told = Partitions(NODES, reachability=reachability), []
    partitions.on_change(lambda: told.append(partitions.is_anything_cut))
    following = asyncio.create_task(partitions.follow_firewalls())
    reachability.wall_off(2, [CONTROL_PLANE, 3])
    await asyncio.sleep(1)
    assert partitions.is_cut_off("node2")
    assert not partitions.is_cut_off("node3")
    assert not partitions.is_cut_off("no node")
    assert partitions.is_cut_between("127.33.3.9", "127.33.0.12")
    assert not partitions.is_cut_between("127.33.4.9", "127.33.0.12")
    waiting = asyncio.create_task(partitions.passage_to_control_plane("node2"))
    await asyncio.sleep(1)
    assert not waiting.done()
    reachability.wall_off(2, [])
    await asyncio.wait_for(waiting, 1)
    assert told == [True, False]
    following.cancel()


@pytest.mark.parametrize(("zone", "others"), [("north", []), ("west-1", ["north"]), ("west-1", ["west-1"])])
async def test_a_zone_has_to_exist_and_differ(zone: str, others: list[str]) -> None:
    """Anything else is refused, with the zones that there are."""
    with pytest.raises(UnknownZoneError):
        Partitions(NODES).cut(zone, others)


async def test_zones_are_known_by_node() -> None:
    """What is no node lies outside."""
    partitions = Partitions(NODES)
    assert partitions.zone_of_node("node2") == "west-2"
    assert partitions.zone_of_node("node9") == OUTSIDE
