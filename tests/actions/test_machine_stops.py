"""Switching machines off and on, as the cluster sees it."""

import asyncio

import pytest
from msgspec.structs import replace

from seatrial.actions.machine_starts import START_MACHINE
from seatrial.actions.machine_stops import stop_machines
from seatrial.actions.nodes.start import Start
from seatrial.actions.nodes.start import run as start
from seatrial.errors import MachineError, StateError
from seatrial.kube.resources import LEASES, NODES
from seatrial.runtime.context import Settings
from seatrial.runtime.events import FaultCleared, FaultProven, MachineStarted, MeasurementTaken, ProofMissing
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.verdict import Verdict
from seatrial.targets.nodes import list_targets
from tests.machines.made import MemoryCloud, machine

LEASE_NAMESPACE = "kube-node-lease"


async def report(control, *, ready, renewed=None):
    """What the node's kubelet, or the controller that misses it, writes."""
    status = {"conditions": [{"type": "Ready", "status": ready}]}
    await control.cluster.patch(NODES, "a", {"status": status}, subresource="status")
    if renewed:
        await control.cluster.patch(LEASES, "a", {"spec": {"renewTime": renewed}}, namespace=LEASE_NAMESPACE)


@pytest.fixture
async def one_node(control, on_cluster):
    """A Ready node with a Lease, and its machine in a cloud."""
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    await control.cluster.create(NODES, {"metadata": {"name": "a"}, "spec": {"providerID": "memory:///a"}})
    lease = {"metadata": {"name": "a"}, "spec": {"holderIdentity": "a", "renewTime": "2030-01-01T12:00:00.000000Z"}}
    await control.cluster.create(LEASES, lease, namespace=LEASE_NAMESPACE)
    await report(control, ready="True")
    cloud = MemoryCloud(machine("a", provider_id="memory:///a"))
    context = replace(on_cluster.context, machines=cloud, settings=Settings(recovery_timeout_seconds=30))
    targets, _ = await list_targets(context, needs_machines=True)
    return cloud, targets, context


async def test_that_the_cluster_misses_a_node_is_measured_beside_the_next_steps(control, one_node, on_cluster):
    """The stop ends when the machine is down; when the node is NotReady is a measurement of its own, and proof."""
    _, targets, context = one_node
    assert (await stop_machines(targets, context, force=False, auto_restart=True)).passed
    await report(control, ready="Unknown")
    assert (await context.scope.settle(timeout_seconds=30)).passed
    events = list(await on_cluster.events())
    assert [event.name for event in events if isinstance(event, MeasurementTaken)] == ["machineStopped", "nodeNotReady"]
    assert [event.subject for event in events if isinstance(event, FaultProven)] == [
        "stop of machine a",
        "node a not Ready",
    ]


async def test_a_cluster_that_does_not_miss_it_in_time_is_said_and_changes_no_verdict(one_node, on_cluster):
    """The machine is down, which its cloud says; that the cluster is slow to notice is no failure of the step."""
    _, targets, context = one_node
    await stop_machines(targets, context, force=False, auto_restart=True)
    assert (await context.scope.settle(timeout_seconds=0.05)).passed
    await context.scope.close()
    events = list(await on_cluster.events())
    [missing] = [event for event in events if isinstance(event, ProofMissing)]
    assert missing.reason == "the cluster did not miss it within 30 s"
    [taken] = [event for event in events if isinstance(event, MeasurementTaken) and event.name == "nodeNotReady"]
    assert taken.is_lower_bound


async def test_a_journal_that_cannot_be_written_leaves_the_machine_up_and_nothing_to_wait_for(one_node, on_cluster):
    """The step ends with what is wrong with the disk; the scenario does not wait for a node that nobody stopped."""
    cloud, targets, context = one_node
    on_cluster.journal._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StateError):
        await stop_machines(targets, context, force=False, auto_restart=True)
    assert cloud.states() == {"a": "UP"}
    assert (await asyncio.wait_for(context.scope.settle(timeout_seconds=600), 60)).passed


async def test_a_machine_is_back_when_its_kubelet_reports_again(control, one_node, on_cluster):
    """A node that still counts as Ready from before is not back: its Lease has to be renewed first."""
    cloud, targets, context = one_node
    await stop_machines(targets, context, force=False, auto_restart=True)
    [written] = context.journal.newer_than(0)
    undo = asyncio.create_task(START_MACHINE.run(written.undo.args, context.world))
    await cloud.started.wait()
    await report(control, ready="True")
    assert not undo.done()
    await report(control, ready="True", renewed="2030-01-01T12:00:10.000000Z")
    assert await undo == ""
    events = list(await on_cluster.events())
    assert [event.id for event in events if isinstance(event, MachineStarted)] == ["a"]
    assert [event.name for event in events if isinstance(event, MeasurementTaken)][-2:] == [
        "machineStarted",
        "nodeReady",
    ]
    assert [event.subject for event in events if isinstance(event, FaultCleared)] == ["stop of machine a"]


async def test_an_undo_of_a_stop_that_never_happened_does_nothing(control, one_node, on_cluster):
    """Safe when the process died between the journal and the stop: the machine is up, and stays so."""
    _, _, context = one_node
    undo = asyncio.create_task(START_MACHINE.run({"driver": "memory", "id": "a", "node": "a"}, context.world))
    renewals = (f"2030-01-01T12:00:{second:02}.000000Z" for second in range(1, 60))
    while not undo.done():
        await report(control, ready="True", renewed=next(renewals))
    assert await undo == ""
    assert not [event for event in await on_cluster.events() if isinstance(event, MachineStarted)]


async def test_a_node_that_is_started_before_it_was_missed_can_not_be_measured(control, one_node, on_cluster):
    """The start withdraws the measurement, so that the scenario doesn't wait for what can't come."""
    _, targets, context = one_node
    await stop_machines(targets, context, force=False, auto_restart=True)
    starting = asyncio.create_task(start(Start(), tuple(targets), context))
    renewals = (f"2030-01-01T12:01:{second:02}.000000Z" for second in range(1, 60))
    while not starting.done():
        await report(control, ready="True", renewed=next(renewals))
    assert (await starting).passed
    assert (await context.scope.settle(timeout_seconds=30)).passed
    events = list(await on_cluster.events())
    [missing] = [event for event in events if isinstance(event, ProofMissing)]
    assert missing.reason == "its machine was started again before the cluster missed it"
    [taken] = [event for event in events if isinstance(event, MeasurementTaken) and event.name == "nodeNotReady"]
    assert taken.is_lower_bound


async def test_a_node_that_does_not_come_back_in_time_makes_start_inconclusive(one_node):
    """The machine is up, its kubelet isn't heard of."""
    cloud, targets, context = one_node
    await cloud.stop("a")
    outcome = await start(Start(timeout=0.2), tuple(targets), context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons == ("node a was not Ready within 0.2 s of its machine's start",)


async def test_an_undo_of_another_clouds_machine_finds_its_own_driver(one_node):
    """A run that cleans up after another one uses the driver whose name stands in the journal, not its own."""
    _, _, context = one_node
    with pytest.raises(MachineError, match="no cloud is configured"):
        await START_MACHINE.run({"driver": "none", "id": "a", "node": "a"}, context.world)
