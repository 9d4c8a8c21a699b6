"""Custom resources among the others: owners and owned, and what a namespace holds."""

import asyncio

import pytest

from seatrial.sandbox.api import Object
from tests.sandbox.apiserver.custom.definitions import BOATS, GROUP, boat, define, definition
from tests.sandbox.controllers.world import World, running_world

pytestmark = pytest.mark.looptime
NAMESPACE = "default"


def owned_by(owner: Object, name: str, *, blocking: bool = False) -> Object:
    """A ConfigMap that belongs to a boat."""
    reference = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Boat",
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": blocking,
    }
    return {"metadata": {"name": name, "ownerReferences": [reference]}}


def is_there(world: World, name: str) -> bool:
    """Whether a ConfigMap of this name exists."""
    return any(item["metadata"]["name"] == name for item in world.seen("configmaps"))


async def test_what_a_custom_resource_owns_goes_with_it() -> None:
    """A ConfigMap owned by a boat follows it."""
    async with running_world() as world:
        await define(world.api, definition())
        nina = await world.api.create(BOATS, boat(), NAMESPACE)
        await world.api.create("configmaps", owned_by(nina, "log"), NAMESPACE)
        await world.until(lambda: is_there(world, "log"))
        await world.api.delete(BOATS, "nina", NAMESPACE)
        await world.until(lambda: not is_there(world, "log"))


async def test_a_custom_resource_waits_for_what_it_owns() -> None:
    """Foreground: the ConfigMap goes first, then the boat."""
    async with running_world() as world:
        await define(world.api, definition())
        nina = await world.api.create(BOATS, boat(), NAMESPACE)
        held = owned_by(nina, "log", blocking=True)
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await world.api.create("configmaps", held, NAMESPACE)
        await world.until(lambda: is_there(world, "log"))
        await world.api.delete(BOATS, "nina", NAMESPACE, propagation_policy="Foreground")
        await world.until(lambda: any("deletionTimestamp" in item["metadata"] for item in world.seen("configmaps")))
        assert "deletionTimestamp" in (await world.api.get(BOATS, "nina", NAMESPACE))["metadata"]
        await world.api.patch("configmaps", "log", NAMESPACE, {"metadata": {"finalizers": None}})
        await world.until(lambda: not is_there(world, "log"))
        await world.settled()
        assert (await world.api.list(BOATS)).items == []


async def test_what_instances_own_goes_with_their_definition() -> None:
    """The definition takes the boats, the boats what they own."""
    async with running_world() as world:
        await define(world.api, definition())
        nina = await world.api.create(BOATS, boat(), NAMESPACE)
        await world.api.create("configmaps", owned_by(nina, "log"), NAMESPACE)
        await world.until(lambda: is_there(world, "log"))
        await world.api.delete("customresourcedefinitions.apiextensions.k8s.io", BOATS)
        await world.until(lambda: not is_there(world, "log"))


async def test_a_definition_that_comes_back_is_followed_again() -> None:
    """Half a day after its definition went, a kind that is defined anew has owners again."""
    # Without nodes, whose heartbeats would be most of what this time holds: a thousand tries to follow the kind.
    async with running_world(nodes=0) as world:
        await define(world.api, definition())
        await world.api.create(BOATS, boat(), NAMESPACE)
        await world.api.delete("customresourcedefinitions.apiextensions.k8s.io", BOATS)
        await world.settled()
        await asyncio.sleep(40_000)
        await define(world.api, definition())
        nina = await world.api.create(BOATS, boat(), NAMESPACE)
        await world.api.create("configmaps", owned_by(nina, "log"), NAMESPACE)
        await world.settled()
        assert is_there(world, "log")
        await world.api.delete(BOATS, "nina", NAMESPACE)
        await world.until(lambda: not is_there(world, "log"))


async def test_a_namespace_is_emptied_of_custom_resources() -> None:
    """A namespace goes with the boats in it; other namespaces keep theirs."""
    async with running_world() as world:
        await define(world.api, definition())
        await world.api.create("namespaces", {"metadata": {"name": "harbour"}})
        await world.api.create(BOATS, boat(), "harbour")
        await world.api.create(BOATS, boat("pinta"), NAMESPACE)
        await world.api.delete("namespaces", "harbour")
        await world.until(lambda: not any(n["metadata"]["name"] == "harbour" for n in world.seen("namespaces")))
        assert [item["metadata"]["name"] for item in (await world.api.list(BOATS)).items] == ["pinta"]
