"""How long kubelets may keep what they read."""

import pytest

from seatrial.sandbox.controllers.node_ttl import ANNOTATION, step_of
from tests.sandbox.controllers.world import running_world


@pytest.mark.looptime
async def test_every_node_is_told() -> None:
    """In a small cluster nothing may be kept: 0 seconds."""
    async with running_world(nodes=2) as world:
        for name in ("node1", "node2"):
            await world.until(lambda name=name: _told(world.one("nodes", name, None)) == "0")


def _told(node: dict[str, dict[str, dict[str, str]]]) -> str | None:
    return (node["metadata"].get("annotations") or {}).get(ANNOTATION)


@pytest.mark.parametrize(
    ("nodes", "before", "after"),
    [(100, 0, 0), (101, 0, 1), (95, 1, 1), (89, 1, 0), (95, 0, 0), (5000, 0, 4), (3, 4, 0)],
)
def test_steps_overlap(nodes: int, before: int, after: int) -> None:
    """A cluster has to shrink by a tenth before it counts as small again."""
    assert step_of(nodes, before) == after
