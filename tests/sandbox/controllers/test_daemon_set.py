"""DaemonSets: one pod on each node that should have one."""

from dataclasses import replace
from typing import Any

import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.daemon_set import FailureBackoff
from seatrial.sandbox.timing import SANDBOX
from tests.sandbox.controllers.world import NAMESPACE, World, daemon_set, is_leaving, running_world

pytestmark = pytest.mark.looptime
SETS = "daemonsets.apps"


def status(world: World) -> Object:
    """The set's status."""
    found: Object = world.one(SETS, "agent")["status"]
    return found


def nodes(world: World) -> list[str]:
    """The nodes with a ready pod, one entry a pod."""
    return sorted(each["spec"]["nodeName"] for each in world.ready_pods(app="agent"))


async def on(world: World, *names: str) -> None:
    """Wait until exactly these nodes have a pod and the status says so."""
    await world.until(
        lambda: (
            nodes(world) == sorted(names)
            and len(world.seen("pods")) == len(names)
            and status(world).get("numberReady") == len(names)
            and status(world).get("observedGeneration") == world.one(SETS, "agent")["metadata"]["generation"]
        )
    )


async def update(world: World, **spec: Any) -> None:
    """Patch the set's spec."""
    await world.api.patch(SETS, "agent", NAMESPACE, {"spec": spec})


def template(**spec: Any) -> Object:
    """A template's change."""
    return {"spec": spec}


def image(name: str) -> Object:
    """A template's change to another image."""
    return template(containers=[{"name": "c", "image": name}])


async def test_each_node_has_a_pod() -> None:
    """As many pods as nodes, each bound to its own by an affinity to the node's name."""
    async with running_world() as world:
        await world.api.create(SETS, daemon_set(), NAMESPACE)
        await on(world, "node1", "node2", "node3")
        made = world.seen("pods")[0]
        terms = made["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        field = {"key": "metadata.name", "operator": "In", "values": [made["spec"]["nodeName"]]}
        assert terms == {"nodeSelectorTerms": [{"matchFields": [field]}]}
        assert made["metadata"]["labels"]["pod-template-generation"] == "1"
        tolerated = {(each["key"], each["effect"]) for each in made["spec"]["tolerations"]}
        assert ("node.kubernetes.io/unschedulable", "NoSchedule") in tolerated
        assert ("node.kubernetes.io/not-ready", "NoExecute") in tolerated
        assert all("tolerationSeconds" not in each for each in made["spec"]["tolerations"])


async def test_the_status_counts_nodes() -> None:
    """Numbers of nodes, not of pods; those that are zero are left out where the API leaves them out."""
    async with running_world() as world:
        await world.api.create(SETS, daemon_set(), NAMESPACE)
        await on(world, "node1", "node2", "node3")
        await world.settled()
        assert status(world) == {
            "currentNumberScheduled": 3,
            "numberMisscheduled": 0,
            "desiredNumberScheduled": 3,
            "numberReady": 3,
            "updatedNumberScheduled": 3,
            "numberAvailable": 3,
            "observedGeneration": 1,
        }


async def test_a_node_that_joins_gets_its_pod() -> None:
    """The pod is created when the node is."""
    async with running_world(nodes=1) as world:
        await world.api.create(SETS, daemon_set(), NAMESPACE)
        await on(world, "node1")
        await world.add_node("node9")
        await on(world, "node1", "node9")


async def test_labels_of_nodes_decide() -> None:
    """A node selector is followed when labels come and go."""
    async with running_world() as world:
        await world.api.create(SETS, daemon_set(), NAMESPACE)
        await on(world, "node1", "node2", "node3")
        await update(world, template=template(nodeSelector={"disk": "fast"}))
        await on(world)
        await world.api.patch("nodes", "node2", None, {"metadata": {"labels": {"disk": "fast"}}})
        await on(world, "node2")
        await world.api.patch("nodes", "node2", None, {"metadata": {"labels": {"disk": None}}})
        await on(world)


async def test_node_affinity_of_the_template_is_heeded() -> None:
    """The template's own required affinity says which nodes; the pods then carry the node's name alone."""
    async with running_world() as world:
        term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "NotIn", "values": ["node1"]}]}
        affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
        made = daemon_set()
        made["spec"]["template"]["spec"]["affinity"] = affinity
        await world.api.create(SETS, made, NAMESPACE)
        await on(world, "node2", "node3")


async def test_a_cordoned_node_keeps_and_gets_its_pod() -> None:
    """Daemons are started also where nothing else is."""
    async with running_world(nodes=1) as world:
        await world.api.patch("nodes", "node1", None, {"spec": {"unschedulable": True}})
        await world.api.create(SETS, daemon_set(), NAMESPACE)
        await on(world, "node1")


async def test_a_taint_that_isnt_tolerated_keeps_new_pods_away_and_leaves_old_ones() -> None:
    """NoSchedule stops pods from being started; NoExecute ends those that run."""
    async with running_world(nodes=2) as world:
        await world.api.create(SETS, daemon_set(), NAMESPACE)
        await on(world, "node1", "node2")
        await world.api.patch("nodes", "node1", None, {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}})
        await world.until(lambda: status(world)["numberMisscheduled"] == 1)
        assert nodes(world) == ["node1", "node2"]
        await world.api.patch("nodes", "node1", None, {"spec": {"taints": [{"key": "a", "effect": "NoExecute"}]}})
        await on(world, "node2")


async def test_a_deleted_pod_is_replaced_on_its_node_when_it_is_gone() -> None:
    """There is never a second one beside it."""
    async with running_world() as world:
        await world.api.create(SETS, daemon_set(), NAMESPACE)
        await on(world, "node1", "node2", "node3")
        world.slow_to_end_seconds = 10
        victim = next(each for each in world.seen("pods") if each["spec"]["nodeName"] == "node2")
        await world.api.delete("pods", victim["metadata"]["name"], NAMESPACE)
        await world.until(lambda: any(is_leaving(each) for each in world.seen("pods")))
        await world.settled()
        assert len(world.seen("pods")) == 3
        await on(world, "node1", "node2", "node3")


async def test_a_failed_pod_is_replaced_with_growing_pauses() -> None:
    """The first at once, the next after a pause that doubles; each is told as an event."""
    timing = replace(SANDBOX, daemon_backoff_base_seconds=10)
    async with running_world(nodes=1, timing=timing) as world:
        await world.api.create(SETS, daemon_set(), NAMESPACE)
        moments = []
        for _ in range(3):
            await on(world, "node1")
            name = world.seen("pods")[0]["metadata"]["name"]
            await world.api.patch("pods", name, NAMESPACE, {"status": {"phase": "Failed"}}, subresource="status")
            began = world.now()
            await world.until(lambda name=name: name not in {each["metadata"]["name"] for each in world.seen("pods")})
            moments.append((world.now() - began).total_seconds())
        assert moments[0] < 1
        assert 5 < moments[1] <= 11
        assert 15 < moments[2] <= 21
        told = [each for each in world.seen("events") if each["reason"] == "FailedDaemonPod"]
        assert len(told) == 3


async def test_a_rolling_update_replaces_one_node_at_a_time() -> None:
    """At most `maxUnavailable` nodes are without a ready pod; the template's generation counts up."""
    async with running_world() as world:
        await world.api.create(SETS, daemon_set(), NAMESPACE)
        await on(world, "node1", "node2", "node3")
        world.history.clear()
        await update(world, template=image("nginx:1.26"))
        await world.until(lambda: status(world)["observedGeneration"] == 2)
        await world.until(lambda: status(world).get("updatedNumberScheduled") == 3 and len(world.ready_pods()) == 3)
        least = min(item["status"]["numberReady"] for _, resource, item in world.history if resource == SETS)
        assert least == 2
        assert {each["metadata"]["labels"]["pod-template-generation"] for each in world.seen("pods")} == {"2"}
        assert len(world.seen("controllerrevisions.apps")) == 2


async def test_a_surge_starts_the_new_pod_beside_the_old_one() -> None:
    """With maxSurge no node is without a ready pod at any time."""
    async with running_world() as world:
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        await world.api.create(SETS, daemon_set(updateStrategy=rolling), NAMESPACE)
        await on(world, "node1", "node2", "node3")
        world.history.clear()
        await update(world, template=image("nginx:1.26"))
        await world.until(
            lambda: {each["spec"]["containers"][0]["image"] for each in world.seen("pods")} == {"nginx:1.26"}
        )
        await on(world, "node1", "node2", "node3")
        present = {"node1", "node2", "node3"}
        assert {each["spec"]["nodeName"] for each in world.ready_pods()} == present
        most = max(item["status"]["desiredNumberScheduled"] for _, resource, item in world.history if resource == SETS)
        assert most == 3


async def test_a_stuck_update_goes_no_further() -> None:
    """A template that never gets ready takes one node, and going back repairs it."""
    async with running_world() as world:
        world.broken_images.add("broken")
        await world.api.create(SETS, daemon_set(), NAMESPACE)
        await on(world, "node1", "node2", "node3")
        await update(world, template=image("broken"))
        await world.until(lambda: status(world).get("numberUnavailable") == 1)
        await world.settled()
        assert len(world.ready_pods()) == 2
        await update(world, template=image("nginx:1.25"))
        await on(world, "node1", "node2", "node3")


async def test_on_delete_leaves_old_pods_alone() -> None:
    """A new template is used for the next pod that has to be made."""
    async with running_world() as world:
        await world.api.create(SETS, daemon_set(updateStrategy={"type": "OnDelete"}), NAMESPACE)
        await on(world, "node1", "node2", "node3")
        await update(world, template=image("nginx:1.26"))
        await world.until(lambda: status(world)["observedGeneration"] == 2)
        await world.settled()
        assert "updatedNumberScheduled" not in status(world)
        await world.api.delete("pods", world.seen("pods")[0]["metadata"]["name"], NAMESPACE)
        await world.until(lambda: status(world).get("updatedNumberScheduled") == 1)


async def test_deleting_the_set_deletes_its_pods() -> None:
    """In the background the owner goes first, in the foreground last."""
    for policy in ("Background", "Foreground"):
        async with running_world() as world:
            await world.api.create(SETS, daemon_set(), NAMESPACE)
            await on(world, "node1", "node2", "node3")
            await world.api.delete(SETS, "agent", NAMESPACE, propagation_policy=policy)
            await world.until(lambda: not world.seen(SETS) and not world.seen("pods"))
            await world.until(lambda: not world.seen("controllerrevisions.apps"))


async def test_the_failures_of_a_daemon_set_that_is_gone_are_forgotten() -> None:
    """The pauses of others stay."""
    backoff = FailureBackoff(base_seconds=10, longest_seconds=100)
    first, second = ({"metadata": {"uid": uid}} for uid in ("first", "second"))
    for owner in ("gone", "other"):
        assert backoff.seconds_left(owner, "node1", first) == 0
        assert backoff.seconds_left(owner, "node1", second) > 0
    backoff.forget("gone")
    assert backoff.seconds_left("gone", "node1", second) == 0
    assert backoff.seconds_left("other", "node1", second) > 0
