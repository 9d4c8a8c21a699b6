"""PodDisruptionBudgets: how many disruptions are allowed, at each moment."""

import pytest

from seatrial.sandbox.api import Object
from tests.sandbox.controllers.world import NAMESPACE, World, deployment, running_world

pytestmark = pytest.mark.looptime
RESOURCE = "poddisruptionbudgets.policy"


def budget(**spec: int | str) -> Object:
    """A budget for the pods with app=web."""
    return {"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec}}


def numbers(world: World) -> tuple[int, int, int, int]:
    """(currentHealthy, desiredHealthy, disruptionsAllowed, expectedPods)."""
    status = world.one(RESOURCE, "web")["status"]
    return (
        status["currentHealthy"],
        status["desiredHealthy"],
        status["disruptionsAllowed"],
        status["expectedPods"],
    )


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"minAvailable": 2}, (4, 2, 2, 4)),
        ({"minAvailable": "50%"}, (4, 2, 2, 4)),
        ({"minAvailable": "60%"}, (4, 3, 1, 4)),
        ({"maxUnavailable": 1}, (4, 3, 1, 4)),
        ({"maxUnavailable": "30%"}, (4, 2, 2, 4)),
        ({"maxUnavailable": 0}, (4, 4, 0, 4)),
        ({"minAvailable": 9}, (4, 9, 0, 4)),
    ],
)
async def test_a_budget_is_worked_out(spec: dict[str, int | str], expected: tuple[int, int, int, int]) -> None:
    """Numbers and percentages of four healthy pods; percentages round up."""
    async with running_world() as world:
        await world.api.create("deployments.apps", deployment(replicas=4), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 4)
        await world.api.create(RESOURCE, budget(**spec), NAMESPACE)
        await world.until(lambda: numbers(world) == expected)
        status = world.one(RESOURCE, "web")["status"]
        assert status["observedGeneration"] == 1
        condition = status["conditions"][0]
        assert condition["type"] == "DisruptionAllowed"
        assert (condition["status"], condition["reason"]) == (
            ("True", "SufficientPods") if expected[2] else ("False", "InsufficientPods")
        )


async def test_a_budget_follows_its_pods() -> None:
    """A pod on its way out counts as lost at once; its replacement counts when it is Ready."""
    async with running_world() as world:
        world.slow_to_end_seconds = 10
        await world.api.create("deployments.apps", deployment(replicas=3), NAMESPACE)
        await world.api.create(RESOURCE, budget(maxUnavailable=1), NAMESPACE)
        await world.until(lambda: numbers(world) == (3, 2, 1, 3))
        world.broken_images.add("nginx:1.25")
        await world.api.delete("pods", world.ready_pods()[0]["metadata"]["name"], NAMESPACE)
        await world.until(lambda: numbers(world) == (2, 2, 0, 3))


async def test_percentages_count_what_was_asked_for_not_what_is_there() -> None:
    """Half of six wanted pods is three, though only some of the six exist."""
    async with running_world(nodes=0) as world:
        await world.api.create("deployments.apps", deployment(replicas=6), NAMESPACE)
        await world.until(lambda: len(world.seen("pods")) == 6)
        await world.api.create(RESOURCE, budget(minAvailable="50%"), NAMESPACE)
        await world.until(lambda: numbers(world) == (0, 3, 0, 6))


async def test_an_eviction_that_was_allowed_is_counted_until_it_is_seen() -> None:
    """The eviction subresource and the controller share the book-keeping: two allowed, no third."""
    async with running_world() as world:
        world.slow_to_end_seconds = 1000
        await world.api.create("deployments.apps", deployment(replicas=4), NAMESPACE)
        await world.api.create(RESOURCE, budget(minAvailable=2), NAMESPACE)
        await world.until(lambda: numbers(world) == (4, 2, 2, 4))
        world.broken_images.add("nginx:1.25")
        for item in world.ready_pods()[:2]:
            name = item["metadata"]["name"]
            await world.api.create("pods/eviction", {"metadata": {"name": name}}, NAMESPACE)
        await world.until(lambda: numbers(world)[2] == 0 and numbers(world)[0] == 2)
        await world.settled()
        assert "disruptedPods" not in world.one(RESOURCE, "web")["status"]
