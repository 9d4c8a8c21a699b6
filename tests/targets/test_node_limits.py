"""Guardrails on how many nodes may be out of service at once, on an API server with nodes and etcd's pods."""

import pytest
from msgspec.structs import replace

from seatrial.kube.objects import ZONE_LABEL, Node, ObjectMeta
from seatrial.kube.resources import NODES
from seatrial.runtime.context import Settings
from seatrial.runtime.guardrails import Guardrails
from seatrial.targets.guardrails import guard_nodes
from seatrial.targets.node_limits import CONTROL_PLANE_LABEL, done_by_bringing_back, done_by_taking_down

CONTROL_PLANE = {CONTROL_PLANE_LABEL: ""}


def limited(recorder, **limits):
    return replace(recorder.context, settings=Settings(guardrails=Guardrails(**limits)))


async def create_nodes(control, *names, ready="True", **labels):
    """Nodes as their kubelets report them."""
    for name in names:
        await control.cluster.create(NODES, {"metadata": {"name": name, "labels": labels}})
        await report(control, name, ready)


async def report(control, name, ready):
    status = {"conditions": [{"type": "Ready", "status": ready}]}
    await control.cluster.patch(NODES, name, {"status": status}, subresource="status")


async def create_etcd(control, *nodes, ready="True"):
    """A member of etcd on each node, as kubeadm's static pods appear in the API."""
    for node in nodes:
        body = {
            "metadata": {"name": f"etcd-{node}", "labels": {"component": "etcd", "tier": "control-plane"}},
            "spec": {"nodeName": node, "containers": [{"name": "etcd", "image": "registry.k8s.io/etcd"}]},
        }
        await control.server.api.create("pods", body, "kube-system")
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}
        await control.server.api.patch("pods", f"etcd-{node}", "kube-system", {"status": status}, subresource="status")


async def nodes_of(control, *names):
    listed = (await control.cluster.list(NODES, type=Node)).items
    return [node for node in listed if node.metadata.name in names]


@pytest.mark.parametrize(("share", "hit", "refused"), [(0.5, "a", ""), (0.5, "ab", "2 of 3"), (0.3, "a", "1 of 3")])
async def test_no_larger_share_of_a_zone_than_the_limit(control, on_cluster, share, hit, refused):
    """One of three is less than half, two are more; the other zone's nodes don't count."""
    await create_nodes(control, "a", "b", "c", **{ZONE_LABEL: "west-1"})
    await create_nodes(control, "d", "e", **{ZONE_LABEL: "east-1"})
    reasons = await guard_nodes(await nodes_of(control, *hit), limited(on_cluster, most_of_zone=share))
    words = f"maxShareOfZone: {refused} nodes of zone west-1 would be out of service, at most {share:.0%} may be"
    assert reasons == ((words,) if refused else ())


async def test_what_is_out_of_service_already_counts(control, on_cluster):
    """A node that is not Ready, and one that this scenario has switched off, which the cluster hasn't missed yet."""
    await create_nodes(control, "a", "b", "c", "d", **{ZONE_LABEL: "west-1"})
    hit, context = await nodes_of(control, "a"), limited(on_cluster, most_of_zone=0.5)
    await report(control, "b", "Unknown")
    assert await guard_nodes(hit, context) == ()
    context.scope.did(done_by_taking_down("c"))
    [reason] = await guard_nodes(hit, context)
    assert reason.startswith("maxShareOfZone: 3 of 4 nodes of zone west-1 would be out of service")
    context.scope.did(done_by_bringing_back("c"), instead_of=done_by_taking_down("c"))
    assert await guard_nodes(hit, context) == ()


async def test_a_share_is_what_it_says_however_computers_multiply(control, on_cluster):
    """0.29 of 100 nodes are 29, though the product is a little less."""
    names = [f"n{number}" for number in range(100)]
    await create_nodes(control, *names, **{ZONE_LABEL: "west-1"})
    context = limited(on_cluster, most_of_zone=0.29)
    assert await guard_nodes(await nodes_of(control, *names[:29]), context) == ()
    assert len(await guard_nodes(await nodes_of(control, *names[:30]), context)) == 1


async def test_to_hit_what_does_not_serve_anyway_is_no_loss(control, on_cluster):
    """The zone is worse than the limit before the step, and no worse after it."""
    await create_nodes(control, "a", "b", **{ZONE_LABEL: "west-1"}, ready="False")
    assert await guard_nodes(await nodes_of(control, "a"), limited(on_cluster, most_of_zone=0)) == ()


async def test_a_node_without_a_zone_can_not_be_checked(control, on_cluster):
    """Where shares of zones are limited, a node of which the zone is not known is not hit."""
    await create_nodes(control, "a")
    [reason] = await guard_nodes(await nodes_of(control, "a"), limited(on_cluster, most_of_zone=1))
    assert reason == "maxShareOfZone: can't be checked: no label topology.kubernetes.io/zone on a"


async def test_a_machine_without_a_node_is_in_no_zone(control, on_cluster):
    """It counts for maxNodes alone."""
    await create_nodes(control, "a", **{ZONE_LABEL: "west-1"})
    stray = Node(metadata=ObjectMeta(name="db-1", uid="i-1"))
    assert await guard_nodes([stray], limited(on_cluster, most_of_zone=0, most_nodes=1)) == ()
    assert len(await guard_nodes([stray], limited(on_cluster, most_of_zone=0, most_nodes=0))) == 1


async def test_the_control_plane_is_never_taken_down_as_a_whole(control, on_cluster):
    """Unless a guardrail says how many may be down; a node that is not Ready is down already."""
    await create_nodes(control, "c1", "c2", **CONTROL_PLANE)
    await create_nodes(control, "w1")
    both, one = await nodes_of(control, "c1", "c2"), await nodes_of(control, "c1")
    assert await guard_nodes([*one, *await nodes_of(control, "w1")], limited(on_cluster)) == ()
    words = (
        "maxControlPlane: 2 of 2 nodes of the control plane would be down, which is never done unless a guardrail says"
        " so: to allow it set maxControlPlane to 2"
    )
    assert await guard_nodes(both, limited(on_cluster)) == (words,)
    assert await guard_nodes(both, limited(on_cluster, most_of_control_plane=2)) == ()
    [reason] = await guard_nodes(one, limited(on_cluster, most_of_control_plane=0))
    assert reason == "maxControlPlane: 1 of 2 nodes of the control plane would be down, at most 0 may be"
    await report(control, "c2", "Unknown")
    assert await guard_nodes(one, limited(on_cluster)) == (words,)


async def test_what_leaves_the_node_running_leaves_the_control_plane_running(control, on_cluster):
    """A cordon or a drain takes neither the API server nor etcd down: static pods stay."""
    await create_nodes(control, "c1", **CONTROL_PLANE)
    await create_etcd(control, "c1")
    only = await nodes_of(control, "c1")
    assert await guard_nodes(only, limited(on_cluster), disrupts_pods=False) == ()
    assert await guard_nodes(only, limited(on_cluster), takes_down=False) == ()
    assert len(await guard_nodes(only, limited(on_cluster))) == 2


@pytest.mark.parametrize(
    ("members", "hit", "left"), [(3, 1, None), (3, 2, 1), (5, 2, None), (5, 3, 2), (1, 1, 0), (2, 1, 1), (4, 2, 2)]
)
async def test_etcd_keeps_its_quorum(control, on_cluster, members, hit, left):
    """A majority of the members stays Ready: of three one may go, of five two, of two and one none."""
    names = [f"c{number}" for number in range(members)]
    await create_nodes(control, *names)
    await create_etcd(control, *names)
    reasons = await guard_nodes(await nodes_of(control, *names[:hit]), limited(on_cluster))
    member = "member" if members == 1 else "members"
    words = (
        f"keepEtcdQuorum: {left} of {members} {member} of etcd would be left Ready, its quorum is {members // 2 + 1}"
        ": to allow it set keepEtcdQuorum to false"
    )
    assert reasons == (() if left is None else (words,))
    assert await guard_nodes(await nodes_of(control, *names[:hit]), limited(on_cluster, etcd_quorum=False)) == ()


async def test_what_a_policy_names_exactly_goes_where_no_guardrail_says_otherwise(control, on_cluster):
    """As a namespace does that is protected by default; all that go have to be named."""
    await create_nodes(control, "c1", "c2", **CONTROL_PLANE)
    await create_etcd(control, "c1", "c2")
    nodes = await nodes_of(control, "c1", "c2")

    def naming(*names, **limits):
        return replace(limited(on_cluster, **limits), named_nodes=frozenset(names))

    assert await guard_nodes(nodes, naming("c1", "c2")) == ()
    assert len(await guard_nodes(nodes, naming("c1"))) == 2
    [reason] = await guard_nodes(nodes, naming("c1", "c2", most_of_control_plane=1))
    assert reason.startswith("maxControlPlane: 2 of 2")
    [reason] = await guard_nodes(nodes, naming("c1", "c2", etcd_quorum=True))
    assert reason == "keepEtcdQuorum: 0 of 2 members of etcd would be left Ready, its quorum is 2"


async def test_members_that_are_down_already_are_missing_from_the_quorum(control, on_cluster):
    """One of three is not Ready, or was switched off a moment ago: none of the others may go, itself it may."""
    await create_nodes(control, "c1", "c2", "c3")
    await create_etcd(control, "c1", "c2")
    await create_etcd(control, "c3", ready="False")
    context = limited(on_cluster)
    assert len(await guard_nodes(await nodes_of(control, "c1"), context)) == 1
    assert await guard_nodes(await nodes_of(control, "c3"), context) == ()
    await control.server.api.patch(
        "pods", "etcd-c3", "kube-system", {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
        subresource="status",
    )  # fmt: skip
    assert await guard_nodes(await nodes_of(control, "c1"), context) == ()
    context.scope.did(done_by_taking_down("c2"))
    assert len(await guard_nodes(await nodes_of(control, "c1"), context)) == 1


async def test_limits_that_can_t_be_checked_hold_the_step_back(control, on_cluster):
    """Who may read neither nodes nor pods can't know that they hold; a worker is no member of etcd."""
    await create_nodes(control, "c1", **CONTROL_PLANE, **{ZONE_LABEL: "west-1"})
    await create_nodes(control, "w1")
    nodes = await nodes_of(control, "c1")
    async with await control.connect_as("jane") as cluster:
        reasons = await guard_nodes(nodes, replace(limited(on_cluster, most_of_zone=1), cluster=cluster))
        worker = await nodes_of(control, "w1")
        assert await guard_nodes(worker, replace(limited(on_cluster), cluster=cluster)) == ()
        asked = await guard_nodes(worker, replace(limited(on_cluster, etcd_quorum=True), cluster=cluster))
        assert len(asked) == 1
    assert [reason.partition(": can't be checked: ")[0] for reason in reasons] == [
        "maxShareOfZone",
        "maxControlPlane",
        "keepEtcdQuorum",
    ]
