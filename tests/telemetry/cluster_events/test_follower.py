"""Events in the cluster that tell who did it, written to a real API server."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from seatrial.kube.objects import Pod
from seatrial.kube.resources import DEPLOYMENTS, NODES, PODS, REPLICASETS
from seatrial.runtime.context import Context
from seatrial.runtime.events import (
    CommandExecuted,
    MachineStopped,
    NodeCordoned,
    NodeRef,
    NodesChosen,
    PodKilled,
    PodRecovered,
    ScenarioFinished,
    ScenarioStarted,
    TargetsChosen,
    UndoFailed,
    Where,
)
from seatrial.runtime.verdict import Verdict
from seatrial.targets.pods import pod_ref
from seatrial.telemetry.cluster_events.follower import writing_events
from seatrial.telemetry.cluster_events.notes import NodeNamed, Note
from seatrial.telemetry.cluster_events.subjects import Reference
from seatrial.telemetry.cluster_events.writer import EVENTS, EventWriter

TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
SPEC = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE}
WHERE = Where(round=1, scenario="kill one", step=0)


@pytest.fixture
async def web(control):
    """A pod of a ReplicaSet of a Deployment, as its controllers would have made it."""
    cluster = control.cluster
    deployment = await cluster.create(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": SPEC})
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "controller": True, "name": "web"}
    above = {**owner, "uid": deployment["metadata"]["uid"]}
    replicas = await cluster.create(
        REPLICASETS, {"metadata": {"name": "web-1", "ownerReferences": [above]}, "spec": SPEC}
    )
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": replicas["metadata"]["uid"]}
    [pod] = await control.create_pods("web-1-a", owner=owner, app="web")
    return pod_ref(await cluster.get(PODS, pod["metadata"]["name"], type=Pod)), deployment["metadata"]["uid"]


async def written(cluster):
    """All Events, as `(kind/name, reason, type, note)`, in the order of their times."""
    listed = await cluster.list(EVENTS)
    ordered = sorted(listed.items, key=lambda each: each["eventTime"])
    return [
        (f"{each['regarding']['kind']}/{each['regarding']['name']}", each["reason"], each["type"], each["note"])
        for each in ordered
    ]


async def tell(made, *events, context: Context | None = None):
    """What an experiment does, with Events about it written beside."""
    context = (context or made.context).at(where=WHERE)
    async with writing_events(context, instance="ops-1"):
        for event in events:
            context.emit(event)
            await made.clock.sleep(1)  # each event has a time of its own


async def test_a_killed_pod_and_its_deployment_tell_who_killed_it(on_cluster, web):
    """The pod's Event has its UID, so that it is told from its successor; the owner hears of all that befalls it."""
    pod, uid = web
    after = pod_ref(Pod(metadata=await _metadata(on_cluster, pod.name)))
    await tell(
        on_cluster,
        ScenarioStarted(name="kill one", description=""),
        TargetsChosen(pods=(pod,), matched=1),
        PodKilled(pod=pod, force=True, duration_ms=1),
        PodRecovered(pod=pod, replacement=after, gone_ms=1, created_ms=2, scheduled_ms=3, running_ms=4, ready_ms=1234),
        ScenarioFinished(name="kill one", verdict=Verdict.FAILED, reasons=("too slow",), duration_ms=1),
    )
    told = await written(on_cluster.context.cluster)
    ours = " (Seatrial, run run-1)"
    began = f"Experiment 'kill one' chose this as its target{ours}"
    assert [each for each in told if each[0] == "Deployment/web"] == [
        ("Deployment/web", "SeatrialExperimentStarted", "Normal", began),
        ("Deployment/web", "SeatrialPodKilled", "Warning", f"Killed pod web-1-a at once{ours}"),
        (
            "Deployment/web", "SeatrialPodReplaced", "Normal",
            f"Pod web-1-a took the place of web-1-a and was Ready after 1.23 s{ours}",
        ),
        ("Deployment/web", "SeatrialExperimentFinished", "Warning", f"Experiment 'kill one' failed: too slow{ours}"),
    ]  # fmt: skip
    assert [each[:3] for each in told if each[0] == "Pod/web-1-a"] == [("Pod/web-1-a", "SeatrialPodKilled", "Warning")]
    [about_pod] = [
        each for each in (await on_cluster.context.cluster.list(EVENTS)).items if each["regarding"]["kind"] == "Pod"
    ]
    assert about_pod["regarding"]["uid"] == pod.uid
    assert about_pod["metadata"]["annotations"] == {"seatrial.io/run": "run-1"}
    assert about_pod["reportingController"] == "seatrial.io/experiment"
    assert about_pod["reportingInstance"] == "seatrial-ops-1"
    assert uid


async def _metadata(made, name):
    return (await made.context.cluster.get(PODS, name, type=Pod)).metadata


async def test_nodes_tell_what_was_done_to_their_machines(on_cluster):
    """Where only the node's name is known, its UID is looked up; commands are not repeated."""
    created = await on_cluster.context.cluster.create(NODES, {"metadata": {"name": "node1"}})
    uid = created["metadata"]["uid"]
    node = NodeRef("node1", uid)
    await tell(
        on_cluster,
        NodesChosen(nodes=(node,), matched=1),
        NodeCordoned(node=node),
        MachineStopped(id="i-1", name="node1", force=True, duration_ms=1),
        CommandExecuted(id=uid, name="node1", command="login --password x", exit_code=0, output="x", duration_ms=1),
        UndoFailed(description="start i-1", error="cloud is down", manual="cloud start i-1"),
    )
    told = await written(on_cluster.context.cluster)
    assert {each[0] for each in told} == {"Node/node1"}
    assert [each[1] for each in told] == [
        "SeatrialExperimentStarted", "SeatrialNodeCordoned", "SeatrialMachineStopped", "SeatrialCommandExecuted",
        "SeatrialCleanUpFailed",
    ]  # fmt: skip
    assert "password" not in str(told)
    assert "By hand: cloud start i-1" in told[-1][3]
    items = (await on_cluster.context.cluster.list(EVENTS)).items
    assert {each["regarding"]["uid"] for each in items} == {uid}
    assert {each["metadata"]["namespace"] for each in items} == {"default"}


async def test_what_is_not_there_any_more_is_not_told_of(on_cluster):
    """A node that was deleted meanwhile: no Event, no complaint."""
    await tell(on_cluster, MachineStopped(id="i-1", name="gone", force=True, duration_ms=1))
    assert await written(on_cluster.context.cluster) == []


async def test_without_permission_it_is_said_once(control, on_cluster, web, caplog):
    """The run goes on; one line says what to allow, and one at the end how many are missing."""
    pod, _ = web
    from msgspec.structs import replace

    async with await control.connect_as("nobody") as cluster:
        context = replace(on_cluster.context, cluster=cluster)
        with caplog.at_level(logging.WARNING, logger="seatrial.kubernetes_events"):
            await tell(on_cluster, *[PodKilled(pod=pod, force=True, duration_ms=1)] * 3, context=context)
    lines = [each.getMessage() for each in caplog.records if each.name == "seatrial.kubernetes_events"]
    assert len(lines) == 2
    assert "allow 'create' and 'patch' on events.events.k8s.io" in lines[0]
    assert lines[1] == "6 Kubernetes Events could not be written"


NOTE = Note(about=NodeNamed("n"), reason="R", action="A", text="again")
ABOUT = Reference("v1", "Node", "", "n", "uid-1")
TIME = datetime(2030, 1, 1, tzinfo=UTC)


def writer_of(made):
    return EventWriter(made.context.cluster, run_id="run-1", instance="i", clock=made.clock)


async def test_what_happens_again_is_a_series(on_cluster):
    """One Event, how often and when last; after six minutes of silence it is another one."""
    writer = writer_of(on_cluster)
    for number in range(3):
        await writer.write(NOTE, ABOUT, time=TIME + timedelta(seconds=number), sequence=number)
        await on_cluster.clock.sleep(1)
    await on_cluster.clock.sleep(400)
    await writer.write(NOTE, ABOUT, time=TIME, sequence=99)
    found = (await on_cluster.context.cluster.list(EVENTS)).items
    assert len(found) == 2
    [series] = [each["series"] for each in found if "series" in each]
    assert series == {"count": 3, "lastObservedTime": "2030-01-01T00:00:02.000000Z"}


async def test_a_series_goes_on_where_its_event_has_expired(on_cluster):
    """API servers keep Events for an hour; what happens then is told anew."""
    writer = writer_of(on_cluster)
    cluster = on_cluster.context.cluster
    await writer.write(NOTE, ABOUT, time=TIME, sequence=1)
    [event] = (await cluster.list(EVENTS)).items
    await cluster.delete(EVENTS, event["metadata"]["name"], namespace="default")
    await writer.write(NOTE, ABOUT, time=TIME, sequence=2)
    assert len((await cluster.list(EVENTS)).items) == 1


async def test_an_experiment_on_thousands_floods_no_api_server(on_cluster, caplog):
    """A hundred at once, then five a second; what is left out is counted."""
    writer = writer_of(on_cluster)

    async def write(number):
        about = Reference("v1", "Node", "", f"n{number}", f"uid-{number}")
        await writer.write(NOTE, about, time=TIME, sequence=number)

    for number in range(120):
        await write(number)
    await on_cluster.clock.sleep(2)
    for number in range(120, 140):
        await write(number)
    writer.close()
    assert len((await on_cluster.context.cluster.list(EVENTS)).items) == 110
    assert "30 Kubernetes Events were left out" in caplog.text
