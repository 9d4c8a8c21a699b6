"""Deleting a namespace: everything in it goes, what stays is told, and then the namespace itself goes."""

import pytest

from seatrial.sandbox.api import ApiError
from tests.sandbox.controllers.world import World, deployment, running_world, service

pytestmark = pytest.mark.looptime
NAME = "shop"


def told(world: World) -> dict[str, tuple[str, str]]:
    """The namespace's conditions: (status, reason) by type."""
    conditions = world.one("namespaces", NAME, None)["status"].get("conditions") or []
    return {entry["type"]: (entry["status"], entry["reason"]) for entry in conditions}


async def furnish(world: World) -> None:
    """A namespace with a Deployment, a Service and its endpoints."""
    await world.api.create("namespaces", {"metadata": {"name": NAME}})
    await world.api.create("services", service(), NAME)
    await world.api.create("deployments.apps", deployment(replicas=2), NAME)
    await world.until(lambda: len(world.ready_pods(app="web")) == 2)


async def test_a_namespace_is_emptied_and_goes() -> None:
    """Nothing that it held is left."""
    async with running_world() as world:
        await furnish(world)
        await world.api.delete("namespaces", NAME)
        await world.until(lambda: NAME not in [item["metadata"]["name"] for item in world.seen("namespaces")])
        for resource in (
            "pods",
            "services",
            "deployments.apps",
            "replicasets.apps",
            "endpoints",
            "configmaps",
            "events",
        ):
            assert (await world.api.list(resource, NAME)).items == []


async def test_what_holds_a_namespace_back_is_told() -> None:
    """A finalizer keeps an object, so the namespace stays, says why, and goes as soon as the finalizer does."""
    async with running_world() as world:
        await furnish(world)
        held = {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
        await world.api.create("configmaps", held, NAME)
        await world.api.delete("namespaces", NAME)
        await world.until(lambda: told(world).get("NamespaceFinalizersRemaining") == ("True", "SomeFinalizersRemain"))
        await world.until(lambda: not world.seen("pods"))
        await world.settled()
        conditions = world.one("namespaces", NAME, None)["status"]["conditions"]
        messages = {entry["type"]: entry["message"] for entry in conditions}
        assert (
            messages["NamespaceContentRemaining"]
            == "Some resources are remaining: configmaps. has 1 resource instances"
        )
        assert messages["NamespaceFinalizersRemaining"] == (
            "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
        )
        assert told(world)["NamespaceDeletionContentFailure"] == ("False", "ContentDeleted")
        began = world.now()
        await world.api.patch("configmaps", "held", NAME, {"metadata": {"finalizers": None}})
        await world.until(lambda: NAME not in [item["metadata"]["name"] for item in world.seen("namespaces")])
        assert (world.now() - began).total_seconds() < 1


async def test_nothing_moves_into_a_dying_namespace() -> None:
    """While a pod ends slowly, its ReplicaSet makes no new one."""
    async with running_world() as world:
        await furnish(world)
        world.slow_to_end_seconds = 20
        await world.api.delete("namespaces", NAME)
        with pytest.raises(ApiError) as refused:
            await world.api.create("configmaps", {"metadata": {"name": "late"}}, NAME)
        assert refused.value.code == 403
        await world.until(lambda: NAME not in [item["metadata"]["name"] for item in world.seen("namespaces")])
        created = [item for kind, resource, item in world.history if (kind, resource) == ("ADDED", "pods")]
        assert len(created) == 2
