"""What may fail of itself, and how a scenario finds what did."""

import pytest
from msgspec.structs import replace

from seatrial.kube.resources import NODES
from seatrial.policy.failures import Failure
from seatrial.runtime.events import PodRef
from seatrial.runtime.failed_units import FailedUnits
from seatrial.targets.failing_units import failed_units, list_units
from seatrial.targets.node_selection import NodeTargetMatcher, select_nodes
from seatrial.targets.pods import PodMatcher, named_namespaces
from seatrial.targets.selection import select_pods

FAILED_NODES = [NodeTargetMatcher.model_validate({"failed": True})]
FAILED_PODS = [PodMatcher.model_validate({"failed": True})]


@pytest.fixture
async def nodes(control):
    """Two nodes that report, one that doesn't."""
    for name, zone, ready in (("a", "west", "True"), ("b", "", "False"), ("c", "west", "Unknown")):
        labels = {"topology.kubernetes.io/zone": zone} if zone else {}
        await control.cluster.create(NODES, {"metadata": {"name": name, "labels": labels}})
        status = {"conditions": [{"type": "Ready", "status": ready}]}
        await control.server.api.patch("nodes", name, None, {"status": status}, subresource="status")


def failing_nodes(**matcher):
    return Failure.model_construct(nodes=(NodeTargetMatcher.model_validate(matcher),), pods=None)


def failing_pods(**matcher):
    return Failure.model_construct(nodes=None, pods=(PodMatcher.model_validate(matcher),))


async def on_node(control, name, node):
    spec = {"nodeName": node, "containers": [{"name": "c", "image": "busybox"}]}
    await control.server.api.create("pods", {"metadata": {"name": name}, "spec": spec}, "default")


async def test_nodes_fail_that_are_up(on_cluster, nodes):
    """One that nobody hears of is down already; nobody is told of the look."""
    found = await list_units(failing_nodes(property={"name": "name", "value": ".*"}), on_cluster.context)
    assert [(unit.name, unit.zone) for unit in found.units] == [("a", "west"), ("b", "")]
    assert found.empty_reason == ""
    assert await on_cluster.events() == []


async def test_why_no_node_may_fail_is_said(on_cluster, nodes):
    """None matched, or none of them is up."""
    found = await list_units(failing_nodes(property={"name": "name", "value": "c"}), on_cluster.context)
    assert (found.units, found.empty_reason) == ((), "none of 1 matched nodes is up")
    found = await list_units(failing_nodes(labels={"selector": "x=y"}), on_cluster.context)
    assert found.empty_reason == "no node matched (nodes with labels x=y)"


async def test_pods_fail_that_a_node_runs(control, on_cluster, nodes):
    """In their node's zone; one that waits for a node, has ended or is going does not."""
    for name, node in (("p1", "a"), ("p2", "b"), ("ended", "a"), ("going", "a")):
        await on_node(control, name, node)
    await control.create_pods("waits")
    await control.server.api.delete("pods", "going", "default")
    await control.server.api.patch("pods", "ended", "default", {"status": {"phase": "Failed"}}, subresource="status")
    found = await list_units(failing_pods(namespace="default"), on_cluster.context)
    assert [(unit.name, unit.zone) for unit in found.units] == [("default/p1", "west"), ("default/p2", "")]
    found = await list_units(failing_pods(namespace="elsewhere"), on_cluster.context)
    assert found.empty_reason == "no pod matched (namespace elsewhere): there is no namespace 'elsewhere'"


async def test_a_scenario_finds_the_nodes_that_failed(on_cluster, nodes):
    """By their names, which they keep: also while they are down."""
    failed = failed_units(failing_nodes(labels={"selector": "x"}), [])
    assert (failed.kind, failed.nodes, failed.pods) == ("node", (), ())
    context = replace(on_cluster.context, failed=FailedUnits(kind="node", nodes=("c", "gone")))
    found = await select_nodes(FAILED_NODES, (), context)
    assert [target.name for target in found.targets] == ["c"]


@pytest.mark.parametrize(("value", "named"), [("a", {"a"}), ("a.*", frozenset()), ("[ab]", frozenset())])
async def test_a_node_that_the_failures_name_exactly_counts_as_named(on_cluster, nodes, value, named):
    """A scenario that says `failed: true` names it too, and nothing that failed beside it."""
    kind = failing_nodes(property={"name": "name", "value": value})
    found = await list_units(kind, on_cluster.context)
    context = replace(on_cluster.context, failed=failed_units(kind, found.units))
    assert (await select_nodes(FAILED_NODES, (), context)).named == named


async def test_a_scenario_finds_the_very_pods_that_failed(control, on_cluster):
    """By their UIDs: another one of the same name is another pod."""
    one, _ = await control.create_pods("one", "other")
    uid = one["metadata"]["uid"]
    pods = (PodRef(namespace="default", name="one", uid=uid), PodRef(namespace="default", name="other", uid="older"))
    context = replace(on_cluster.context, failed=FailedUnits(kind="pod", pods=pods))
    found = await select_pods(FAILED_PODS, (), context)
    assert [pod.metadata.name for pod in found.pods] == ["one"]
    await control.server.api.delete("pods", "one", "default")
    found = await select_pods(FAILED_PODS, (), context)
    assert found.empty_reason == "no pod matched (failed): failed pods default/one, default/other: gone"


@pytest.mark.parametrize(
    ("failed", "of_nodes", "of_pods"),
    [
        (None, "only the run strategy 'failures' tells", "only the run strategy 'failures' tells"),
        (FailedUnits(kind="node", nodes=("zz",)), "no node matched (failed)", "what failed is a node"),
        (FailedUnits(kind="pod", pods=(PodRef(namespace="n", name="p", uid="u"),)), "what failed is a pod", "gone"),
    ],
)
async def test_where_nothing_is_found_the_reason_is_said(on_cluster, nodes, failed, of_nodes, of_pods):
    """No failure at all, one of the other kind, or what failed is not there any more."""
    context = replace(on_cluster.context, failed=failed)
    assert of_nodes in (await select_nodes(FAILED_NODES, (), context)).empty_reason
    assert of_pods in (await select_pods(FAILED_PODS, (), context)).empty_reason


def test_namespaces_that_the_failures_name_count_as_named():
    """A scenario that says `failed: true` may hit what the policy's failures name, as if it named it itself."""
    failed = failed_units(failing_pods(namespace="kube-system"), [])
    assert named_namespaces(FAILED_PODS, failed) == {"kube-system"}
    assert named_namespaces([PodMatcher.model_validate({"namespace": "shop"})], failed) == {"shop"}
    assert named_namespaces(FAILED_PODS) == frozenset()
