"""Deployments: rollouts, their order and limits, as recorded from a real cluster and as documented."""

import pytest

from seatrial.sandbox.api import Object
from tests.sandbox.controllers.world import (
    NAMESPACE,
    World,
    deployment,
    is_leaving,
    is_ready,
    replica_set,
    running_world,
)

pytestmark = pytest.mark.looptime
REVISION = "deployment.kubernetes.io/revision"


def progressing(world: World, name: str = "web") -> Object:
    """The Progressing condition."""
    return condition(world, "Progressing", name)


def condition(world: World, kind: str, name: str = "web") -> Object:
    """A condition of the Deployment, empty where there is none."""
    conditions = world.one("deployments.apps", name).get("status", {}).get("conditions") or []
    return next((dict(entry) for entry in conditions if entry["type"] == kind), {})


def status(world: World) -> Object:
    """The Deployment's status without conditions."""
    found = world.one("deployments.apps", "web").get("status", {})
    return {field: value for field, value in found.items() if field != "conditions"}


def by_image(world: World) -> dict[str, Object]:
    """The ReplicaSets by the image of their pods."""
    return {item["spec"]["template"]["spec"]["containers"][0]["image"]: item for item in world.seen("replicasets.apps")}


async def roll_out(world: World, body: Object) -> None:
    """Create a Deployment and wait until it is complete."""
    await world.api.create("deployments.apps", body, NAMESPACE)
    await world.until(lambda: progressing(world).get("reason") == "NewReplicaSetAvailable")


async def set_image(world: World, image: str) -> None:
    """Change the template."""
    containers = [{"name": "c", "image": image}]
    await world.api.patch(
        "deployments.apps", "web", NAMESPACE, {"spec": {"template": {"spec": {"containers": containers}}}}
    )


def conditions_in_order(world: World) -> list[tuple[str, str, str]]:
    """Each (type, status, reason) the Deployment's conditions took on, in order."""
    found: list[tuple[str, str, str]] = []
    known: dict[str, tuple[str, str, str]] = {}
    for _, resource, item in world.history:
        if resource != "deployments.apps":
            continue
        for entry in item.get("status", {}).get("conditions") or []:
            now = (entry["type"], entry["status"], entry["reason"])
            if known.get(entry["type"]) != now:
                known[entry["type"]] = now
                found.append(now)
    return found


async def test_a_deployment_makes_a_replica_set_and_reports_its_progress() -> None:
    """Name, hash, revision and size annotations, and the conditions in the recorded order."""
    async with running_world() as world:
        await roll_out(world, deployment(replicas=3))
        made = world.seen("replicasets.apps")[0]
        hashed = made["metadata"]["labels"]["pod-template-hash"]
        assert made["metadata"]["name"] == f"web-{hashed}"
        assert made["metadata"]["annotations"] == {
            "deployment.kubernetes.io/desired-replicas": "3",
            "deployment.kubernetes.io/max-replicas": "4",
            REVISION: "1",
        }
        assert made["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": hashed}
        assert world.one("deployments.apps", "web")["metadata"]["annotations"] == {REVISION: "1"}
        assert status(world) == {
            "observedGeneration": 1,
            "replicas": 3,
            "updatedReplicas": 3,
            "readyReplicas": 3,
            "availableReplicas": 3,
            "terminatingReplicas": 0,
        }
        order = conditions_in_order(world)
        assert order[0] == ("Progressing", "True", "NewReplicaSetCreated")
        assert order[1] == ("Available", "False", "MinimumReplicasUnavailable")
        assert ("Progressing", "True", "ReplicaSetUpdated") in order
        assert set(order[-2:]) == {
            ("Available", "True", "MinimumReplicasAvailable"),
            ("Progressing", "True", "NewReplicaSetAvailable"),
        }
        message = f"Scaled up replica set web-{hashed} from 0 to 3"
        await world.until(lambda: message in [event["message"] for event in world.seen("events")])


async def test_a_rolling_update_keeps_within_surge_and_availability() -> None:
    """25 %/25 % of four: at most five pods counted, at least three available, at any moment."""
    async with running_world() as world:
        await roll_out(world, deployment(replicas=4))
        await world.settled()
        sizes = {world.seen("replicasets.apps")[0]["metadata"]["name"]: 4}
        ready = {item["metadata"]["name"]: True for item in world.seen("pods")}
        begin = len(world.history)
        await set_image(world, "nginx:1.26")
        await world.until(lambda: progressing(world)["reason"] != "NewReplicaSetAvailable")
        await world.until(lambda: progressing(world)["reason"] == "NewReplicaSetAvailable")
        await world.until(lambda: len(world.seen("pods")) == 4)
        for _, resource, item in world.history[begin:]:
            if resource == "replicasets.apps":
                sizes[item["metadata"]["name"]] = item["spec"]["replicas"]
                assert sum(sizes.values()) <= 5
            if resource == "pods":
                ready[item["metadata"]["name"]] = is_ready(item) and not is_leaving(item)
                assert sum(ready.values()) >= 3
        assert sorted(sizes.values()) == [0, 4]
        assert condition(world, "Available")["status"] == "True"
        assert world.one("deployments.apps", "web")["metadata"]["annotations"][REVISION] == "2"


async def test_the_old_template_finds_its_old_replica_set() -> None:
    """Rolling back makes no third ReplicaSet; the first becomes revision 3 and remembers that it was 1."""
    async with running_world() as world:
        await roll_out(world, deployment(replicas=2))
        await set_image(world, "nginx:1.26")
        await world.until(
            lambda: status(world).get("updatedReplicas") == 2 and len(world.seen("replicasets.apps")) == 2
        )
        await world.until(lambda: by_image(world)["nginx:1.25"]["spec"]["replicas"] == 0)
        await set_image(world, "nginx:1.25")
        await world.until(lambda: by_image(world)["nginx:1.26"]["spec"]["replicas"] == 0)
        annotations = by_image(world)["nginx:1.25"]["metadata"]["annotations"]
        assert annotations[REVISION] == "3"
        assert annotations["deployment.kubernetes.io/revision-history"] == "1"
        assert len(world.seen("replicasets.apps")) == 2


async def test_a_stuck_rollout_passes_its_deadline_and_can_be_taken_back() -> None:
    """An image that can't be had: three of four stay available, ProgressDeadlineExceeded after 10 s, then back."""
    async with running_world() as world:
        world.broken_images.add("nginx:nosuchtag")
        await roll_out(world, deployment(replicas=4, progressDeadlineSeconds=10))
        began = world.now()
        await set_image(world, "nginx:nosuchtag")
        await world.until(lambda: progressing(world)["reason"] == "ProgressDeadlineExceeded")
        assert 9 <= (world.now() - began).total_seconds() <= 13
        assert progressing(world)["status"] == "False"
        assert progressing(world)["message"].endswith("has timed out progressing.")
        sizes = {image: item["spec"]["replicas"] for image, item in by_image(world).items()}
        assert sizes == {"nginx:1.25": 3, "nginx:nosuchtag": 2}
        await set_image(world, "nginx:1.25")
        await world.until(lambda: progressing(world)["reason"] == "NewReplicaSetAvailable")
        await world.until(lambda: status(world).get("availableReplicas") == 4)
        assert by_image(world)["nginx:nosuchtag"]["spec"]["replicas"] == 0


async def test_recreate_waits_for_the_last_old_pod() -> None:
    """With strategy Recreate no pod of the new template exists while one of the old still ends."""
    async with running_world() as world:
        world.slow_to_end_seconds = 5
        await roll_out(world, deployment(replicas=3, strategy={"type": "Recreate"}))
        await set_image(world, "nginx:1.26")
        alive: dict[str, str] = {}
        await world.until(lambda: len(world.ready_pods()) == 3 and len(world.seen("replicasets.apps")) == 2)
        for kind, resource, item in world.history:
            if resource != "pods":
                continue
            if kind == "DELETED" or item["status"].get("phase") == "Succeeded":
                alive.pop(item["metadata"]["name"], None)
            else:
                alive[item["metadata"]["name"]] = item["spec"]["containers"][0]["image"]
            assert len(set(alive.values())) <= 1


async def test_scaling_follows_without_a_new_revision() -> None:
    """`spec.replicas` changes the ReplicaSet's size and its annotations, nothing else."""
    async with running_world() as world:
        await roll_out(world, deployment(replicas=2))
        await world.api.patch("deployments.apps", "web", NAMESPACE, {"spec": {"replicas": 5}})
        await world.until(lambda: status(world).get("availableReplicas") == 5)
        annotations = world.seen("replicasets.apps")[0]["metadata"]["annotations"]
        assert annotations["deployment.kubernetes.io/desired-replicas"] == "5"
        assert annotations["deployment.kubernetes.io/max-replicas"] == "7"
        assert annotations[REVISION] == "1"
        await world.api.patch("deployments.apps", "web", NAMESPACE, {"spec": {"replicas": 0}})
        await world.until(lambda: not world.seen("pods"))
        await world.until(lambda: "replicas" not in status(world))


async def test_a_paused_deployment_rolls_nothing_out() -> None:
    """While paused, a change of template waits; scaling still works; resuming goes on."""
    async with running_world() as world:
        await roll_out(world, deployment(replicas=2))
        await world.api.patch("deployments.apps", "web", NAMESPACE, {"spec": {"paused": True}})
        await world.until(lambda: progressing(world)["reason"] == "DeploymentPaused")
        await set_image(world, "nginx:1.26")
        await world.api.patch("deployments.apps", "web", NAMESPACE, {"spec": {"replicas": 3}})
        await world.until(lambda: len(world.ready_pods()) == 3)
        await world.settled()
        assert len(world.seen("replicasets.apps")) == 1
        await world.api.patch("deployments.apps", "web", NAMESPACE, {"spec": {"paused": False}})
        await world.until(lambda: progressing(world)["reason"] == "NewReplicaSetAvailable")
        assert by_image(world)["nginx:1.26"]["spec"]["replicas"] == 3


async def test_old_replica_sets_beyond_the_history_limit_go() -> None:
    """`revisionHistoryLimit: 1` keeps the newest and one old ReplicaSet."""
    async with running_world() as world:
        await roll_out(world, deployment(replicas=1, revisionHistoryLimit=1))
        for number in range(3):
            await set_image(world, f"nginx:2.{number}")
            await world.until(lambda: progressing(world)["reason"] == "NewReplicaSetAvailable")
            await world.until(lambda: len(world.ready_pods()) == len(world.seen("pods")) == 1)
            await world.settled()
        assert sorted(by_image(world)) == ["nginx:2.1", "nginx:2.2"]


async def test_losing_a_pod_is_no_rollout() -> None:
    """A killed pod makes the Deployment unavailable for a while and leaves Progressing alone."""
    async with running_world() as world:
        await roll_out(world, deployment(replicas=1))
        await world.settled()
        before = progressing(world)
        await world.api.delete("pods", world.seen("pods")[0]["metadata"]["name"], NAMESPACE, grace_period_seconds=0)
        await world.until(lambda: condition(world, "Available")["status"] == "False")
        await world.until(lambda: condition(world, "Available")["status"] == "True")
        assert progressing(world) == before


async def test_an_orphaned_replica_set_is_adopted() -> None:
    """A ReplicaSet with the Deployment's template that nobody owns becomes its newest."""
    async with running_world() as world:
        lonely = replica_set("web", replicas=2)
        lonely["metadata"]["labels"] = {"app": "web"}
        await world.api.create("replicasets.apps", lonely, NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 2)
        await world.api.create("deployments.apps", deployment("web", replicas=2), NAMESPACE)
        await world.until(lambda: progressing(world).get("reason") == "NewReplicaSetAvailable")
        assert [item["metadata"]["name"] for item in world.seen("replicasets.apps")] == ["web"]
        assert world.seen("replicasets.apps")[0]["metadata"]["ownerReferences"][0]["kind"] == "Deployment"
