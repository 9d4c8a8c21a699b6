"""The dashboard on a cluster whose pods come back, and whose machines can be stopped."""

import asyncio
import re
from pathlib import Path

import pytest

from seatrial.testing import sandbox_cluster

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def sandbox():
    """Two machines with goldpinger, shared by these tests."""
    with asyncio.Runner() as runner:
        block = sandbox_cluster(nodes=2, zones=("east", "west"), load=[Path("examples/manifests/goldpinger.yml")])
        cluster = runner.run(block.__aenter__())
        yield cluster
        runner.run(block.__aexit__(None, None, None))


@pytest.fixture
async def screen(sandbox, opened):
    """A wide dashboard on that sandbox, with all pods running."""
    async with opened(sandbox.kubeconfig, size=(150, 40)) as seen:
        await seen.until("2 of 2 Ready, 3 pods")
        await seen.until(lambda: seen.shown.count("● ") >= 3 and "not ready" not in seen.rows[1])
        yield seen


async def test_a_killed_pod_is_seen_to_come_back(screen):
    """The recovery stands under its Deployment's name, measured by the session, and once only."""
    while "goldpinger-" not in screen.row(" · of ReplicaSet"):
        await screen.press("down" if "right" in screen.said else "right")
    await screen.press("K")
    await screen.until("at once?")
    await screen.press("y")
    await screen.until("recovered default/goldpinger-")
    # The last one, the median, how many there were, a bar.
    once = r"default/goldpinger +[0-9.]+ m?s +[0-9.]+ m?s +1 +█"
    await screen.until(lambda: re.search(once, screen.shown))
    await screen.until("3 pods")


async def test_a_drained_node_is_empty_and_comes_back(screen):
    """Its pods move to the other node; undo lets pods in again."""
    await screen.press("d")
    await screen.until("drain node1?")
    await screen.press("y")
    await screen.until("⊘ cordoned     0")
    await screen.press("u")
    await screen.until("undone: drain node1")
    await screen.until("nothing to undo")
    assert "✓ Ready" in screen.row("node1 ")


async def test_a_stopped_machine_is_seen_and_started_again(screen):
    """Its node goes NotReady; undo starts exactly this machine."""
    await screen.press("down", "s")
    await screen.until("stop node2?")
    assert "start it again at clean-up" in screen.shown
    await screen.press("y")
    await screen.until("✗ NotReady")
    assert "node2" in screen.row("✗ NotReady")
    await screen.press("u")
    await screen.until("undone: stop node2")
    await screen.until("2 of 2 Ready")
