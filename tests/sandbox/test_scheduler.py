"""The scheduler: where pods go, why they can't, and that they are tried again without polling."""

from collections import Counter
from typing import Any

import pytest

from seatrial.sandbox.api import Object
from tests.sandbox.controllers.world import NAMESPACE, World, deployment, is_ready, pod, running_world

pytestmark = pytest.mark.looptime


def node_of(world: World, name: str) -> str | None:
    """Where a pod is bound."""
    found: str | None = world.one("pods", name)["spec"].get("nodeName")
    return found


def scheduled(world: World, name: str) -> Object:
    """A pod's PodScheduled condition."""
    conditions = world.one("pods", name)["status"].get("conditions") or []
    return next((entry for entry in conditions if entry["type"] == "PodScheduled"), {})


async def refused(world: World, name: str, reason: str) -> None:
    """Wait until a pod is said to fit nowhere, for this reason."""
    await world.until(
        lambda: scheduled(world, name).get("status") == "False" and reason in scheduled(world, name)["message"]
    )
    assert scheduled(world, name)["reason"] == "Unschedulable"
    assert node_of(world, name) is None


async def create(world: World, name: str, **spec: Any) -> None:
    """Create a pod with label app=NAME."""
    await world.api.create("pods", pod(name, labels={"app": name}, **spec), NAMESPACE)


async def ready(world: World, count: int) -> None:
    """Wait for so many pods."""
    await world.until(lambda: len(world.ready_pods()) == count)


def asking(cpu: str) -> list[Object]:
    """A container that asks for so much CPU."""
    return [{"name": "c", "image": "nginx", "resources": {"requests": {"cpu": cpu}}}]


async def test_a_pod_is_bound_and_told_so() -> None:
    """nodeName, PodScheduled True, and the Event that kubectl describe shows."""
    async with running_world(nodes=1) as world:
        await create(world, "a")
        await world.until(lambda: node_of(world, "a") == "node1" and scheduled(world, "a")["status"] == "True")
        message = "Successfully assigned default/a to node1"
        await world.until(lambda: message in [event["message"] for event in world.seen("events")])


async def test_pods_of_one_owner_spread_over_zones_then_nodes() -> None:
    """Four nodes in two zones: two pods take both zones, four take all nodes, eight are two each."""
    async with running_world(nodes=4) as world:
        zones = {f"node{number}": f"zone-{number % 2}" for number in range(1, 5)}
        await world.api.create("deployments.apps", deployment(replicas=2), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 2)
        assert {zones[item["spec"]["nodeName"]] for item in world.seen("pods")} == {"zone-0", "zone-1"}
        for replicas, each in ((4, 1), (8, 2)):
            await world.api.patch("deployments.apps", "web", NAMESPACE, {"spec": {"replicas": replicas}})
            await ready(world, replicas)
            assert set(Counter(item["spec"]["nodeName"] for item in world.seen("pods")).values()) == {each}


async def test_without_any_node_a_pod_waits_for_one() -> None:
    """It says so, and is bound as soon as a node comes."""
    async with running_world(nodes=0) as world:
        await create(world, "a")
        await refused(world, "a", "no nodes available to schedule pods")
        await world.add_node("late")
        await world.until(lambda: node_of(world, "a") == "late")


async def test_resources_are_counted() -> None:
    """Requests beyond what is left are refused; a pod that ends makes room, and the waiting one goes there."""
    async with running_world(nodes=1) as world:
        await create(world, "big", containers=asking("3"))
        await world.until(lambda: node_of(world, "big") == "node1")
        await create(world, "more", containers=asking("1500m"))
        await refused(world, "more", "0/1 nodes are available: 1 Insufficient cpu.")
        await world.until(lambda: any(event["reason"] == "FailedScheduling" for event in world.seen("events")))
        await create(world, "small", containers=asking("1"))
        await world.until(lambda: node_of(world, "small") == "node1")
        await world.api.delete("pods", "big", NAMESPACE)
        await world.until(lambda: node_of(world, "more") == "node1")


async def test_a_node_holds_so_many_pods() -> None:
    """The `pods` resource limits their number."""
    async with running_world(nodes=0) as world:
        await world.add_node("tiny", allocatable={"cpu": "4", "memory": "8Gi", "pods": "1"})
        await create(world, "a")
        await world.until(lambda: node_of(world, "a") == "tiny")
        await create(world, "b")
        await refused(world, "b", "1 Too many pods")


async def test_a_node_that_does_not_say_how_many_pods_it_holds_takes_none() -> None:
    """So it is with a Node that somebody made by hand, and that no kubelet stands behind."""
    async with running_world(nodes=0) as world:
        await world.add_node("empty", allocatable={"cpu": "4", "memory": "8Gi"})
        await create(world, "a")
        await refused(world, "a", "1 Too many pods")


async def test_selectors_and_affinity_choose_nodes() -> None:
    """`nodeSelector` and each operator of a required node affinity; what matches no node waits for one that does."""
    async with running_world(nodes=3) as world:
        await create(world, "selected", nodeSelector={"kubernetes.io/hostname": "node2"})
        terms = [
            {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "NotIn", "values": ["node1", "node2"]}]}
        ]
        affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
        await create(world, "affine", affinity=affinity)
        await create(world, "nowhere", nodeSelector={"disk": "ssd"})
        await world.until(lambda: (node_of(world, "selected"), node_of(world, "affine")) == ("node2", "node3"))
        await refused(world, "nowhere", "3 node(s) didn't match Pod's node affinity/selector")
        await world.api.patch("nodes", "node1", None, {"metadata": {"labels": {"disk": "ssd"}}})
        await world.until(lambda: node_of(world, "nowhere") == "node1")


async def test_taints_and_cordons_keep_pods_away() -> None:
    """Unless they are tolerated; a cordoned node takes nobody; lifting it lets the waiting pod in."""
    async with running_world(nodes=2) as world:
        taint = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
        await world.api.patch("nodes", "node1", None, {"spec": {"taints": [taint]}})
        await world.api.patch("nodes", "node2", None, {"spec": {"unschedulable": True}})
        await world.until(lambda: len(world.one("nodes", "node2", None)["spec"].get("taints") or []) == 1)
        await world.settled()
        await create(world, "plain")
        await refused(world, "plain", "1 node(s) had untolerated taint(s), 1 node(s) were unschedulable.")
        await create(world, "tolerant", tolerations=[{"key": "dedicated", "operator": "Exists"}])
        await world.until(lambda: node_of(world, "tolerant") == "node1")
        await world.api.patch("nodes", "node2", None, {"spec": {"unschedulable": None}})
        await world.until(lambda: node_of(world, "plain") == "node2")


async def test_anti_affinity_keeps_pods_apart() -> None:
    """At most one pod a node, in both directions: the third of three on two nodes waits."""
    async with running_world(nodes=2) as world:
        body = deployment(replicas=3)
        term = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}
        body["spec"]["template"]["spec"]["affinity"] = {
            "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
        }
        await world.api.create("deployments.apps", body, NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 2)
        waiting = next(item["metadata"]["name"] for item in world.seen("pods") if not is_ready(item))
        await refused(world, waiting, "2 node(s) didn't match pod anti-affinity rules")
        await create(world, "web")
        await refused(world, "web", "2 node(s) didn't satisfy existing pods anti-affinity rules")
        await world.add_node("node3")
        await world.until(lambda: len(world.ready_pods(app="web")) == 3)


async def test_affinity_follows_another_pod() -> None:
    """A pod that wants to be near another waits until that one is somewhere."""
    async with running_world(nodes=3) as world:
        term = {"labelSelector": {"matchLabels": {"app": "cache"}}, "topologyKey": "kubernetes.io/hostname"}
        affinity = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
        await create(world, "near", affinity=affinity)
        await refused(world, "near", "3 node(s) didn't match pod affinity rules")
        await create(world, "cache", nodeSelector={"kubernetes.io/hostname": "node3"})
        await world.until(lambda: node_of(world, "near") == "node3")


async def test_a_host_port_is_given_once() -> None:
    """Two pods with one host port don't share a node."""
    async with running_world(nodes=1) as world:
        containers = [{"name": "c", "image": "nginx", "ports": [{"containerPort": 80, "hostPort": 8080}]}]
        await create(world, "a", containers=containers)
        await world.until(lambda: node_of(world, "a") == "node1")
        await create(world, "b", containers=containers)
        await refused(world, "b", "1 node(s) didn't have free ports for the requested pod ports")


async def test_another_schedulers_pods_are_left_alone() -> None:
    """`schedulerName` is respected."""
    async with running_world(nodes=1) as world:
        await create(world, "theirs", schedulerName="custom")
        await create(world, "ours")
        await world.until(lambda: node_of(world, "ours"))
        await world.settled()
        assert node_of(world, "theirs") is None
        assert scheduled(world, "theirs") == {}
