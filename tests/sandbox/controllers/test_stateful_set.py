"""StatefulSets: pods with names of their own, one after the other."""

from typing import Any

import pytest

from seatrial.sandbox.api import Object
from tests.sandbox.controllers.world import NAMESPACE, World, is_leaving, pod, running_world, stateful_set

pytestmark = pytest.mark.looptime
SETS = "statefulsets.apps"


def names(world: World, kind: str, resource: str = "pods") -> list[str]:
    """The names in the events of that kind, in order."""
    return [item["metadata"]["name"] for event, of, item in world.history if (event, of) == (kind, resource)]


def status(world: World, name: str = "db") -> Object:
    """The set's status."""
    found: Object = world.one(SETS, name)["status"]
    return found


def ready_names(world: World) -> set[str]:
    """The names of the pods that are ready."""
    return {each["metadata"]["name"] for each in world.ready_pods()}


async def ready(world: World, count: int, **labels: str) -> None:
    """Wait until that many pods are ready, the status says so, and no others are there."""
    await world.until(
        lambda: (
            len(world.ready_pods(**labels)) == count == len(world.seen("pods"))
            and status(world).get("readyReplicas", 0) == count
            and status(world)["observedGeneration"] == world.one(SETS, "db")["metadata"]["generation"]
        )
    )


async def update(world: World, **spec: Any) -> None:
    """Patch the set's spec."""
    await world.api.patch(SETS, "db", NAMESPACE, {"spec": spec})


def image(name: str) -> Object:
    """A template's change to another image."""
    return {"spec": {"containers": [{"name": "c", "image": name}]}}


async def test_pods_are_made_in_order_each_when_the_one_before_is_ready() -> None:
    """db-0, db-1, db-2: no pod is created while one before it isn't ready."""
    async with running_world() as world:
        world.broken_images.add("slow")
        await world.api.create(SETS, stateful_set(image="slow"), NAMESPACE)
        await world.settled()
        assert names(world, "ADDED") == ["db-0"]
        world.broken_images.clear()
        await world.api.patch("pods", "db-0", NAMESPACE, {"metadata": {"annotations": {"look": "again"}}})
        await ready(world, 3)
        assert names(world, "ADDED") == ["db-0", "db-1", "db-2"]


async def test_a_pod_has_the_identity_of_its_number() -> None:
    """Labels, host name and subdomain tell which pod it is."""
    async with running_world() as world:
        await world.api.create(SETS, stateful_set(replicas=1, ordinals={"start": 5}), NAMESPACE)
        await ready(world, 1)
        made = world.one("pods", "db-5")
        labels = made["metadata"]["labels"]
        assert labels["statefulset.kubernetes.io/pod-name"] == "db-5"
        assert labels["apps.kubernetes.io/pod-index"] == "5"
        assert labels["controller-revision-hash"] == status(world)["currentRevision"]
        assert (made["spec"]["hostname"], made["spec"]["subdomain"]) == ("db-5", "db")


async def test_the_status_counts_and_names_revisions() -> None:
    """At rest all pods are of one revision."""
    async with running_world() as world:
        await world.api.create(SETS, stateful_set(replicas=2), NAMESPACE)
        await ready(world, 2)
        await world.settled()
        revision = world.seen("controllerrevisions.apps")[0]
        name = revision["metadata"]["name"]
        assert revision["data"]["spec"]["template"]["$patch"] == "replace"
        assert status(world) == {
            "observedGeneration": 1,
            "replicas": 2,
            "readyReplicas": 2,
            "currentReplicas": 2,
            "updatedReplicas": 2,
            "availableReplicas": 2,
            "currentRevision": name,
            "updateRevision": name,
            "collisionCount": 0,
        }


async def test_a_deleted_pod_comes_back_under_its_name_when_it_is_gone() -> None:
    """The name is free only after the old pod has ended: two of one name never run."""
    async with running_world() as world:
        await world.api.create(SETS, stateful_set(), NAMESPACE)
        await ready(world, 3)
        world.slow_to_end_seconds = 10
        old = world.one("pods", "db-1")["metadata"]["uid"]
        await world.api.delete("pods", "db-1", NAMESPACE)
        await world.until(lambda: old not in {each["metadata"]["uid"] for each in world.seen("pods")})
        await ready(world, 3)
        assert names(world, "ADDED").count("db-1") == 2


async def test_a_finished_pod_is_made_anew() -> None:
    """A pod that failed or succeeded is deleted and comes back."""
    async with running_world() as world:
        await world.api.create(SETS, stateful_set(replicas=1), NAMESPACE)
        await ready(world, 1)
        uid = world.one("pods", "db-0")["metadata"]["uid"]
        await world.api.patch("pods", "db-0", NAMESPACE, {"status": {"phase": "Failed"}}, subresource="status")
        await world.until(lambda: world.one("pods", "db-0")["metadata"]["uid"] != uid)
        await ready(world, 1)


async def test_a_pod_on_a_silent_node_is_not_replaced_until_it_is_gone() -> None:
    """Without its kubelet's word nobody knows that a pod has ended; forcing its deletion says so."""
    async with running_world(nodes=1) as world:
        await world.api.create(SETS, stateful_set(replicas=1), NAMESPACE)
        await ready(world, 1)
        world.dead_nodes.add("node1")
        await world.api.delete("pods", "db-0", NAMESPACE)
        await world.settled()
        assert [is_leaving(each) for each in world.seen("pods")] == [True]
        await world.api.delete("pods", "db-0", NAMESPACE, grace_period_seconds=0)
        await world.until(lambda: [is_leaving(each) for each in world.seen("pods")] == [False])


async def test_scaling_down_takes_the_highest_number_first_one_at_a_time() -> None:
    """db-3 is gone before db-2 begins to end."""
    async with running_world() as world:
        await world.api.create(SETS, stateful_set(replicas=4), NAMESPACE)
        await ready(world, 4)
        world.slow_to_end_seconds = 5
        await update(world, replicas=1)
        await ready(world, 1)
        leaving = [
            (kind, item["metadata"]["name"])
            for kind, resource, item in world.history
            if resource == "pods" and is_leaving(item)
        ]
        first_of_two = leaving.index(("MODIFIED", "db-2"))
        assert ("DELETED", "db-3") in leaving[:first_of_two]
        assert ready_names(world) == {"db-0"}


async def test_a_parallel_set_doesnt_wait() -> None:
    """All pods are created and deleted at once."""
    async with running_world() as world:
        world.broken_images.add("broken")
        await world.api.create(
            SETS, stateful_set(replicas=5, image="broken", podManagementPolicy="Parallel"), NAMESPACE
        )
        await world.until(lambda: len(world.seen("pods")) == 5)
        await update(world, replicas=0)
        await world.until(lambda: not world.seen("pods"))


async def test_a_rolling_update_goes_from_the_highest_number_down() -> None:
    """Each pod is replaced when those after it are ready; then the new revision is the current one."""
    async with running_world() as world:
        await world.api.create(SETS, stateful_set(), NAMESPACE)
        await ready(world, 3)
        before = status(world)["currentRevision"]
        world.history.clear()
        await update(world, template=image("nginx:1.26"))
        await world.until(lambda: status(world)["currentRevision"] != before)
        assert names(world, "DELETED") == ["db-2", "db-1", "db-0"]
        assert names(world, "ADDED") == ["db-2", "db-1", "db-0"]
        await world.settled()
        assert status(world)["updatedReplicas"] == status(world)["currentReplicas"] == 3


async def test_a_partition_holds_an_update_back() -> None:
    """Pods below the partition keep the old template, also when they are made anew."""
    async with running_world() as world:
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
        await world.api.create(SETS, stateful_set(updateStrategy=rolling), NAMESPACE)
        await ready(world, 3)
        await update(world, template=image("nginx:1.26"))
        await world.until(lambda: status(world).get("updatedReplicas") == 1)
        await ready(world, 3)
        await world.api.delete("pods", "db-0", NAMESPACE)
        await world.until(lambda: names(world, "ADDED").count("db-0") == 2)
        await ready(world, 3)
        images = [world.one("pods", f"db-{number}")["spec"]["containers"][0]["image"] for number in range(3)]
        assert images == ["nginx:1.25", "nginx:1.25", "nginx:1.26"]
        assert status(world)["currentRevision"] != status(world)["updateRevision"]


async def test_max_unavailable_lets_several_pods_be_updated_at_once() -> None:
    """With maxUnavailable 2 two pods end together."""
    async with running_world() as world:
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}
        await world.api.create(
            SETS, stateful_set(replicas=4, updateStrategy=rolling, podManagementPolicy="Parallel"), NAMESPACE
        )
        await ready(world, 4)
        world.slow_to_end_seconds = 5
        world.history.clear()
        before = status(world)["currentRevision"]
        await update(world, template=image("nginx:1.26"))
        await world.until(lambda: status(world)["currentRevision"] != before)
        leaving: set[str] = set()
        most = 0
        for kind, resource, item in world.history:
            if resource == "pods":
                change = leaving.add if kind == "MODIFIED" and is_leaving(item) else leaving.discard
                change(item["metadata"]["uid"])
                most = max(most, len(leaving))
        assert most == 2


async def test_on_delete_updates_only_what_somebody_deletes() -> None:
    """A new template is used for the next pod that has to be made."""
    async with running_world() as world:
        await world.api.create(SETS, stateful_set(updateStrategy={"type": "OnDelete"}), NAMESPACE)
        await ready(world, 3)
        await update(world, template=image("nginx:1.26"))
        await world.settled()
        assert len(names(world, "ADDED")) == 3
        await world.api.delete("pods", "db-1", NAMESPACE)
        await world.until(lambda: len(names(world, "ADDED")) == 4)
        await ready(world, 3)
        assert world.one("pods", "db-1")["spec"]["containers"][0]["image"] == "nginx:1.26"
        assert status(world)["updatedReplicas"] == 1


async def test_going_back_raises_the_old_revision() -> None:
    """A rollback makes no third revision: the first one gets the highest number."""
    async with running_world() as world:
        await world.api.create(SETS, stateful_set(replicas=1), NAMESPACE)
        await ready(world, 1)
        first = status(world)["updateRevision"]
        await update(world, template=image("nginx:1.26"))
        await world.until(lambda: status(world)["currentRevision"] != first)
        await update(world, template=image("nginx:1.25"))
        await world.until(lambda: status(world)["currentRevision"] == first)
        numbers = {each["metadata"]["name"]: each["revision"] for each in world.seen("controllerrevisions.apps")}
        assert len(numbers) == 2
        assert numbers[first] == 3


async def test_old_revisions_are_forgotten_beyond_the_limit() -> None:
    """`revisionHistoryLimit` revisions are kept besides those that are in use."""
    async with running_world() as world:
        await world.api.create(SETS, stateful_set(replicas=1, revisionHistoryLimit=1), NAMESPACE)
        for number in range(26, 30):
            await ready(world, 1)
            before = status(world)["updateRevision"]
            await update(world, template=image(f"nginx:1.{number}"))
            await world.until(lambda before=before: status(world)["updateRevision"] != before)
            await world.until(lambda: status(world)["updateRevision"] == status(world)["currentRevision"])
        await world.until(lambda: len(world.seen("controllerrevisions.apps")) == 2)


async def test_min_ready_seconds_hold_the_next_pod_back() -> None:
    """A pod counts for those after it when it has been ready for `minReadySeconds`."""
    async with running_world() as world:
        await world.api.create(SETS, stateful_set(replicas=2, minReadySeconds=30), NAMESPACE)
        began = world.now()
        await world.until(lambda: "db-1" in names(world, "ADDED"))
        assert (world.now() - began).total_seconds() >= 28
        await world.until(lambda: status(world).get("availableReplicas") == 2)


CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


async def test_each_pod_has_a_claim_of_its_own_that_outlives_it() -> None:
    """The claim data-db-0 is made with db-0, mounted by it, and kept when the set goes."""
    async with running_world() as world:
        made = stateful_set(replicas=2, volumeClaimTemplates=[CLAIM])
        await world.api.create(SETS, made, NAMESPACE)
        await world.until(lambda: len(world.seen("persistentvolumeclaims")) >= 1 and world.one("pods", "db-0"))
        volumes = world.one("pods", "db-0")["spec"]["volumes"]
        assert volumes[0] == {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}
        claim = world.one("persistentvolumeclaims", "data-db-0")
        assert claim["metadata"]["labels"] == {"app": "db"}
        await world.api.delete(SETS, "db", NAMESPACE, propagation_policy="Background")
        await world.until(lambda: not world.seen(SETS))
        await world.settled()
        assert world.one("persistentvolumeclaims", "data-db-0")


async def test_claims_are_owned_by_the_set_where_the_policy_says_delete() -> None:
    """With whenDeleted: Delete the claims go with the set."""
    async with running_world() as world:
        policy = {"whenDeleted": "Delete", "whenScaled": "Retain"}
        made = stateful_set(replicas=1, volumeClaimTemplates=[CLAIM], persistentVolumeClaimRetentionPolicy=policy)
        await world.api.create(SETS, made, NAMESPACE)
        await world.until(lambda: world.one("persistentvolumeclaims", "data-db-0")["metadata"].get("ownerReferences"))
        owner = world.one("persistentvolumeclaims", "data-db-0")["metadata"]["ownerReferences"][0]
        assert (owner["kind"], owner["name"]) == ("StatefulSet", "db")


async def test_an_orphan_with_a_fitting_name_is_adopted_and_given_its_labels() -> None:
    """A pod of the set's name and labels becomes its pod of that number."""
    async with running_world() as world:
        await world.api.create("pods", pod("db-0", labels={"app": "db"}), NAMESPACE)
        await world.api.create("pods", pod("other", labels={"app": "db"}), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 2)
        await world.api.create(SETS, stateful_set(replicas=1), NAMESPACE)
        await world.until(lambda: world.one("pods", "db-0")["metadata"].get("ownerReferences"))
        await world.until(
            lambda: world.one("pods", "db-0")["metadata"]["labels"].get("apps.kubernetes.io/pod-index") == "0"
        )
        assert "ownerReferences" not in world.one("pods", "other")["metadata"]


async def test_events_tell_each_step() -> None:
    """`Create Pod db-0 in StatefulSet db successful`, and the same for deletions."""
    async with running_world() as world:
        await world.api.create(SETS, stateful_set(replicas=1), NAMESPACE)
        await ready(world, 1)
        await update(world, replicas=0)
        await world.until(lambda: len(world.seen("events")) and not world.seen("pods"))
        await world.settled()
        told = {(each["reason"], each["message"]) for each in world.seen("events")}
        assert ("SuccessfulCreate", "Create Pod db-0 in StatefulSet db successful") in told
        assert ("SuccessfulDelete", "Delete Pod db-0 in StatefulSet db successful") in told


async def test_two_hundred_pods_come_up_without_trouble() -> None:
    """A large set costs in proportion to its size."""
    async with running_world(nodes=10) as world:
        await world.api.create(SETS, stateful_set(replicas=200), NAMESPACE)
        await ready(world, 200)
        assert len(names(world, "ADDED")) == 200
