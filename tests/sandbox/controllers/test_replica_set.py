"""ReplicaSets: the number of pods asked for, never more, by whatever way pods are lost."""

import pytest

from tests.sandbox.controllers.world import NAMESPACE, World, is_leaving, pod, replica_set, running_world

pytestmark = pytest.mark.looptime


def created_pods(world: World) -> list[str]:
    """The names of all pods that ever were."""
    return [item["metadata"]["name"] for kind, resource, item in world.history if (kind, resource) == ("ADDED", "pods")]


async def test_a_replica_set_makes_its_pods() -> None:
    """As many pods as `spec.replicas`, owned, labelled and told in Events."""
    async with running_world() as world:
        await world.api.create("replicasets.apps", replica_set(replicas=3), NAMESPACE)
        await world.until(lambda: len(world.ready_pods(app="web")) == 3)
        await world.until(lambda: world.one("replicasets.apps", "web")["status"].get("readyReplicas") == 3)
        owner = world.seen("pods")[0]["metadata"]["ownerReferences"][0]
        assert (owner["kind"], owner["name"], owner["controller"]) == ("ReplicaSet", "web", True)
        assert world.seen("pods")[0]["metadata"]["name"].startswith("web-")
        await world.until(lambda: len([e for e in world.seen("events") if e["reason"] == "SuccessfulCreate"]) == 3)
        status = world.one("replicasets.apps", "web")["status"]
        assert status == {
            "replicas": 3,
            "fullyLabeledReplicas": 3,
            "readyReplicas": 3,
            "availableReplicas": 3,
            "terminatingReplicas": 0,
            "observedGeneration": 1,
        }


async def test_a_deleted_pod_is_replaced_while_it_still_terminates() -> None:
    """The replacement is created as soon as deletion begins, not when the old pod is gone."""
    async with running_world() as world:
        world.slow_to_end_seconds = 20
        await world.api.create("replicasets.apps", replica_set(replicas=2), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 2)
        victim = world.ready_pods()[0]["metadata"]["name"]
        await world.api.delete("pods", victim, NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 2 and len(world.seen("pods")) == 3)
        await world.until(lambda: world.one("replicasets.apps", "web")["status"]["terminatingReplicas"] == 1)
        await world.until(lambda: len(world.seen("pods")) == 2)
        await world.settled()
        assert len(created_pods(world)) == 3


async def test_a_replacement_begins_within_milliseconds() -> None:
    """From the DELETED event of a force-killed pod to the creation of the next, no timer runs."""
    async with running_world() as world:
        await world.api.create("replicasets.apps", replica_set(replicas=3), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 3)
        await world.settled()
        began = world.now()
        await world.api.delete("pods", world.ready_pods()[0]["metadata"]["name"], NAMESPACE, grace_period_seconds=0)
        await world.until(lambda: len(created_pods(world)) == 4)
        assert (world.now() - began).total_seconds() < 0.05


async def test_pods_are_never_created_twice() -> None:
    """A hundred pods lost at once are replaced by exactly a hundred."""
    async with running_world(nodes=5) as world:
        await world.api.create("replicasets.apps", replica_set(replicas=100), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 100)
        assert len(created_pods(world)) == 100
        for item in world.seen("pods"):
            await world.api.delete("pods", item["metadata"]["name"], NAMESPACE, grace_period_seconds=0)
        await world.until(lambda: len(world.ready_pods()) == 100)
        await world.settled()
        assert len(created_pods(world)) == 200


async def test_pods_that_finish_are_replaced() -> None:
    """A pod that has failed counts no longer, and stays to be looked at."""
    async with running_world() as world:
        await world.api.create("replicasets.apps", replica_set(replicas=1), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 1)
        name = world.ready_pods()[0]["metadata"]["name"]
        await world.api.patch("pods", name, NAMESPACE, {"status": {"phase": "Failed"}}, subresource="status")
        await world.until(lambda: len(created_pods(world)) == 2)
        await world.settled()
        assert world.one("pods", name)["status"]["phase"] == "Failed"


async def test_scaling_down_deletes_the_surplus() -> None:
    """Scaled to one, one pod is left, and the deletions are told in Events."""
    async with running_world() as world:
        await world.api.create("replicasets.apps", replica_set(replicas=4), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 4)
        await world.api.patch("replicasets.apps", "web", NAMESPACE, {"spec": {"replicas": 1}})
        await world.until(lambda: len(world.seen("pods")) == 1)
        await world.until(lambda: len([e for e in world.seen("events") if e["reason"] == "SuccessfulDelete"]) == 3)
        await world.until(lambda: world.one("replicasets.apps", "web")["status"]["replicas"] == 1)


async def test_a_pod_whose_labels_no_longer_match_is_released_and_replaced() -> None:
    """Taking a pod out of the selector leaves it running without an owner."""
    async with running_world() as world:
        await world.api.create("replicasets.apps", replica_set(replicas=2), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 2)
        name = world.ready_pods()[0]["metadata"]["name"]
        await world.api.patch("pods", name, NAMESPACE, {"metadata": {"labels": {"app": "debug"}}})
        await world.until(lambda: len(world.ready_pods(app="web")) == 2)
        await world.until(lambda: "ownerReferences" not in world.one("pods", name)["metadata"])


async def test_an_orphan_that_matches_is_adopted() -> None:
    """A pod that nobody owns and the selector picks counts as a replica."""
    async with running_world() as world:
        await world.api.create("pods", pod("lonely", labels={"app": "web"}), NAMESPACE)
        await world.api.create("replicasets.apps", replica_set(replicas=2), NAMESPACE)
        await world.until(lambda: len(world.ready_pods(app="web")) == 2)
        await world.settled()
        assert len(world.seen("pods")) == 2
        assert world.one("pods", "lonely")["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"


async def test_another_controllers_pod_is_left_alone() -> None:
    """Of two ReplicaSets with one selector, each counts its own pods only."""
    async with running_world() as world:
        await world.api.create("replicasets.apps", replica_set("one", replicas=2), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 2)
        other = replica_set("one", replicas=2)
        other["metadata"]["name"] = "two"
        await world.api.create("replicasets.apps", other, NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 4)
        await world.settled()
        assert len(world.seen("pods")) == 4


async def test_a_refusal_is_told_in_a_condition() -> None:
    """A template that the API server refuses gives ReplicaFailure and an Event, and not a flood of tries."""
    async with running_world() as world:
        broken = replica_set(replicas=50)
        broken["spec"]["template"]["spec"]["serviceAccountName"] = "nobody"
        await world.api.create("replicasets.apps", broken, NAMESPACE)

        def failed() -> bool:
            conditions = world.one("replicasets.apps", "web")["status"].get("conditions") or []
            return any(entry["type"] == "ReplicaFailure" and entry["reason"] == "FailedCreate" for entry in conditions)

        await world.until(failed)
        await world.until(lambda: any(e["reason"] == "FailedCreate" for e in world.seen("events")))
        await world.api.create("serviceaccounts", {"metadata": {"name": "nobody"}}, NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 50)
        await world.until(lambda: not failed())


async def test_min_ready_seconds_delay_availability() -> None:
    """A pod is available only after it has been Ready for `minReadySeconds`."""
    async with running_world() as world:
        await world.api.create("replicasets.apps", replica_set(replicas=1, minReadySeconds=30), NAMESPACE)
        await world.until(lambda: world.one("replicasets.apps", "web")["status"].get("readyReplicas") == 1)
        assert "availableReplicas" not in world.one("replicasets.apps", "web")["status"]
        began = world.now()
        await world.until(lambda: world.one("replicasets.apps", "web")["status"].get("availableReplicas") == 1)
        assert 28 <= (world.now() - began).total_seconds() <= 33


async def test_a_terminating_replica_set_makes_no_pods() -> None:
    """An owner on its way out replaces nothing."""
    async with running_world() as world:
        await world.api.create("replicasets.apps", replica_set(replicas=2), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 2)
        await world.api.delete("replicasets.apps", "web", NAMESPACE, propagation_policy="Foreground")
        await world.until(lambda: not world.seen("replicasets.apps"))
        assert not [item for item in world.seen("pods") if not is_leaving(item)]
        assert len(created_pods(world)) == 2


async def test_a_replication_controller_is_kept_in_the_same_way() -> None:
    """The older kind selects by a plain map of labels; its status has no terminatingReplicas."""
    async with running_world() as world:
        made = replica_set(replicas=2)
        made["spec"]["selector"] = {"app": "web"}
        await world.api.create("replicationcontrollers", made, NAMESPACE)
        await world.until(lambda: world.one("replicationcontrollers", "web")["status"].get("readyReplicas") == 2)
        owner = world.seen("pods")[0]["metadata"]["ownerReferences"][0]
        assert (owner["apiVersion"], owner["kind"]) == ("v1", "ReplicationController")
        await world.api.delete("pods", world.seen("pods")[0]["metadata"]["name"], NAMESPACE)
        await world.until(lambda: len(created_pods(world)) == 3 and len(world.ready_pods()) == 2)
        assert "terminatingReplicas" not in world.one("replicationcontrollers", "web")["status"]
        await world.api.delete("replicationcontrollers", "web", NAMESPACE, propagation_policy="Background")
        await world.until(lambda: not world.seen("pods"))
