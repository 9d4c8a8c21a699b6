"""Switching machines off, so that clean-up switches exactly these on again, and none that was off before.

Each undo names a machine by its id and is in the journal before the machine is touched. That a machine is down is what
its cloud says; that its node is seen to be missing takes the cluster a while longer, so that is measured beside the
steps that follow.
"""

from collections.abc import Sequence
from functools import partial

from seatrial.actions.machine_starts import START_MACHINE, done_by_start
from seatrial.actions.missed_nodes import expect_not_ready, expect_nothing
from seatrial.actions.parallel import in_parallel
from seatrial.actions.pod_moves import MoveTracker, expect_moves, expect_no_moves
from seatrial.actions.scaling_group_holds import foresee, hold_off, replacing_groups
from seatrial.errors import ClusterError, MachineError, StateError
from seatrial.kube.objects import Pod
from seatrial.machines.driver import Capability, Machine, MachineState
from seatrial.machines.scaling_groups import ScalingGroup
from seatrial.machines.stop_review import review_stops
from seatrial.runtime.context import Context
from seatrial.runtime.events import (
    FaultProven,
    MachineSkipped,
    MachineStopFailed,
    MachineStopped,
    MeasurementTaken,
)
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.undo import Undo
from seatrial.runtime.verdict import PASSED, Outcome, combine, not_carried_out, nothing_to_do
from seatrial.targets.guardrails import Reasons, guard_nodes
from seatrial.targets.node_limits import done_by_bringing_back, done_by_taking_down
from seatrial.targets.nodes import NodeTarget, pods_on_nodes

_ALREADY_DOWN = nothing_to_do("its machine is down already")


async def stop_machines(
    targets: Sequence[NodeTarget],
    context: Context,
    *,
    force: bool,
    auto_restart: bool,
    suspend_processes: bool = False,
) -> Outcome:
    """Stop the machines under these nodes, each once; `auto_restart` lets clean-up start them again.

    Groups that would replace them are said, or, with `suspend_processes`, kept from it until clean-up.
    """
    try:
        ids = _ids(stoppable(targets))
        if impediments := (await review_stops(context.machines, ids, (), force=force)).impediments:
            return not_carried_out("; ".join(_impeded(each, why) for each, why in impediments.items()))
        groups = await replacing_groups(ids, context)
        if suspend_processes:
            await hold_off(groups, context)
            groups = ()
        foresee(groups, context)
    except MachineError as error:
        return not_carried_out(f"no machine was stopped: {error.in_full}")
    moves = await expect_moves([each.name for each in stoppable(targets) if each.has_node], context)
    stop = partial(_stop, context=context, force=force, auto_restart=auto_restart, groups=groups, moves=moves)
    try:
        outcomes = await in_parallel(targets, stop, most=context.settings.max_parallel)
    finally:
        for node in moves.untouched():
            expect_no_moves(node, moves, context)
    if outcomes and all(outcome is _ALREADY_DOWN for outcome in outcomes):
        return nothing_to_do("every machine was down already")
    return combine(outcome for outcome in outcomes if outcome is not _ALREADY_DOWN)


async def _stop(
    target: NodeTarget,
    *,
    context: Context,
    force: bool,
    auto_restart: bool,
    groups: Sequence[ScalingGroup],
    moves: MoveTracker,
) -> Outcome:
    if target.machine is None:
        context.emit(MachineSkipped(id="", name=target.name, reason=target.problem, error=True))
        return not_carried_out(f"the machine of {target} could not be stopped: {target.problem}")
    machine = await context.machines.describe(target.machine.id)
    if machine.state is not MachineState.UP:
        return _skip(target, machine, context)
    missed = await expect_not_ready(target.name, context) if target.has_node else None
    try:
        if auto_restart:
            await context.write_undo(await _restart(target, machine, context, groups))
        begun = context.clock.monotonic()
        context.scope.did(done_by_stop(machine.id), instead_of=done_by_start(machine.id))
        if target.has_node:
            context.scope.did(done_by_taking_down(target.name), instead_of=done_by_bringing_back(target.name))
            moves.goes_down(target.name, begun)
        await context.machines.stop(machine.id, force=force)
        await _see_that_it_is_down(machine.id, context)
    except (StateError, MachineError, ClusterError) as error:
        if missed is not None:
            expect_no_moves(target.name, moves, context)
            expect_nothing(target.name, missed, context)
        if isinstance(error, StateError):
            raise
        context.emit(MachineStopFailed(id=machine.id, name=target.name, error=error.message))
        return not_carried_out(f"the machine of {target} could not be stopped: {error.in_full}")
    seconds = context.clock.monotonic() - begun
    context.emit(MachineStopped(id=machine.id, name=target.name, force=force, duration_ms=seconds * 1000))
    context.emit(MeasurementTaken(name="machineStopped", of=target.name, seconds=seconds))
    _prove(machine, context)
    if missed is not None and not missed.done():
        missed.set_result(begun)
    return PASSED


def done_by_stop(machine_id: str) -> str:
    """What a scenario remembers of having told a machine to stop."""
    return f"stop of machine {machine_id}"


def _prove(machine: Machine, context: Context) -> None:
    proof = f"the driver '{context.machines.name}' says that it is {MachineState.DOWN}"
    context.emit(FaultProven(subject=f"stop of machine {machine.id}", proof=proof))


async def _see_that_it_is_down(machine_id: str, context: Context) -> None:
    now = await context.machines.describe(machine_id)
    if now.state is not MachineState.DOWN:
        raise MachineError(f"machine {machine_id} is {now.state} after it was stopped")


def stoppable(targets: Sequence[NodeTarget]) -> list[NodeTarget]:
    """Those whose machine is known and up."""
    return [each for each in targets if each.machine is not None and each.machine.state is MachineState.UP]


async def pods_on_machines(targets: Sequence[NodeTarget], context: Context) -> Sequence[Pod]:
    """Everything that runs on the machines that are up: what a fault of these machines hits."""
    return await pods_on_nodes([each.name for each in stoppable(targets) if each.has_node], context)


async def guard_machines(targets: Sequence[NodeTarget], context: Context) -> Reasons:
    """Why these machines may not go down: what runs on them is lost to its owners and budgets, if only for a while."""
    return await guard_nodes([each.node for each in stoppable(targets) if each.has_node], context)


def left_alone(targets: Sequence[NodeTarget]) -> tuple[str, ...]:
    """Which machines a fault leaves as they are, and why, for a plan."""
    stopped = stoppable(targets)
    return tuple(f"{each}: {each.problem or f'its machine is {each.state}'}" for each in targets if each not in stopped)


def capabilities_to_stop(*, auto_restart: bool) -> Sequence[Capability]:
    """What the driver has to be able to do."""
    return (Capability.STOP, Capability.START) if auto_restart else (Capability.STOP,)


async def plan_stops(
    targets: Sequence[NodeTarget], context: Context, *, force: bool, auto_restart: bool, suspend_processes: bool
) -> ActionPlan:
    """Which machines would be stopped, which be left and why; what the cloud forbids, and what it would do by itself.

    Raises:
        MachineError: the cloud refused or did not answer.
    """
    after = "start it again at clean-up" if auto_restart else "leave it down"
    stopped = stoppable(targets)
    needed = capabilities_to_stop(auto_restart=auto_restart)
    review = await review_stops(context.machines, _ids(stopped), needed, force=force)
    groups = await replacing_groups(_ids(stopped), context)
    return ActionPlan(
        changes=(
            *(_suspension(group) for group in groups if suspend_processes),
            *(f"stop machine {each.machine.id} of {each}, {after}" for each in stopped if each.machine is not None),
        ),
        notes=(
            *left_alone(targets),
            *review.notes,
            *(_replacement(group) for group in groups if not suspend_processes),
        ),
        refused=tuple(_impeded(each, why) for each, why in review.impediments.items()),
        missing_permissions=review.missing_permissions,
    )


def _ids(targets: Sequence[NodeTarget]) -> list[str]:
    return [each.machine.id for each in targets if each.machine is not None]


def _impeded(machine_id: str, why: str) -> str:
    return f"machine {machine_id} can't be stopped: {why}"


def _suspension(group: ScalingGroup) -> str:
    return f"suspend {', '.join(group.replacing)} of group {group.id}, resume them at clean-up"


def _replacement(group: ScalingGroup) -> str:
    """What a group would do to its machines that are stopped."""
    machines = ", ".join(sorted(group.machines))
    doubt = f" (assumed: {group.doubt})" if group.doubt else ""
    return f"group {group.id} replaces machines that are stopped{doubt}: {machines} may not come back"


def _skip(target: NodeTarget, machine: Machine, context: Context) -> Outcome:
    if machine.state is MachineState.DOWN:
        ours = context.scope.has_done(done_by_stop(machine.id))
        reason = f"is down already{': this scenario told it to stop' if ours else ''}"
        context.emit(MachineSkipped(id=machine.id, name=target.name, reason=reason))
        if not ours:
            return _ALREADY_DOWN
        _prove(machine, context)
        return PASSED
    reason = "is neither up nor down, so it could not be put back as it is"
    context.emit(MachineSkipped(id=machine.id, name=target.name, reason=reason, error=True))
    return not_carried_out(f"the machine of {target} {reason}")


async def _restart(target: NodeTarget, machine: Machine, context: Context, groups: Sequence[ScalingGroup]) -> Undo:
    group = next((each.id for each in groups if machine.id in each.machines), "")
    node = target.name if target.has_node else ""
    return Undo(
        kind=START_MACHINE.kind,
        args={
            "driver": context.machines.name,
            "id": machine.id,
            "node": node,
            "group": group,
        },
        description=f"start the machine of {target} ({machine.id})",
        manual=await context.machines.start_command(machine.id),
    )
