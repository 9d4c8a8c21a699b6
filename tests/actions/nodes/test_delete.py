"""The node action delete: machines are gone for good, and nothing pretends to bring them back."""

import asyncio

import pytest
from msgspec.structs import replace

from seatrial.kube.resources import NODES
from seatrial.machines.driver import Capability, MachineState
from seatrial.policy.load import load_policy
from seatrial.policy.problems import InvalidPolicy
from seatrial.runtime.context import Settings
from seatrial.runtime.events import FaultProven, MachineDeleted, MachineSkipped, MeasurementTaken, ProofMissing
from seatrial.runtime.guardrails import Guardrails
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.verdict import Verdict
from seatrial.steps.node_action import NodeAction
from seatrial.steps.node_action import plan as plan_step
from seatrial.steps.node_action import run as run_step
from seatrial.steps.registry import policy_model
from tests.machines.made import MemoryCloud, machine

DELETE = {"delete": {"forGood": True}}


def step(*actions, name=".*"):
    return NodeAction.model_validate(
        {"matches": [{"property": {"name": "name", "value": name}}], "actions": list(actions) or [DELETE]}
    )


@pytest.fixture
async def nodes(control, on_cluster):
    """Two Ready nodes in a zone, each with its machine, and a machine that no node runs on."""
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    zone = {"topology.kubernetes.io/zone": "west-1"}
    for name in "ab":
        metadata = {"name": name, "labels": zone}
        await control.cluster.create(NODES, {"metadata": metadata, "spec": {"providerID": f"memory:///{name}"}})
        await report(control, name, ready="True")
    machines = [machine(f"i-{name}", provider_id=f"memory:///{name}") for name in "ab"]
    cloud = MemoryCloud(*machines, machine("i-db", name="db"))
    return cloud, replace(on_cluster.context, machines=cloud, settings=Settings(recovery_timeout_seconds=30))


async def report(control, name, *, ready):
    status = {"conditions": [{"type": "Ready", "status": ready}]}
    await control.cluster.patch(NODES, name, {"status": status}, subresource="status")


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


@pytest.mark.parametrize("spec", ["{}", "{forGood: false}", "null"])
def test_a_policy_has_to_say_that_it_is_for_good(spec):
    """Nobody deletes a machine by leaving something out."""
    text = f"""
scenarios:
- name: deletes
  steps:
  - nodeAction:
      matches: [{{property: {{name: name, value: a}}}}]
      actions: [{{delete: {spec}}}]
"""
    with pytest.raises(InvalidPolicy):
        load_policy(text.encode(), model=policy_model(), name="p")


async def test_machines_are_deleted_and_nothing_brings_them_back(control, nodes, on_cluster):
    """That they are gone is what the cloud says; that their nodes are missed is waited for beside the next steps."""
    cloud, context = nodes
    assert (await run_step(step(name="a$"), context)).passed
    assert sorted(cloud.machines) == ["i-b", "i-db"]
    assert context.journal.newer_than(0) == []
    await report(control, "a", ready="Unknown")
    assert (await context.scope.settle(timeout_seconds=30)).passed
    events = list(await on_cluster.events())
    assert [(event.id, event.name) for event in of(events, MachineDeleted)] == [("i-a", "a")]
    assert [event.name for event in of(events, MeasurementTaken)] == ["machineDeleted", "nodeNotReady"]
    proven = [(event.subject, event.proof) for event in of(events, FaultProven)]
    assert proven[0] == ("deletion of machine i-a", "the driver 'memory' knows it no more")
    assert of(events, ProofMissing) == []


async def test_a_node_that_goes_with_its_machine_is_missed_too(control, nodes, on_cluster):
    """A cloud's controller deletes the Node of a machine that is gone."""
    _, context = nodes
    assert (await run_step(step(name="a$"), context)).passed
    await control.cluster.delete(NODES, "a")
    assert (await context.scope.settle(timeout_seconds=30)).passed
    assert "nodeNotReady" in [event.name for event in of(await on_cluster.events(), MeasurementTaken)]


async def test_the_plan_says_that_nothing_brings_them_back(nodes):
    """Each machine by its id."""
    _, context = nodes
    planned = await plan_step(step(), context)
    assert planned.changes == (
        "delete machine i-a of node a, for good: nothing brings it back",
        "delete machine i-b of node b, for good: nothing brings it back",
    )


async def test_a_machine_without_a_node_can_be_deleted(nodes):
    """Where the inventory comes from the cloud."""
    cloud, context = nodes
    context = replace(context, settings=Settings(inventory_cloud=True))
    assert (await run_step(step(name="db$"), context)).passed
    assert sorted(cloud.machines) == ["i-a", "i-b"]


async def test_a_driver_that_deletes_nothing_is_refused_before_anything(nodes):
    """By the plan and by the run."""
    cloud, context = nodes
    cloud.can = frozenset(Capability) - {Capability.DELETE}
    assert (await plan_step(step(), context)).refused
    assert (await run_step(step(), context)).verdict is Verdict.INCONCLUSIVE
    assert len(cloud.machines) == 3


async def test_guardrails_hold_for_deletions(nodes):
    """A machine that is deleted is out of service like one that is stopped, and stays so for later steps."""
    cloud, context = nodes
    context = replace(context, settings=Settings(recovery_timeout_seconds=0, guardrails=Guardrails(most_of_zone=0.5)))
    assert (await run_step(step(), context)).verdict is Verdict.INCONCLUSIVE
    assert len(cloud.machines) == 3
    assert (await run_step(step(name="a$"), context)).passed
    assert (await run_step(step(name="b$"), context)).verdict is Verdict.INCONCLUSIVE
    assert sorted(cloud.machines) == ["i-b", "i-db"]


async def test_a_machine_that_the_cloud_keeps_is_not_deleted(nodes, on_cluster):
    """Inconclusive, with the cloud's words; its node is not waited for."""
    cloud, context = nodes
    cloud.broken = {"i-a"}
    outcome = await run_step(step(name="a$"), context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons == ("the machine of node a could not be deleted: machine i-a is locked",)
    assert (await context.scope.settle(timeout_seconds=0)).passed
    assert [event.error for event in of(await on_cluster.events(), MachineSkipped)] == [True]


async def test_a_cloud_that_only_says_so_has_deleted_nothing(nodes):
    """A machine that is up afterwards was not deleted."""
    cloud, context = nodes

    class Forgetful(MemoryCloud):
        async def delete(self, machine_id):
            pass

    forgetful = Forgetful(*cloud.machines.values())
    outcome = await run_step(step(name="a$"), replace(context, machines=forgetful))
    assert outcome.reasons == ("the machine of node a could not be deleted: machine i-a is UP after it was deleted",)


async def test_a_machine_that_a_cloud_still_tells_of_is_deleted_when_it_is_down(nodes, on_cluster):
    """As Amazon does for an hour."""
    cloud, context = nodes

    class Telling(MemoryCloud):
        async def delete(self, machine_id):
            self._become(machine_id, MachineState.DOWN)

    telling = Telling(*cloud.machines.values())
    assert (await run_step(step(name="a$"), replace(context, machines=telling))).passed
    [proven] = of(await on_cluster.events(), FaultProven)
    assert proven.proof == "the driver 'memory' says that it is DOWN"


async def test_a_machine_that_was_gone_already_is_nothing_to_do(nodes, on_cluster):
    """Unless this scenario has deleted it: then its try counts as done."""
    cloud, context = nodes

    class Replacing(MemoryCloud):
        """Lists a machine that is gone by the time that somebody looks."""

        async def describe(self, machine_id):
            self.machines.pop(machine_id, None)
            return await super().describe(machine_id)

    outcome = await run_step(step(name="a$"), replace(context, machines=Replacing(*cloud.machines.values())))
    assert (outcome.verdict, outcome.reasons) == (Verdict.INCONCLUSIVE, ("every machine was gone already",))
    assert of(await on_cluster.events(), MachineSkipped)[0].reason == "is gone already"


async def test_a_node_whose_machine_nobody_knows_is_said(control, nodes):
    """The others are deleted."""
    cloud, context = nodes
    await control.cluster.create(NODES, {"metadata": {"name": "c"}})
    outcome = await run_step(step(), context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "machine of node c could not be deleted" in outcome.reasons[0]
    assert sorted(cloud.machines) == ["i-db"]
    assert any("node c: " in note for note in (await plan_step(step(name="c"), context)).notes)


async def test_interrupted_in_the_middle_it_says_nothing_of_an_undo(nodes):
    """There is none: the journal has no entry that would promise one."""
    cloud, context = nodes

    class Slow(MemoryCloud):
        begun = asyncio.Event()

        async def delete(self, machine_id):
            self.begun.set()
            await asyncio.Event().wait()

    slow = Slow(*cloud.machines.values())
    deleting = asyncio.create_task(run_step(step(name="a$"), replace(context, machines=slow)))
    await slow.begun.wait()
    deleting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await deleting
    assert context.journal.newer_than(0) == []
