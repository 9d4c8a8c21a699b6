"""The memory that says which nodes can't reach each other."""

import asyncio
import os

import pytest

from seatrial.sandbox.network.reachability import CONTROL_PLANE, Reachability

NODE_1, NODE_3, POD_3, OUTSIDE = "127.99.0.11", "127.99.0.13", "127.99.3.7", "127.0.0.1"


def test_pairs_of_nodes_are_cut() -> None:
    """By a node's own address and its pods', in both directions; each call says all that is cut."""
    reachability = Reachability()
    reachability.cut([(1, 3)])
    assert reachability.is_cut(NODE_1, POD_3)
    assert reachability.is_cut(NODE_3, NODE_1)
    assert not reachability.is_cut(OUTSIDE, NODE_1)
    assert not reachability.is_cut("127.99.0.12", NODE_1)
    reachability.cut([])
    assert not reachability.is_cut(NODE_1, NODE_3)


def test_processes_forked_from_one_share_it() -> None:
    """What one writes, the others read."""
    reachability = Reachability()
    pid = os.fork()
    if pid == 0:
        reachability.cut([(1, 3)])
        os._exit(0)
    os.waitpid(pid, 0)
    assert reachability.is_cut(NODE_1, NODE_3)


@pytest.mark.looptime
async def test_a_passage_opens_when_it_is_healed() -> None:
    """Whoever waits goes on soon after."""
    reachability = Reachability()
    reachability.cut([(1, 3)])
    waiting = asyncio.create_task(reachability.passage(NODE_1, POD_3))
    await asyncio.sleep(1)
    assert not waiting.done()
    reachability.cut([])
    await asyncio.wait_for(waiting, 1)


@pytest.mark.looptime
async def test_the_control_plane_gives_up() -> None:
    """It stands beside the first node, and waits for others only so long."""
    reachability = Reachability()
    reachability.cut([(1, 3)])
    with pytest.raises(TimeoutError):
        await reachability.passage_from_control_plane(POD_3, timeout_seconds=10)
    await reachability.passage_from_control_plane("127.99.2.7", timeout_seconds=10)
    reachability.wall_off(2, [CONTROL_PLANE])
    with pytest.raises(TimeoutError):
        await reachability.passage_from_control_plane("127.99.2.7", timeout_seconds=10)


def test_a_node_drops_what_others_send_it_and_what_it_sends() -> None:
    """Each node says only what its own firewall drops; one side is enough."""
    reachability = Reachability()
    reachability.wall_off(1, [3])
    reachability.wall_off(3, [])
    assert reachability.is_cut(NODE_1, POD_3)
    assert reachability.is_cut(POD_3, NODE_1)
    assert not reachability.is_walled_off(1)
    reachability.wall_off(1, [])
    assert not reachability.is_cut(NODE_1, POD_3)
