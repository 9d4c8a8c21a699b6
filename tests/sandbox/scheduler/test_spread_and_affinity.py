"""Topology spread, affinity between pods, preferences: where pods go relative to each other."""

from collections import Counter
from typing import Any

import pytest

from tests.sandbox.controllers.world import NAMESPACE, World, deployment, running_world
from tests.sandbox.scheduler.placing import asking, create, node_of, placed, said_of

pytestmark = pytest.mark.looptime

ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def spread(key: str = ZONE, **more: Any) -> Any:
    """A constraint that pods with label app=web must keep to."""
    selector = {"matchLabels": {"app": "web"}}
    return [{"topologyKey": key, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector, **more}]


def term(app: str, key: str = HOST, **more: Any) -> Any:
    """An affinity term about pods with that label."""
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key, **more}


def zones(world: World, **labels: str) -> Counter[str]:
    """How many pods are in each zone of a world of nodes 1 to 4."""
    nodes = [item["spec"].get("nodeName", "") for item in world.seen("pods", **labels)]
    return Counter(f"zone-{int(node[-1]) % 2}" for node in nodes if node)


async def test_a_constraint_keeps_pods_in_even_numbers() -> None:
    """Three nodes in one zone and one in the other: as many pods in each, though one node has to carry half."""
    async with running_world(nodes=0) as world:
        for name, zone in (("node1", "zone-1"), ("node3", "zone-1"), ("node5", "zone-1"), ("node2", "zone-0")):
            await world.add_node(name, zone=zone)
        names = [f"p{number}" for number in range(6)]
        for name in names:
            await create(world, name, app="web", topologySpreadConstraints=spread())
        await placed(world, *names)
        assert zones(world) == {"zone-1": 3, "zone-0": 3}


async def test_a_pod_that_would_upset_the_balance_waits() -> None:
    """Until there is room in the other zone; a node without the label is no place at all."""
    async with running_world(nodes=2) as world:
        await world.add_node("nowhere")
        await world.api.patch("nodes", "node2", None, {"spec": {"unschedulable": True}})
        await world.settled()
        await create(world, "a", app="web", topologySpreadConstraints=spread())
        await placed(world, "a")
        await create(world, "b", app="web", topologySpreadConstraints=spread())
        await world.until(lambda: said_of(world, "b"))
        assert said_of(world, "b").startswith(
            "0/3 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) didn't match "
            "pod topology spread constraints (missing required label), 1 node(s) were unschedulable. "
        )
        await world.api.patch("nodes", "node2", None, {"spec": {"unschedulable": None}})
        assert await placed(world, "b") == ["node2"]


async def test_too_few_domains_count_as_empty_ones() -> None:
    """`minDomains`: with one zone of two, no zone may have more than maxSkew."""
    async with running_world(nodes=1) as world:
        constraint = spread(minDomains=2)
        await create(world, "a", app="web", topologySpreadConstraints=constraint)
        await placed(world, "a")
        await create(world, "b", app="web", topologySpreadConstraints=constraint)
        await world.until(lambda: "topology spread constraints" in said_of(world, "b"))
        await world.add_node("other", zone="elsewhere")
        assert await placed(world, "b") == ["other"]


async def test_a_wish_to_be_spread_is_no_must() -> None:
    """`ScheduleAnyway` spreads while it can."""
    async with running_world(nodes=2) as world:
        names = [f"p{number}" for number in range(4)]
        for name in names:
            await create(
                world, name, app="web", topologySpreadConstraints=spread(HOST, whenUnsatisfiable="ScheduleAnyway")
            )
        assert Counter(await placed(world, *names)) == {"node1": 2, "node2": 2}
        await world.api.patch("nodes", "node1", None, {"spec": {"unschedulable": True}})
        await world.settled()
        await create(
            world, "late", app="web", topologySpreadConstraints=spread(HOST, whenUnsatisfiable="ScheduleAnyway")
        )
        assert await placed(world, "late") == ["node2"]


async def test_rollouts_are_told_apart_by_label_keys() -> None:
    """`matchLabelKeys`: pods of another revision don't count."""
    async with running_world(nodes=2) as world:
        body = deployment(replicas=2)
        constraint = spread(HOST, matchLabelKeys=["pod-template-hash"])
        body["spec"]["template"]["spec"]["topologySpreadConstraints"] = constraint
        body["spec"]["strategy"] = {"rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}}
        await world.api.create("deployments.apps", body, NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 2)
        patch = {"spec": {"template": {"metadata": {"annotations": {"again": "1"}}}}}
        await world.api.patch("deployments.apps", "web", NAMESPACE, patch)
        await world.until(lambda: len(world.seen("replicasets.apps")) == 2 and len(world.seen("pods")) == 2)
        assert {item["spec"]["nodeName"] for item in world.ready_pods()} == {"node1", "node2"}


async def test_pods_are_put_together_by_zone_and_namespace() -> None:
    """A term may speak of other namespaces, by name or by their labels; the first of a kind may go anywhere."""
    async with running_world(nodes=4) as world:
        await world.api.create("namespaces", {"metadata": {"name": "data", "labels": {"team": "db"}}})
        body = {"metadata": {"name": "cache", "labels": {"app": "cache"}}, "spec": {"containers": asking("1")}}
        body["spec"] |= {"nodeSelector": {HOST: "node3"}}  # type: ignore[operator]
        await world.api.create("pods", body, "data")
        by_name = {"podAffinity": {REQUIRED: [term("cache", ZONE, namespaces=["data"])]}}
        selector = {"matchLabels": {"team": "db"}}
        by_label = {"podAffinity": {REQUIRED: [term("cache", namespaceSelector=selector)]}}
        to_itself = {"podAffinity": {REQUIRED: [term("pack")]}}
        await create(world, "near", affinity=by_name)
        await create(world, "beside", affinity=by_label)
        await create(world, "pack1", app="pack", affinity=to_itself)
        await create(world, "pack2", app="pack", affinity=to_itself)
        near, beside, pack1, pack2 = await placed(world, "near", "beside", "pack1", "pack2")
        assert near in {"node1", "node3"}
        assert beside == "node3"
        assert pack1 == pack2


async def test_wishes_about_nodes_and_neighbours_weigh() -> None:
    """Preferred node affinity, preferred anti-affinity, and a taint that is only to be avoided."""
    async with running_world(nodes=3) as world:
        await world.api.patch("nodes", "node1", None, {"metadata": {"labels": {"disk": "ssd"}}})
        taint = {"key": "slow", "value": "yes", "effect": "PreferNoSchedule"}
        await world.api.patch("nodes", "node2", None, {"spec": {"taints": [taint]}})
        await world.settled()
        preference = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
        await create(world, "fast", affinity={"nodeAffinity": {PREFERRED: [{"weight": 50, "preference": preference}]}})
        assert await placed(world, "fast") == ["node1"]
        apart = {"podAntiAffinity": {PREFERRED: [{"weight": 100, "podAffinityTerm": term("fast")}]}}
        await create(world, "loner", affinity=apart)
        assert await placed(world, "loner") == ["node3"]
        assert node_of(world, "fast") == "node1"


async def test_a_pod_for_one_node_hears_of_no_other() -> None:
    """As the DaemonSet controller makes them: matchFields name the node."""
    async with running_world(nodes=2) as world:
        fields = [{"key": "metadata.name", "operator": "In", "values": ["node2"]}]
        affinity = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchFields": fields}]}}}
        await create(world, "bound", affinity=affinity)
        assert await placed(world, "bound") == ["node2"]
        await create(world, "huge", affinity=affinity, containers=asking("64"))
        await world.until(lambda: said_of(world, "huge"))
        reasons = "1 Insufficient cpu, 1 node(s) didn't satisfy plugin(s) [NodeAffinity]"
        assert said_of(world, "huge").startswith(f"0/2 nodes are available: {reasons}. ")


async def test_a_gated_pod_waits_for_its_gates() -> None:
    """`schedulingGates` keep it from being looked at."""
    async with running_world(nodes=1) as world:
        await create(world, "gated", schedulingGates=[{"name": "example.com/quota"}])
        await world.settled()
        assert node_of(world, "gated") is None
        await world.api.patch("pods", "gated", NAMESPACE, {"spec": {"schedulingGates": None}})
        assert await placed(world, "gated") == ["node1"]
