"""The node action `delete`: delete the machines under the nodes, for good.

The only action that nothing undoes: a machine that was deleted is gone with its disks, whatever clean-up does. So a
policy has to say `forGood: true`, and the plan says it again. Whether another machine takes its place is up to whoever
manages the machines; a Node object without a machine is deleted by the cloud's controller, where there is one
(Kubernetes documentation, "Cloud Controller Manager", "Node controller").
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

from seatrial.actions.machine_stops import guard_machines, pods_on_machines
from seatrial.actions.missed_nodes import expect_not_ready, expect_nothing
from seatrial.actions.node_action_type import NodeActionType
from seatrial.actions.parallel import in_parallel
from seatrial.actions.scaling_group_holds import replacing_groups
from seatrial.errors import ClusterError, MachineError
from seatrial.kube.objects import Pod
from seatrial.kube.resources import NODES
from seatrial.machines.driver import Capability, Machine, MachineGone, MachineState
from seatrial.policy.base import Model
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultProven, MachineDeleted, MachineSkipped, MeasurementTaken
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import PASSED, Outcome, combine, not_carried_out, nothing_to_do
from seatrial.targets.guardrails import Reasons
from seatrial.targets.node_limits import done_by_bringing_back, done_by_taking_down
from seatrial.targets.nodes import NodeTarget
from seatrial.targets.permissions import Permission

_ALREADY_GONE = nothing_to_do("its machine is gone already")


class Delete(Model):
    """Delete the machines under the nodes. Nothing brings them back: neither clean-up nor anybody else."""

    for_good: Literal[True]
    """Has to be `true`: the machines and what is on them are lost for good."""


async def run(spec: Delete, targets: tuple[NodeTarget, ...], context: Context) -> Outcome:  # noqa: ARG001 -- every action gets it
    """Delete the machines."""
    delete = partial(_delete, context=context)
    outcomes = await in_parallel(targets, delete, most=context.settings.max_parallel)
    if outcomes and all(outcome is _ALREADY_GONE for outcome in outcomes):
        return nothing_to_do("every machine was gone already")
    return combine(outcome for outcome in outcomes if outcome is not _ALREADY_GONE)


async def victims(spec: Delete, targets: tuple[NodeTarget, ...], context: Context) -> Sequence[Pod]:  # noqa: ARG001 -- every action gets it
    """Everything that runs on the machines."""
    return await pods_on_machines(targets, context)


async def guard(spec: Delete, targets: tuple[NodeTarget, ...], context: Context) -> Reasons:  # noqa: ARG001 -- every action gets it
    """What runs on the machines is lost to its owners and budgets."""
    return await guard_machines(targets, context)


async def plan(spec: Delete, targets: tuple[NodeTarget, ...], context: Context) -> ActionPlan:  # noqa: ARG001 -- every action gets it
    """Which machines it would delete, and which groups would make others in their place."""
    machines = {str(each): each.machine.id for each in targets if each.machine is not None}
    groups = await replacing_groups(list(machines.values()), context)
    return ActionPlan(
        changes=tuple(
            f"delete machine {machine} of {node}, for good: nothing brings it back"
            for node, machine in machines.items()
        ),
        notes=(
            *(f"{each}: {each.problem}" for each in targets if each.machine is None),
            *(f"group {each.id} makes others in place of {', '.join(sorted(each.machines))}" for each in groups),
        ),
    )


async def _delete(target: NodeTarget, *, context: Context) -> Outcome:
    if target.machine is None:
        context.emit(MachineSkipped(id="", name=target.name, reason=target.problem, error=True))
        return not_carried_out(f"the machine of {target} could not be deleted: {target.problem}")
    try:
        machine = await context.machines.describe(target.machine.id)
        await _delete_machine(target, machine, context)
    except MachineGone:
        ours = context.scope.has_done(_done(target.machine.id))
        reason = f"is gone already{': this scenario deleted it' if ours else ''}"
        context.emit(MachineSkipped(id=target.machine.id, name=target.name, reason=reason))
        return PASSED if ours else _ALREADY_GONE
    except (MachineError, ClusterError) as error:
        context.emit(MachineSkipped(id=target.machine.id, name=target.name, reason=error.message, error=True))
        return not_carried_out(f"the machine of {target} could not be deleted: {error.in_full}")
    return PASSED


async def _delete_machine(target: NodeTarget, machine: Machine, context: Context) -> None:
    is_missed = target.has_node and machine.state is MachineState.UP
    missed = await expect_not_ready(target.name, context) if is_missed else None
    begun = context.clock.monotonic()
    context.scope.did(_done(machine.id))
    if target.has_node:
        context.scope.did(done_by_taking_down(target.name), instead_of=done_by_bringing_back(target.name))
    try:
        await context.machines.delete(machine.id)
        seen = await _seen(machine.id, context)
    except (MachineError, ClusterError):
        if missed is not None:
            expect_nothing(target.name, missed, context)
        raise
    seconds = context.clock.monotonic() - begun
    context.mark_change(begun)
    context.emit(MachineDeleted(id=machine.id, name=target.name, duration_ms=seconds * 1000))
    context.emit(MeasurementTaken(name="machineDeleted", of=target.name, seconds=seconds))
    proof = f"the driver '{context.machines.name}' {seen}"
    context.emit(FaultProven(subject=_done(machine.id), proof=proof))
    if missed is not None and not missed.done():
        missed.set_result(begun)


async def _seen(machine_id: str, context: Context) -> str:
    """What the driver says of a machine that was deleted: some clouds go on telling of it for an hour."""
    try:
        left = await context.machines.describe(machine_id)
    except MachineGone:
        return "knows it no more"
    if left.state is MachineState.UP:
        raise MachineError(f"machine {machine_id} is {left.state} after it was deleted")
    return f"says that it is {left.state}"


def _done(machine_id: str) -> str:
    return f"deletion of machine {machine_id}"


def _capabilities(spec: Delete) -> Sequence[Capability]:  # noqa: ARG001 -- every action gets it
    return (Capability.DELETE,)


ACTION = NodeActionType(
    key="delete",
    model=Delete,
    run=run,
    guard=guard,
    victims=victims,
    plan=plan,
    capabilities=_capabilities,
    disrupts=True,
    takes_machines=True,
    permissions=(Permission("watch", NODES),),
)
