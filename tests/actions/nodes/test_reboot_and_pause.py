"""The node actions reboot and pause, on an API server with one node and a cloud in memory."""

import asyncio

import pytest
from msgspec.structs import replace

from seatrial.actions.machine_starts import START_MACHINE
from seatrial.actions.nodes.pause import ACTION as PAUSE
from seatrial.actions.nodes.pause import Pause
from seatrial.actions.nodes.reboot import ACTION as REBOOT
from seatrial.actions.nodes.reboot import Reboot
from seatrial.errors import MachineError, StateError
from seatrial.kube.resources import LEASES, NODES
from seatrial.machines.driver import Capability, MachineState
from seatrial.machines.lazy import LazyMachines
from seatrial.machines.pausing import pause as pause_machine
from seatrial.runtime.context import Settings
from seatrial.runtime.events import (
    FaultCleared,
    FaultProven,
    MachinePaused,
    MachineRebooted,
    MachineSkipped,
    MachineStarted,
    MeasurementTaken,
    ProofMissing,
)
from seatrial.runtime.guardrails import Guardrails
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.verdict import Verdict
from seatrial.steps.node_action import NodeAction
from seatrial.steps.node_action import plan as plan_step
from seatrial.steps.node_action import run as run_step
from seatrial.targets.nodes import list_targets
from tests.machines.made import MemoryCloud, machine

LEASE_NAMESPACE = "kube-node-lease"
EVERY_NODE = {"property": {"name": "name", "value": ".*"}}


class Cloud(MemoryCloud):
    """One that can pause machines; `rebooted` is set when one was told to reboot."""

    def __init__(self, *machines, **given):
        super().__init__(*machines, **given)
        self.rebooted = asyncio.Event()

    async def reboot(self, machine_id, *, force=False):
        await super().reboot(machine_id, force=force)
        self.rebooted.set()

    async def pause(self, machine_id):
        self._become(machine_id, MachineState.UNKNOWN)


async def report(control, *, boot="first", ready="True", renewed=None):
    """What the node's kubelet, or the controller that misses it, writes."""
    status = {"conditions": [{"type": "Ready", "status": ready}], "nodeInfo": {"bootID": boot}}
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
    await report(control)
    cloud = Cloud(machine("a", provider_id="memory:///a"))
    context = replace(on_cluster.context, machines=cloud, settings=Settings(recovery_timeout_seconds=30))
    targets, _ = await list_targets(context, needs_machines=True)
    return cloud, tuple(targets), context


def step(*actions):
    return NodeAction.model_validate({"matches": [EVERY_NODE], "actions": list(actions)})


async def told(recorder, kind):
    return [event for event in await recorder.events() if isinstance(event, kind)]


async def test_a_reboot_is_proven_by_the_boot_id_beside_the_next_steps(control, one_node, on_cluster):
    """The step ends when the cloud says that the machine is up; Ready with the old boot id is no proof of anything."""
    _, targets, context = one_node
    assert (await REBOOT.run(Reboot(force=True), targets, context)).passed
    await report(control, ready="Unknown")
    await report(control)
    await report(control, boot="second", ready="False")
    await report(control, boot="second")
    assert (await context.scope.settle(timeout_seconds=30)).passed
    events = list(await on_cluster.events())
    [rebooted] = [event for event in events if isinstance(event, MachineRebooted)]
    assert (rebooted.id, rebooted.name, rebooted.force) == ("a", "a", True)
    assert [event.name for event in events if isinstance(event, MeasurementTaken)] == ["machineRebooted", "nodeReady"]
    assert [event.subject for event in events if isinstance(event, FaultProven)] == ["reboot of node a"]
    assert [event.subject for event in events if isinstance(event, FaultCleared)] == ["reboot of node a"]


async def test_a_kubelet_that_is_quicker_than_the_cloud_is_not_missed(control, one_node, on_cluster):
    """The node may report its other boot before the cloud says that its machine is up."""
    cloud, targets, context = one_node
    go_on = asyncio.Event()

    class Slow(Cloud):
        async def reboot(self, machine_id, *, force=False):
            await super().reboot(machine_id, force=force)
            await go_on.wait()

    slow = Slow(*cloud.machines.values())
    rebooting = asyncio.create_task(REBOOT.run(Reboot(), targets, replace(context, machines=slow)))
    await slow.rebooted.wait()
    await report(control, boot="second")
    go_on.set()
    assert (await rebooting).passed
    assert (await context.scope.settle(timeout_seconds=30)).passed
    assert len(await told(on_cluster, FaultCleared)) == 1


async def test_a_reboot_that_is_not_seen_is_inconclusive(one_node, on_cluster):
    """The cloud says it is up, but the node never reports another boot: nobody knows that it rebooted."""
    _, targets, context = one_node
    assert (await REBOOT.run(Reboot(), targets, context)).passed
    outcome = await context.scope.settle(timeout_seconds=0.05)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons == ("node a was rebooted: it was not Ready with another boot id within 30 s",)
    assert len(await told(on_cluster, ProofMissing)) == 1


async def test_with_a_recovery_timeout_of_0_nobody_waits(one_node, on_cluster):
    """That there is no proof is said."""
    _, targets, context = one_node
    context = replace(context, settings=Settings(recovery_timeout_seconds=0))
    assert (await REBOOT.run(Reboot(), targets, context)).passed
    assert (await context.scope.settle(timeout_seconds=30)).passed
    [missing] = await told(on_cluster, ProofMissing)
    assert "nobody waits" in missing.reason


async def test_clean_up_starts_a_machine_that_stayed_down(control, one_node, on_cluster):
    """The undo is in the journal before the reboot; it finds the machine down, and starts it."""
    cloud, targets, context = one_node
    assert (await REBOOT.run(Reboot(), targets, context)).passed
    await cloud.stop("a")
    [written] = context.journal.newer_than(0)
    assert (written.undo.kind, written.undo.manual) == ("startMachine", "cloud start a")
    undo = asyncio.create_task(START_MACHINE.run(written.undo.args, context.world))
    await cloud.started.wait()
    await report(control, boot="second", renewed="2030-01-01T12:00:10.000000Z")
    assert await undo == ""
    assert cloud.states() == {"a": "UP"}
    assert [event.subject for event in await told(on_cluster, FaultCleared)][-1] == "reboot of machine a"


async def test_clean_up_after_a_reboot_claims_nothing_of_a_machine_that_is_up(control, one_node, on_cluster):
    """It only looks: that the reboot is over was seen by the boot id, and is not proven twice."""
    cloud, targets, context = one_node
    assert (await REBOOT.run(Reboot(), targets, context)).passed
    [written] = context.journal.newer_than(0)
    undo = asyncio.create_task(START_MACHINE.run(written.undo.args, context.world))
    await cloud.started.wait()
    await report(control, renewed="2030-01-01T12:00:10.000000Z")
    assert await undo == ""
    assert await told(on_cluster, FaultCleared) == await told(on_cluster, MachineStarted) == []


@pytest.mark.parametrize("action", [REBOOT, PAUSE], ids=["reboot", "pause"])
async def test_a_machine_that_refuses_leaves_nothing_to_wait_for(one_node, on_cluster, action):
    """What the cloud says is the reason; the undo stays, since nobody knows what the cloud did."""
    cloud, targets, context = one_node
    cloud.broken.add("a")
    outcome = await action.run(action.model(), targets, context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "machine a is locked" in outcome.reasons[0]
    assert len(context.journal.newer_than(0)) == 1
    assert (await asyncio.wait_for(context.scope.settle(timeout_seconds=600), 60)).passed


@pytest.mark.parametrize("action", [REBOOT, PAUSE], ids=["reboot", "pause"])
async def test_a_journal_that_cannot_be_written_leaves_the_machine_alone(one_node, on_cluster, action):
    """The step ends with what is wrong with the disk; nothing is waited for."""
    cloud, targets, context = one_node
    on_cluster.journal._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StateError):
        await action.run(action.model(), targets, context)
    assert cloud.states() == {"a": "UP"}
    assert not cloud.rebooted.is_set()
    assert (await asyncio.wait_for(context.scope.settle(timeout_seconds=600), 60)).passed


@pytest.mark.parametrize("action", [REBOOT, PAUSE], ids=["reboot", "pause"])
async def test_only_a_machine_that_is_up_is_touched(one_node, on_cluster, action):
    """One that is down, and one that nobody knows, are said; nothing is written down."""
    cloud, targets, context = one_node
    await cloud.stop("a")
    outcome = await action.run(action.model(), targets, context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "only one that is UP" in outcome.reasons[0]
    [unknown] = [type(each)(node=each.node, problem="two machines claim it") for each in targets]
    outcome = await action.run(action.model(), (unknown,), context)
    assert "two machines claim it" in outcome.reasons[0]
    assert context.journal.newer_than(0) == []
    assert [event.error for event in await told(on_cluster, MachineSkipped)] == [True, True]


@pytest.mark.parametrize(("action", "missing"), [("reboot", Capability.REBOOT), ("pause", Capability.PAUSE)])
async def test_what_the_driver_can_not_do_is_refused_before_anything_is_touched(one_node, action, missing):
    """By the step and by its plan, with what the driver says."""
    cloud, _, context = one_node
    cloud.can = frozenset(Capability) - {missing}
    outcome = await run_step(step({"cordon": {}}, {action: {}}), context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert f"can't {action}" in outcome.reasons[0]
    [refused] = (await plan_step(step({action: {}}), context)).refused
    assert f"can't {action}" in refused
    assert context.journal.newer_than(0) == []


@pytest.mark.parametrize("action", ["reboot", "pause"])
async def test_what_runs_on_the_machine_counts_for_the_guardrails(control, one_node, action):
    """Its pods are victims, and lost to their owners."""
    _, _, context = one_node
    await control.create_pods("web", owner={"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "w"})
    binding = {"target": {"kind": "Node", "name": "a"}, "metadata": {"name": "web"}}
    await control.cluster.request_json("POST", "/api/v1/namespaces/default/pods/web/binding", binding)
    context = replace(context, settings=Settings(guardrails=Guardrails(protected=frozenset({"default"}))))
    planned = await plan_step(step({action: {}}), context)
    assert [pod.name for pod in planned.victims] == ["web"]
    assert [reason.partition(":")[0] for reason in planned.refused] == ["protectNamespaces"]
    assert planned.changes[0].startswith(f"{action} machine a of node a")


async def test_a_paused_machine_is_missed_and_goes_on_at_clean_up(control, one_node, on_cluster):
    """The driver says that it stands still, the cluster that its node is silent; clean-up is done when it is Ready."""
    cloud, targets, context = one_node
    assert (await PAUSE.run(Pause(), targets, context)).passed
    assert cloud.states() == {"a": "UNKNOWN"}
    await report(control, ready="Unknown")
    assert (await context.scope.settle(timeout_seconds=30)).passed
    [written] = context.journal.newer_than(0)
    assert written.undo.description == "let the machine of node a go on (a)"
    undo = asyncio.create_task(START_MACHINE.run(written.undo.args, context.world))
    await cloud.started.wait()
    await report(control, renewed="2030-01-01T12:00:10.000000Z")
    assert await undo == ""
    events = list(await on_cluster.events())
    assert [event.id for event in events if isinstance(event, MachinePaused | MachineStarted)] == ["a", "a"]
    assert [event.subject for event in events if isinstance(event, FaultProven | FaultCleared)] == [
        "pause of machine a",
        "node a not Ready",
        "pause of machine a",
    ]
    assert next(each.proof for each in events if isinstance(each, FaultCleared)).endswith("was told to go on")


async def test_what_an_earlier_try_paused_counts_as_done(one_node, on_cluster):
    """A retry finds it so, which is its own doing."""
    _, targets, context = one_node
    assert (await PAUSE.run(Pause(), targets, context)).passed
    assert (await PAUSE.run(Pause(), targets, context)).passed
    assert len(context.journal.newer_than(0)) == 1
    [skipped] = await told(on_cluster, MachineSkipped)
    assert skipped.reason == "is paused already: this scenario did it"


async def test_a_driver_that_is_looked_for_late_can_pause_too(one_node, control):
    """And one that can't says so."""
    cloud, _, _ = one_node

    async def find():
        return cloud

    await pause_machine(LazyMachines(find), "a")
    assert cloud.states() == {"a": "UNKNOWN"}
    with pytest.raises(MachineError, match="the driver 'memory' can't pause machines"):
        await pause_machine(MemoryCloud(machine("a")), "a")
