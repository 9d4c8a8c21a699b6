"""The node action `pause`: freeze the machines under the nodes where they stand, until clean-up.

A frozen machine keeps its memory, its connections stand open and silent, and when it goes on it believes that no time
has passed: worse for what runs on it than a clean stop. What it looks like to the cluster is the same.
"""

from collections.abc import Sequence
from functools import partial

from seatrial.actions.machine_starts import START_MACHINE
from seatrial.actions.machine_stops import guard_machines, left_alone, pods_on_machines, stoppable
from seatrial.actions.missed_nodes import expect_not_ready, expect_nothing
from seatrial.actions.node_action_type import NodeActionType
from seatrial.actions.parallel import in_parallel
from seatrial.errors import ClusterError, MachineError, StateError
from seatrial.kube.objects import Pod
from seatrial.kube.resources import NODES
from seatrial.machines.driver import Capability, Machine, MachineState
from seatrial.machines.pausing import pause as pause_machine
from seatrial.policy.base import Model
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultProven, MachinePaused, MachineSkipped, MeasurementTaken
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.undo import Undo
from seatrial.runtime.verdict import PASSED, Outcome, combine, not_carried_out
from seatrial.targets.guardrails import Reasons
from seatrial.targets.node_limits import done_by_bringing_back, done_by_taking_down
from seatrial.targets.nodes import NodeTarget
from seatrial.targets.permissions import Permission


class Pause(Model):
    """Freeze the machines under the nodes where they stand; clean-up, or the action `start`, lets them go on."""


async def run(spec: Pause, targets: tuple[NodeTarget, ...], context: Context) -> Outcome:  # noqa: ARG001 -- every action gets it
    """Freeze the machines."""
    freeze = partial(_pause, context=context)
    return combine(await in_parallel(targets, freeze, most=context.settings.max_parallel))


async def victims(spec: Pause, targets: tuple[NodeTarget, ...], context: Context) -> Sequence[Pod]:  # noqa: ARG001 -- every action gets it
    """Everything that runs on the machines."""
    return await pods_on_machines(targets, context)


async def guard(spec: Pause, targets: tuple[NodeTarget, ...], context: Context) -> Reasons:  # noqa: ARG001 -- every action gets it
    """What runs on the machines is lost to its owners and budgets."""
    return await guard_machines(targets, context)


async def plan(spec: Pause, targets: tuple[NodeTarget, ...], context: Context) -> ActionPlan:  # noqa: ARG001 -- every action gets it
    """Which machines it would freeze, and which it would leave, and why."""
    return ActionPlan(
        changes=tuple(
            f"pause machine {each.machine.id} of node {each.name}, let it go on at clean-up"
            for each in stoppable(targets)
            if each.machine is not None
        ),
        notes=left_alone(targets),
    )


async def _pause(target: NodeTarget, *, context: Context) -> Outcome:
    node = target.name
    if target.machine is None:
        context.emit(MachineSkipped(id="", name=node, reason=target.problem, error=True))
        return not_carried_out(f"the machine of node {node} could not be paused: {target.problem}")
    try:
        machine = await context.machines.describe(target.machine.id)
        if machine.state is not MachineState.UP:
            return _skip(target, machine, context)
        await _freeze(target, machine, context)
    except (MachineError, ClusterError) as error:
        return not_carried_out(f"the machine of node {node} could not be paused: {error.in_full}")
    return PASSED


async def _freeze(target: NodeTarget, machine: Machine, context: Context) -> None:
    missed = await expect_not_ready(target.name, context)
    try:
        await context.write_undo(await _let_go_on(target, machine, context))
        begun = context.clock.monotonic()
        context.scope.did(_done(machine))
        context.scope.did(done_by_taking_down(target.name), instead_of=done_by_bringing_back(target.name))
        await pause_machine(context.machines, machine.id)
    except (StateError, MachineError, ClusterError):
        expect_nothing(target.name, missed, context)
        raise
    seconds = context.clock.monotonic() - begun
    context.emit(MachinePaused(id=machine.id, name=target.name, duration_ms=seconds * 1000))
    context.emit(MeasurementTaken(name="machinePaused", of=target.name, seconds=seconds))
    proof = f"the driver '{context.machines.name}' says that it stands still"
    context.emit(FaultProven(subject=_done(machine), proof=proof))
    if not missed.done():
        missed.set_result(begun)


async def _let_go_on(target: NodeTarget, machine: Machine, context: Context) -> Undo:
    return Undo(
        kind=START_MACHINE.kind,
        args={"driver": context.machines.name, "id": machine.id, "node": target.name, "fault": "pause"},
        description=f"let the machine of node {target.name} go on ({machine.id})",
        manual=await context.machines.start_command(machine.id),
    )


def _done(machine: Machine) -> str:
    return f"pause of machine {machine.id}"


def _skip(target: NodeTarget, machine: Machine, context: Context) -> Outcome:
    ours = machine.state is MachineState.UNKNOWN and context.scope.has_done(_done(machine))
    reason = f"is {machine.state}, and only one that is UP is paused"
    if ours:
        reason = "is paused already: this scenario did it"
    context.emit(MachineSkipped(id=machine.id, name=target.name, reason=reason, error=not ours))
    return PASSED if ours else not_carried_out(f"the machine of node {target.name} {reason}")


def _capabilities(spec: Pause) -> Sequence[Capability]:  # noqa: ARG001 -- every action gets it
    return (Capability.PAUSE, Capability.START)


ACTION = NodeActionType(
    key="pause",
    model=Pause,
    run=run,
    guard=guard,
    victims=victims,
    plan=plan,
    capabilities=_capabilities,
    disrupts=True,
    permissions=(Permission("watch", NODES),),
)
