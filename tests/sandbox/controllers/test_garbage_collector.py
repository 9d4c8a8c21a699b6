"""Garbage collection: dependents go with their owner, wait for it, or are cut loose, as was asked."""

import pytest

from seatrial.sandbox.api import Object
from tests.sandbox.controllers.world import NAMESPACE, World, deployment, running_world

pytestmark = pytest.mark.looptime


def config_map(name: str, *owners: Object, blocking: bool = True) -> Object:
    """A ConfigMap owned by other ConfigMaps."""
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": blocking,
        }
        for owner in owners
    ]
    return {"metadata": {"name": name, "ownerReferences": references}}


def names(world: World, resource: str = "configmaps") -> set[str]:
    """What is there in the test's namespace, but for what every namespace has."""
    found = {
        item["metadata"]["name"] for item in world.seen(resource) if item["metadata"].get("namespace") == NAMESPACE
    }
    return found - {"kube-root-ca.crt"}


def order_of_deletions(world: World) -> list[str]:
    """The resources of what was deleted, in order."""
    return [resource for kind, resource, _ in world.history if kind == "DELETED"]


async def available(world: World, name: str = "web") -> None:
    """Create a Deployment of one pod and wait for it."""
    await world.api.create("deployments.apps", deployment(name, replicas=1), NAMESPACE)
    await world.until(lambda: len(world.ready_pods(app=name)) == 1)
    await world.settled()


async def test_background_deletion_takes_the_owner_first() -> None:
    """Deployment, then ReplicaSet, then the pod, which ends in its own time."""
    async with running_world() as world:
        await available(world)
        await world.api.delete("deployments.apps", "web", NAMESPACE, propagation_policy="Background")
        await world.until(lambda: not world.seen("pods"))
        assert order_of_deletions(world) == ["deployments.apps", "replicasets.apps", "pods"]


async def test_foreground_deletion_takes_the_dependents_first() -> None:
    """The pod, then the ReplicaSet, then the Deployment; meanwhile each waits with a finalizer."""
    async with running_world() as world:
        await available(world)
        await world.api.delete("deployments.apps", "web", NAMESPACE, propagation_policy="Foreground")
        await world.until(lambda: not world.seen("deployments.apps"))
        assert order_of_deletions(world) == ["pods", "replicasets.apps", "deployments.apps"]
        waited = {
            resource
            for _, resource, item in world.history
            if "foregroundDeletion" in (item["metadata"].get("finalizers") or [])
        }
        assert waited == {"deployments.apps", "replicasets.apps"}


async def test_orphaning_leaves_the_dependents() -> None:
    """The ReplicaSet loses its owner and lives on with its pod."""
    async with running_world() as world:
        await available(world)
        await world.api.delete("deployments.apps", "web", NAMESPACE, propagation_policy="Orphan")
        await world.until(lambda: not world.seen("deployments.apps"))
        await world.settled()
        assert "ownerReferences" not in world.seen("replicasets.apps")[0]["metadata"]
        assert len(world.ready_pods()) == 1


async def test_a_dependent_of_nobody_is_collected() -> None:
    """An owner that doesn't exist, or exists with another UID, is no owner."""
    async with running_world() as world:
        real = await world.api.create("configmaps", config_map("real"), NAMESPACE)
        ghost = {"metadata": {"name": "nosuch", "uid": "0c0ffee0-0000-0000-0000-000000000000"}}
        impostor = {"metadata": {"name": "real", "uid": "0c0ffee0-0000-0000-0000-000000000001"}}
        await world.api.create("configmaps", config_map("lost", ghost), NAMESPACE)
        await world.api.create("configmaps", config_map("deceived", impostor), NAMESPACE)
        await world.api.create("configmaps", config_map("kept", real), NAMESPACE)
        await world.until(lambda: names(world) == {"real", "kept"})
        await world.settled()
        assert names(world) == {"real", "kept"}


async def test_one_living_owner_is_enough() -> None:
    """When one of two owners goes, the dependent stays and forgets it; when both are gone it goes."""
    async with running_world() as world:
        one = await world.api.create("configmaps", config_map("one"), NAMESPACE)
        two = await world.api.create("configmaps", config_map("two"), NAMESPACE)
        await world.api.create("configmaps", config_map("shared", one, two), NAMESPACE)
        await world.settled()
        await world.api.delete("configmaps", "one", NAMESPACE)
        await world.until(lambda: len(world.one("configmaps", "shared")["metadata"]["ownerReferences"]) == 1)
        await world.api.delete("configmaps", "two", NAMESPACE)
        await world.until(lambda: names(world) == set())


async def test_dependents_that_do_not_block_are_not_waited_for() -> None:
    """Foreground deletion waits only for references with blockOwnerDeletion."""
    async with running_world() as world:
        owner = await world.api.create("configmaps", config_map("owner"), NAMESPACE)
        held = config_map("held", owner, blocking=False)
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await world.api.create("configmaps", held, NAMESPACE)
        await world.settled()
        await world.api.delete("configmaps", "owner", NAMESPACE, propagation_policy="Foreground")
        await world.until(lambda: "owner" not in names(world))
        await world.until(lambda: "deletionTimestamp" in world.one("configmaps", "held")["metadata"])


async def test_an_owner_of_an_unknown_kind_is_believed() -> None:
    """What the collector can't look up, it doesn't delete for."""
    async with running_world() as world:
        body = config_map("custom")
        body["metadata"]["ownerReferences"] = [
            {
                "apiVersion": "example.com/v1",
                "kind": "Widget",
                "name": "w",
                "uid": "0c0ffee0-0000-0000-0000-000000000002",
            }
        ]
        await world.api.create("configmaps", body, NAMESPACE)
        await world.settled()
        assert names(world) == {"custom"}
