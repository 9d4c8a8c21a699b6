"""Machines that fall silent: what is said, when pods are evicted, and how it is taken back."""

import asyncio
from dataclasses import replace

import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.timing import REALISTIC
from tests.sandbox.controllers.world import (
    NAMESPACE,
    World,
    deployment,
    is_leaving,
    is_ready,
    pod,
    running_world,
    service,
)

pytestmark = pytest.mark.looptime
UNREACHABLE = "node.kubernetes.io/unreachable"


def ready(world: World, node: str) -> Object:
    """A node's Ready condition."""
    conditions = world.one("nodes", node, None)["status"]["conditions"]
    return next(entry for entry in conditions if entry["type"] == "Ready")


def taints(world: World, node: str) -> list[tuple[str, str]]:
    """A node's taints: (key, effect)."""
    return [(taint["key"], taint["effect"]) for taint in world.one("nodes", node, None)["spec"].get("taints") or []]


def fast(name: str, *, seconds: int, **more: object) -> Object:
    """A Deployment whose pods stay on a silent node for so long."""
    body = deployment(name, **more)  # type: ignore[arg-type] # of deployment's own
    body["spec"]["template"]["spec"]["tolerations"] = [
        {"key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}
    ]
    return body


async def test_a_node_whose_heartbeats_stop_is_given_up() -> None:
    """After the grace period: conditions Unknown, then NoSchedule, then NoExecute, then its pods not Ready."""
    async with running_world(nodes=3, timing=replace(REALISTIC, node_monitor_grace_seconds=40)) as world:
        await world.api.create("services", service(), NAMESPACE)
        await world.api.create("deployments.apps", deployment(replicas=3), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 3)
        begin, began = len(world.history), world.now()
        world.dead_nodes.add("node3")
        await world.until(lambda: ready(world, "node3")["status"] == "Unknown")
        assert 30 <= (world.now() - began).total_seconds() <= 45
        assert ready(world, "node3")["reason"] == "NodeStatusUnknown"
        await world.until(lambda: taints(world, "node3") == [(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")])
        await world.until(lambda: len(world.ready_pods()) == 2)
        steps = [
            len((item["spec"]).get("taints") or [])
            for _, resource, item in world.history[begin:]
            if resource == "nodes" and item["metadata"]["name"] == "node3"
        ]
        assert steps == [0, 1, 2]
        lost = next(item for item in world.seen("pods") if item["spec"]["nodeName"] == "node3")
        assert lost["status"]["phase"] == "Running"
        assert not is_leaving(lost)
        await world.until(lambda: sum(e["reason"] == "NodeNotReady" for e in world.seen("events")) == 2)
        slice_of = world.seen("endpointslices.discovery.k8s.io", **{"kubernetes.io/service-name": "web"})[0]
        await world.until(
            lambda: (
                {
                    e["nodeName"]: e["conditions"]["ready"]
                    for e in world.one("endpointslices.discovery.k8s.io", slice_of["metadata"]["name"])["endpoints"]
                }["node3"]
                is False
            )
        )
        assert {ready(world, f"node{number}")["status"] for number in (1, 2)} == {"True"}


async def test_pods_are_evicted_when_their_toleration_ends() -> None:
    """20 s and 300 s after the taint; the replacements run elsewhere while the old pods hang in Terminating."""
    async with running_world(nodes=3, timing=replace(REALISTIC, node_monitor_grace_seconds=40)) as world:
        await world.api.create("deployments.apps", fast("fast", seconds=20, replicas=3), NAMESPACE)
        await world.api.create("deployments.apps", deployment("slow", replicas=3), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 6)
        world.dead_nodes.add("node3")
        await world.until(lambda: len(taints(world, "node3")) == 2 and len(world.ready_pods()) == 4)
        began = world.now()
        await world.until(lambda: len(world.ready_pods(app="fast")) == 3)
        assert 19 <= (world.now() - began).total_seconds() <= 22
        await world.until(lambda: len(world.ready_pods(app="slow")) == 3)
        assert 299 <= (world.now() - began).total_seconds() <= 302
        stuck = [item for item in world.seen("pods") if item["spec"]["nodeName"] == "node3"]
        assert len(stuck) == 2
        for item in stuck:
            assert is_leaving(item)
            target = next(entry for entry in item["status"]["conditions"] if entry["type"] == "DisruptionTarget")
            assert (target["status"], target["reason"]) == ("True", "DeletionByTaintManager")
        await world.until(lambda: sum(e["reason"] == "TaintManagerEviction" for e in world.seen("events")) == 2)


async def test_a_node_that_comes_back_is_used_again() -> None:
    """Its taints go, NoExecute when it was looked at again; a pod whose toleration had not ended stays."""
    async with running_world(nodes=2, timing=replace(REALISTIC, node_monitor_grace_seconds=40)) as world:
        await world.api.create("deployments.apps", deployment(replicas=2), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 2)
        before = {item["metadata"]["uid"] for item in world.seen("pods")}
        world.dead_nodes.add("node2")
        await world.until(lambda: len(taints(world, "node2")) == 2)
        await world.return_node("node2")
        began = world.now()
        await world.until(lambda: taints(world, "node2") == [(UNREACHABLE, "NoExecute")])
        assert (world.now() - began).total_seconds() < 1
        await world.until(lambda: taints(world, "node2") == [] and ready(world, "node2")["status"] == "True")
        assert 4 <= (world.now() - began).total_seconds() <= 6
        await world.until(lambda: any("Cancelling deletion" in event["message"] for event in world.seen("events")))
        await world.settled()
        assert {item["metadata"]["uid"] for item in world.seen("pods")} == before


async def test_a_node_that_falls_silent_again_keeps_its_taint() -> None:
    """The period of monitoring begins anew with each return."""
    async with running_world(nodes=1, timing=replace(REALISTIC, node_monitor_grace_seconds=40)) as world:
        gone = [(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")]
        world.dead_nodes.add("node1")
        await world.until(lambda: taints(world, "node1") == gone)
        await world.return_node("node1")
        await world.until(lambda: len(taints(world, "node1")) == 1)
        conditions = [{**ready(world, "node1"), "status": "Unknown"}]
        await world.api.patch("nodes", "node1", None, {"status": {"conditions": conditions}}, subresource="status")
        await world.until(lambda: sorted(taints(world, "node1")) == sorted(gone))
        await asyncio.sleep(6)
        assert sorted(taints(world, "node1")) == sorted(gone)
        began = world.now()
        await world.return_node("node1")
        await world.until(lambda: taints(world, "node1") == [])
        assert 4 <= (world.now() - began).total_seconds() <= 6


async def test_a_node_that_is_not_ready_is_tainted_so() -> None:
    """Ready False, as its own kubelet says, gives `not-ready`, not `unreachable`; a cordon gives `unschedulable`."""
    async with running_world(nodes=2) as world:
        conditions = [{**ready(world, "node1"), "status": "False", "reason": "KubeletNotReady"}]
        await world.api.patch("nodes", "node1", None, {"status": {"conditions": conditions}}, subresource="status")
        key = "node.kubernetes.io/not-ready"
        await world.until(lambda: taints(world, "node1") == [(key, "NoSchedule"), (key, "NoExecute")])
        await world.api.patch("nodes", "node2", None, {"spec": {"unschedulable": True}})
        await world.until(lambda: taints(world, "node2") == [("node.kubernetes.io/unschedulable", "NoSchedule")])
        await world.api.patch("nodes", "node2", None, {"spec": {"unschedulable": None}})
        await world.until(lambda: taints(world, "node2") == [])


async def test_others_taints_are_left_alone() -> None:
    """Only the controller's own taints come and go."""
    async with running_world(nodes=1, timing=replace(REALISTIC, node_monitor_grace_seconds=40)) as world:
        mine = {"key": "example.com/mine", "effect": "NoSchedule"}
        await world.api.patch("nodes", "node1", None, {"spec": {"taints": [mine]}})
        world.dead_nodes.add("node1")
        await world.until(lambda: len(taints(world, "node1")) == 3)
        await world.return_node("node1")
        await world.until(lambda: taints(world, "node1") == [("example.com/mine", "NoSchedule")])


async def test_pods_of_a_node_that_is_gone_are_removed() -> None:
    """After a quarantine, by force, with the reason in a condition; their owner replaces them."""
    async with running_world(nodes=2, timing=REALISTIC) as world:
        await world.api.create("deployments.apps", deployment(replicas=2), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 2)
        world.dead_nodes.add("node2")
        began = world.now()
        await world.api.delete("nodes", "node2")
        await world.until(lambda: {item["spec"].get("nodeName") for item in world.seen("pods")} == {"node1"})
        assert 39 <= (world.now() - began).total_seconds() <= 42
        reasons = [
            entry.get("reason")
            for _, resource, item in world.history
            if resource == "pods"
            for entry in item["status"].get("conditions") or []
        ]
        assert "DeletionByPodGC" in reasons
        ended = [item for kind, resource, item in world.history if (kind, resource) == ("DELETED", "pods")]
        assert {item["status"]["phase"] for item in ended} == {"Failed"}
        await world.until(lambda: len(world.ready_pods()) == 2)


async def test_a_node_that_registers_late_keeps_its_pods() -> None:
    """A pod bound before its node exists is given the quarantine."""
    async with running_world(nodes=1, timing=REALISTIC) as world:
        world.dead_nodes.add("late")
        await world.api.create("pods", pod("early", nodeName="late"), NAMESPACE)
        await world.until(lambda: world.one("pods", "early"))
        await world.settled()
        world.dead_nodes.discard("late")
        await world.add_node("late")
        await world.api.patch("pods", "early", NAMESPACE, {"metadata": {"labels": {"seen": "yes"}}})
        await world.until(lambda: is_ready(world.one("pods", "early")))
        await asyncio.sleep(60)  # turned forward: past the quarantine
        assert is_ready(world.one("pods", "early"))


async def test_pods_of_a_node_that_is_out_of_service_are_ended_by_force() -> None:
    """The taint evicts them at once; as the node isn't Ready, nothing waits for its kubelet, and a set goes on."""
    async with running_world(nodes=2, timing=REALISTIC) as world:
        await world.api.create("deployments.apps", deployment(replicas=2), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 2)
        world.dead_nodes.add("node2")
        await world.until(lambda: ready(world, "node2")["status"] == "Unknown")
        began = world.now()
        taint = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
        kept = world.one("nodes", "node2", None)["spec"].get("taints") or []
        await world.api.patch("nodes", "node2", None, {"spec": {"taints": [*kept, taint]}})
        await world.until(lambda: {item["spec"].get("nodeName") for item in world.seen("pods")} == {"node1"})
        assert (world.now() - began).total_seconds() < 60


async def test_a_ready_node_keeps_its_pods_whatever_it_is_said_to_be() -> None:
    """While the node is Ready, a pod that is being deleted there is left to its kubelet."""
    async with running_world(nodes=1, timing=REALISTIC) as world:
        world.slow_to_end_seconds = 30
        await world.api.create("pods", pod("slow"), NAMESPACE)
        await world.until(lambda: is_ready(world.one("pods", "slow")))
        taint = {"key": "node.kubernetes.io/out-of-service", "effect": "NoSchedule"}
        await world.api.patch("nodes", "node1", None, {"spec": {"taints": [taint]}})
        began = world.now()
        await world.api.delete("pods", "slow", NAMESPACE)
        await world.until(lambda: not world.seen("pods"))
        assert (world.now() - began).total_seconds() >= 30


async def test_a_node_that_is_removed_is_told() -> None:
    """An event says so, as one said that it was registered."""
    async with running_world(nodes=1) as world:
        await world.api.delete("nodes", "node1")
        await world.until(lambda: any(item["reason"] == "RemovingNode" for item in world.seen("events")))


def told(world: World, name: str) -> list[str]:
    """What the taint eviction controller has told of a pod, by the first word."""
    events = [item for item in world.seen("events") if item["reason"] == "TaintManagerEviction"]
    return [item["message"].split()[0] for item in events if item["involvedObject"]["name"] == name]


async def test_a_pod_that_is_being_deleted_counts_down_all_the_same() -> None:
    """When its toleration ends it is marked, once; when the taint goes before, that is told."""
    async with running_world(nodes=1, timing=replace(REALISTIC, default_toleration_seconds=100)) as world:
        await world.api.create("pods", pod("a"), NAMESPACE)
        await world.until(lambda: is_ready(world.one("pods", "a")))
        world.dead_nodes.add("node1")
        await world.until(lambda: len(taints(world, "node1")) == 2)
        await world.api.delete("pods", "a", NAMESPACE)
        await world.until(lambda: told(world, "a") == ["Marking"])
        await world.api.patch("nodes", "node1", None, {"spec": {"taints": [{"key": "x", "effect": "NoExecute"}]}})
        await world.settled()
        assert told(world, "a") == ["Marking"]


async def test_the_end_of_a_pod_that_counts_down_is_told() -> None:
    """Its deletion by the taint is called off, since there is nothing to delete."""
    async with running_world(nodes=1, timing=REALISTIC) as world:
        await world.api.create("pods", pod("a"), NAMESPACE)
        await world.until(lambda: is_ready(world.one("pods", "a")))
        world.dead_nodes.add("node1")
        await world.until(lambda: len(taints(world, "node1")) == 2)
        await world.settled()
        await world.api.delete("pods", "a", NAMESPACE, grace_period_seconds=0)
        await world.until(lambda: told(world, "a") == ["Cancelling"])
