"""The quota controller: what is used is counted, and given back."""

import pytest

from seatrial.sandbox.api import ApiError
from tests.sandbox.controllers.world import NAMESPACE, World, deployment, pod, running_world

pytestmark = pytest.mark.looptime
QUOTAS = "resourcequotas"


async def quota(world: World, **hard: str) -> None:
    """Create a quota and wait until it has been counted."""
    body = {"metadata": {"name": "q"}, "spec": {"hard": hard}}
    await world.api.create(QUOTAS, body, NAMESPACE)
    await world.until(lambda: world.one(QUOTAS, "q").get("status", {}).get("hard") == hard)


def used(world: World) -> dict[str, str]:
    """What the quota says is used."""
    found: dict[str, str] = world.one(QUOTAS, "q")["status"]["used"]
    return found


async def test_what_is_there_is_counted() -> None:
    """Also what was there before the quota."""
    async with running_world(nodes=1, also=[QUOTAS]) as world:
        await world.api.create("pods", pod("old"), NAMESPACE)
        await quota(world, **{"pods": "5", "count/pods": "9", "secrets": "3"})
        assert used(world) == {"pods": "1", "count/pods": "1", "secrets": "0"}


async def test_what_ends_or_goes_is_given_back() -> None:
    """A pod that has ended takes no more than its place in `count/pods`; one that is gone takes none."""
    async with running_world(nodes=1, also=[QUOTAS]) as world:
        await quota(world, **{"pods": "2", "count/pods": "9"})
        for name in ("a", "b"):
            await world.api.create("pods", pod(name), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 2)
        with pytest.raises(ApiError, match="exceeded quota: q"):
            await world.api.create("pods", pod("c"), NAMESPACE)
        await world.api.patch("pods", "a", NAMESPACE, {"status": {"phase": "Succeeded"}}, subresource="status")
        await world.until(lambda: used(world) == {"pods": "1", "count/pods": "2"})
        await world.api.delete("pods", "b", NAMESPACE)
        await world.until(lambda: used(world) == {"pods": "0", "count/pods": "1"})


async def test_a_deployment_fills_up_when_there_is_room() -> None:
    """Its pods are refused over the quota, and made when it grows."""
    async with running_world(nodes=1, also=[QUOTAS]) as world:
        await quota(world, pods="2")
        await world.api.create("deployments.apps", deployment(replicas=4), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 2)
        await world.until(lambda: any("exceeded quota: q" in event["message"] for event in world.seen("events")))
        await world.api.patch(QUOTAS, "q", NAMESPACE, {"spec": {"hard": {"pods": "4"}}})
        await world.until(lambda: len(world.ready_pods()) == 4)
        assert used(world) == {"pods": "4"}
