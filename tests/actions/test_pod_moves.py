"""Where the pods of a machine that went down end up, as watches show it."""

import pytest
from msgspec.structs import replace

from seatrial.actions.machine_stops import stop_machines
from seatrial.actions.nodes.start import Start
from seatrial.actions.nodes.start import run as start
from seatrial.actions.pod_moves import MoveTracker, is_expected_elsewhere, moves_promise
from seatrial.kube.objects import Condition, ObjectMeta, OwnerReference, Pod, PodSpec, PodStatus, Toleration
from seatrial.kube.resources import NODES, PODS
from seatrial.kube.watch import WatchEvent
from seatrial.runtime.context import Settings
from seatrial.runtime.events import MeasurementTaken, MoveMissed, PodMoved, ProofMissing
from seatrial.runtime.journal import RunEntry
from seatrial.targets.nodes import list_targets
from tests.machines.made import MemoryCloud, machine

READY = (Condition(type="Ready", status="True"),)
WHENEVER = "2030-01-01T12:00:00Z"


def pod(name, node="", *, kind="ReplicaSet", owner="o", ready=False, leaving=False, uid="", phase="Running", **spec):
    owners = (OwnerReference(api_version="apps/v1", kind=kind, name=owner, uid=owner, controller=True),)
    meta = ObjectMeta(
        name=name, namespace="default", uid=uid or f"uid-{name}", owner_references=owners,
        deletion_timestamp=WHENEVER if leaving else None,
    )  # fmt: skip
    status = PodStatus(phase=phase, conditions=READY if ready else ())
    return Pod(metadata=meta, spec=PodSpec(node_name=node, **spec), status=status)


class Watched:
    """A tracker, and the events that it was fed and emitted."""

    def __init__(self, *residents):
        self.told = []
        self.tracker = MoveTracker(residents, {"o": "Deployment/web in default"}, emit=self.told.append)
        self.tracker.already_there(residents)
        self.now = 100.0
        for node in self.tracker.nodes:
            self.tracker.goes_down(node, self.now)

    def see(self, *pods, kind="MODIFIED", after=1.0):
        self.now += after
        for each in pods:
            self.tracker.feed(WatchEvent(type=kind, object=each, received=self.now))

    def moves(self):
        return [(each.pod.name, each.replacement.name) for each in self.told if isinstance(each, PodMoved)]

    def measured(self):
        return [(each.of, each.seconds) for each in self.told if isinstance(each, MeasurementTaken)]


def test_each_pod_s_replacement_is_found_and_timed_and_their_owner_s_slowest_is_the_measurement():
    """Evicted, replaced, Ready: seconds since the machine was told to stop; the first evicted is replaced first."""
    seen = Watched(pod("a1", "a"), pod("a2", "a"))
    seen.see(pod("a2", "a", leaving=True), after=10)
    seen.see(pod("a1", "a", leaving=True))
    seen.see(pod("n1", "b"), kind="ADDED")
    seen.see(pod("n2", "c"), kind="ADDED")
    seen.see(pod("n1", "b", ready=True))
    assert (seen.moves(), seen.measured()) == ([("a2", "n1")], [])
    assert len(seen.tracker.missing("a")) == 1
    seen.see(pod("n2", "c", ready=True), after=5)
    assert seen.moves() == [("a2", "n1"), ("a1", "n2")]
    assert seen.measured() == [("Deployment/web in default", 19.0)]
    assert seen.tracker.missing("a") == []
    move = seen.told[0]
    assert (move.evicted_ms, move.created_ms, move.ready_ms) == (10_000, 12_000, 14_000)
    assert (move.pod.node, move.replacement.node) == ("a", "b")


def test_pods_that_were_there_or_came_before_an_eviction_replace_nothing():
    """A sibling on another node, and one that scaling up has made."""
    resident = pod("a1", "a")
    seen = Watched(resident)
    seen.tracker.already_there([resident, pod("sibling", "b")])
    seen.see(pod("scaled", "b"), kind="ADDED")
    seen.see(pod("a1", "a", leaving=True))
    seen.see(pod("sibling", "b", ready=True), pod("scaled", "b", ready=True))
    seen.see(pod("stranger", "b", owner="other", ready=True), kind="ADDED")
    assert seen.moves() == []


def test_a_replacement_that_leaves_again_is_none():
    """It was put on a machine that went down, too: the next one counts."""
    seen = Watched(pod("a1", "a"))
    seen.see(pod("a1", "a", leaving=True))
    seen.see(pod("n1", "b"), kind="ADDED")
    seen.see(pod("n1", "b", leaving=True))
    seen.see(pod("n2", "c", ready=True), kind="ADDED")
    assert seen.moves() == [("a1", "n2")]


def test_a_pod_that_its_kubelet_ended_is_replaced_too():
    """A node that shuts down in order ends its pods: they are Failed, and nobody marks them for deletion."""
    seen = Watched(pod("a1", "a"))
    seen.see(pod("a1", "a", phase="Failed"))
    seen.see(pod("n1", "b", ready=True), kind="ADDED")
    assert seen.moves() == [("a1", "n1")]


async def test_what_is_missing_is_said_with_how_far_it_came():
    """For each owner and reason; how long an unreachable node is tolerated stands in the pods. Each takes longer."""
    unreachable = {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"}
    patient = Toleration(**unreachable, toleration_seconds=300)
    seen = Watched(
        pod("a1", "a", tolerations=(patient,)),
        pod("a2", "a", tolerations=(patient,)),
        pod("eternal", "a", tolerations=(Toleration(operator="Exists"),)),
        pod("hasty", "a", tolerations=(Toleration(key="other", operator="Exists"),)),
        pod("db-0", "a", kind="StatefulSet", owner="db"),
        pod("late", "a", owner="late"),
        pod("lost", "a", owner="lost"),
    )
    seen.see(*(pod(name, "a", owner=owner, leaving=True) for name, owner in (("late", "late"), ("lost", "lost"))))
    seen.see(pod("db-0", "a", kind="StatefulSet", owner="db", leaving=True))
    seen.see(pod("new", "b", owner="late"), kind="ADDED")
    web = "Deployment/web in default"
    assert seen.tracker.missing("a") == [
        f"2 pods of {web} not evicted (they tolerate an unreachable node for 300 s)",
        f"1 pod of {web} not evicted (they tolerate an unreachable node for ever)",
        f"1 pod of {web} not evicted",
        "1 pod of db evicted, but not gone: a StatefulSet replaces them only then",
        "1 pod of late replaced, but not by Ready ones",
        "1 pod of lost evicted, but not replaced",
    ]
    seen.tracker.give_up("a", at=400.0)
    missed = {each.pod.name: (each.waited_ms, each.created_ms) for each in seen.told if isinstance(each, MoveMissed)}
    longer = (300_000.0, None)
    names = ("a1", "a2", "eternal", "hasty", "db-0", "lost")
    assert missed == {**dict.fromkeys(names, longer), "late": (300_000.0, 3_000.0)}
    seen.tracker.stays("a")
    assert seen.tracker.missing("a") == []
    await seen.tracker.wait()


async def test_pods_that_left_for_another_reason_are_not_expected():
    """One was gone before the watch began, one was being deleted before the machine was told to stop."""
    gone, leaving = pod("gone", "a"), pod("leaving", "a")
    tracker = MoveTracker([gone, leaving], {}, emit=lambda _event: None)
    tracker.already_there([leaving])
    tracker.feed(WatchEvent(type="MODIFIED", object=pod("leaving", "a", leaving=True), received=1.0))
    tracker.goes_down("a", 2.0)
    assert tracker.missing("a") == []
    await tracker.wait()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"ready": True}, True),
        ({}, False),
        ({"ready": True, "leaving": True}, False),
        ({"ready": True, "kind": "StatefulSet"}, True),
        ({"ready": True, "kind": "DaemonSet"}, False),
        ({"ready": True, "kind": "Node"}, False),
        ({"ready": True, "kind": "Job"}, False),
    ],
    ids=["Ready", "not Ready", "leaving", "StatefulSet", "DaemonSet", "static", "Job"],
)
def test_what_serves_and_is_replaced_is_expected_elsewhere(given, expected):
    """A DaemonSet's pod belongs to its node, a static pod's owner is its node, a Job may be complete."""
    assert is_expected_elsewhere(pod("a1", "a", **given)) is expected


def test_machines_that_nobody_told_to_stop_are_known():
    """Of two, one goes down: for the other nobody is to wait."""
    tracker = MoveTracker([pod("a1", "a"), pod("b1", "b")], {}, emit=lambda _event: None)
    tracker.goes_down("a", 1.0)
    assert tracker.untouched() == ["b"]


OWNERS = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "rs-1", "controller": True}]


async def create_pod(control, name, node, *, kind="ReplicaSet"):
    body = {
        "metadata": {"name": name, "ownerReferences": [{**OWNERS[0], "kind": kind}]},
        "spec": {"nodeName": node, "containers": [{"name": "c", "image": "busybox"}]},
    }
    await control.server.api.create("pods", body, "default")


async def become(control, name, **status):
    await control.server.api.patch("pods", name, "default", {"status": status}, subresource="status")


@pytest.fixture
async def stopping(control, on_cluster):
    """Two Ready nodes, the first with pods of a ReplicaSet and a DaemonSet, and their machines."""
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    for name in "ab":
        await control.cluster.create(NODES, {"metadata": {"name": name}, "spec": {"providerID": f"memory:///{name}"}})
        status = {"conditions": [{"type": "Ready", "status": "True"}]}
        await control.cluster.patch(NODES, name, {"status": status}, subresource="status")
    await create_pod(control, "web-x", "a")
    await create_pod(control, "agent", "a", kind="DaemonSet")
    for name in ("web-x", "agent"):
        await become(control, name, phase="Running", conditions=[{"type": "Ready", "status": "True"}])
    cloud = MemoryCloud(*(machine(name, provider_id=f"memory:///{name}") for name in "ab"))
    context = replace(on_cluster.context, machines=cloud, settings=Settings(recovery_timeout_seconds=30))
    return context, (await list_targets(context, needs_machines=True))[0][:1]


async def miss(control):
    """The cluster misses the node."""
    status = {"conditions": [{"type": "Ready", "status": "Unknown"}]}
    await control.cluster.patch(NODES, "a", {"status": status}, subresource="status")


async def test_a_stop_is_followed_to_where_its_pods_end_up(control, stopping, on_cluster):
    """Beside the next steps: the pod is marked for deletion, another one becomes Ready elsewhere. No DaemonSet's."""
    context, targets = stopping
    assert (await stop_machines(targets, context, force=True, auto_restart=True)).passed
    await miss(control)
    await control.cluster.delete(PODS, "web-x", namespace="default")
    await create_pod(control, "web-y", "b")
    await become(control, "web-y", phase="Running", conditions=[{"type": "Ready", "status": "True"}])
    assert (await context.scope.settle(timeout_seconds=60)).passed
    events = list(await on_cluster.events())
    [move] = [event for event in events if isinstance(event, PodMoved)]
    assert (move.pod.name, move.pod.node, move.replacement.name, move.replacement.node) == ("web-x", "a", "web-y", "b")
    measured = [(event.name, event.of) for event in events if isinstance(event, MeasurementTaken)]
    assert ("podsRescheduled", "ReplicaSet/web-1 in default") in measured
    assert not [event for event in events if isinstance(event, ProofMissing)]


async def test_pods_that_stay_in_time_are_said_and_change_no_verdict(control, stopping, on_cluster):
    """A node that is gone is tolerated for 300 s by default: longer than most scenarios wait."""
    context, targets = stopping
    await stop_machines(targets, context, force=True, auto_restart=True)
    await miss(control)
    assert (await context.scope.settle(timeout_seconds=1)).passed
    [missing] = [event for event in await on_cluster.events() if isinstance(event, ProofMissing)]
    assert missing == ProofMissing(
        subject="pods of node a replaced",
        reason="within 30 s: 1 pod of ReplicaSet/web-1 in default not evicted (they tolerate an unreachable node for"
        " 300 s)",
    )


async def test_who_may_not_list_pods_is_told_that_nothing_is_proven(control, stopping, on_cluster):
    """The machine is stopped all the same: that is what was asked for."""
    context, targets = stopping
    rules = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch", "get"]}]
    api = control.server.api
    await api.create("clusterroles.rbac.authorization.k8s.io", {"metadata": {"name": "n"}, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "n"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}
    binding = {"metadata": {"name": "n"}, "roleRef": role, "subjects": [subject]}
    await api.create("clusterrolebindings.rbac.authorization.k8s.io", binding)
    async with await control.connect_as("jane") as cluster:
        here = replace(context, cluster=cluster)
        assert (await stop_machines(targets, here, force=True, auto_restart=False)).passed
        await miss(control)
        assert (await here.scope.settle(timeout_seconds=60)).passed
    [missing] = [event for event in await on_cluster.events() if isinstance(event, ProofMissing)]
    assert missing.subject == "pods of node a replaced"
    assert missing.reason.startswith("pods is forbidden")


async def test_a_stop_that_fails_leaves_nothing_to_wait_for(control, stopping):
    """The machine is up: its pods stay, and the scenario ends at once."""
    context, targets = stopping
    context.machines.broken.add("a")
    assert not (await stop_machines(targets, context, force=True, auto_restart=True)).passed
    assert (await context.scope.settle(timeout_seconds=60)).passed
    assert not context.scope.withdraw(moves_promise("a"))


async def test_a_machine_that_is_started_again_keeps_the_pods_that_were_not_evicted(control, stopping, on_cluster):
    """They are not waited for any longer, and that is said."""
    context, targets = stopping
    await stop_machines(targets, context, force=True, auto_restart=True)
    await miss(control)
    await control.cluster.patch(
        NODES, "a", {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, subresource="status"
    )
    assert (await start(Start(), tuple(targets), context)).passed
    assert (await context.scope.settle(timeout_seconds=60)).passed
    [missing] = [event for event in await on_cluster.events() if isinstance(event, ProofMissing)]
    assert (missing.subject, missing.reason) == (
        "pods of node a replaced",
        "its machine was started again before that",
    )
