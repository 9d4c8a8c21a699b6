"""The node action `start`: switch the machines under the nodes on.

It mends, so it has no undo: a machine that was down before the experiment and is started by it stays up.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from seatrial.actions.machine_starts import done_by_start, start_and_wait
from seatrial.actions.machine_stops import done_by_stop
from seatrial.actions.missed_nodes import not_ready_promise
from seatrial.actions.node_action_type import NodeActionType
from seatrial.actions.parallel import in_parallel
from seatrial.actions.pod_moves import moves_promise
from seatrial.errors import ClusterError, MachineError
from seatrial.machines.driver import Capability, MachineState
from seatrial.policy.base import Model
from seatrial.policy.scalars import Seconds
from seatrial.runtime.context import Context
from seatrial.runtime.events import MachineSkipped, ProofMissing
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import PASSED, Outcome, combine, not_carried_out, nothing_to_do
from seatrial.targets.node_limits import done_by_bringing_back, done_by_taking_down
from seatrial.targets.nodes import NodeTarget

_ALREADY_UP = nothing_to_do("its machine is up already")


class Start(Model):
    """Switch the machines under the nodes on, and wait until the nodes are Ready."""

    timeout: Seconds = 300.0
    """How long to wait for each machine and its node, in seconds."""


async def run(spec: Start, targets: tuple[NodeTarget, ...], context: Context) -> Outcome:
    """Switch the machines on."""
    start = partial(_start, spec=spec, context=context)
    outcomes = await in_parallel(targets, start, most=context.settings.max_parallel)
    if outcomes and all(outcome is _ALREADY_UP for outcome in outcomes):
        return nothing_to_do("every machine was up already")
    return combine(outcome for outcome in outcomes if outcome is not _ALREADY_UP)


async def _start(target: NodeTarget, *, spec: Start, context: Context) -> Outcome:
    if target.machine is None:
        context.emit(MachineSkipped(id="", name=target.name, reason=target.problem, error=True))
        return not_carried_out(f"the machine of {target} could not be started: {target.problem}")
    machine = await context.machines.describe(target.machine.id)
    done = done_by_start(machine.id)
    # One that this scenario told to start may have a node that was not Ready in time: it is waited for again.
    if machine.state is MachineState.UP and not context.scope.has_done(done):
        context.emit(MachineSkipped(id=machine.id, name=target.name, reason="is up already"))
        return _ALREADY_UP
    if target.has_node:
        _expect_no_more_of_the_stop(target.name, context)
    context.scope.did(done, instead_of=done_by_stop(machine.id))
    context.mark_change(context.clock.monotonic())
    try:
        async with asyncio.timeout(spec.timeout):
            node = target.name if target.has_node else ""
            await start_and_wait(machine.id, node, context.machines, context.world)
    except TimeoutError:
        return not_carried_out(f"{target} was not Ready within {spec.timeout:g} s of its machine's start")
    except (MachineError, ClusterError) as error:
        context.emit(MachineSkipped(id=machine.id, name=target.name, reason=error.message, error=True))
        return not_carried_out(f"the machine of {target} could not be started: {error.in_full}")
    return PASSED


def _expect_no_more_of_the_stop(node: str, context: Context) -> None:
    """What the cluster has not done yet about a node that was down, it won't do once the machine is back."""
    for promise, missed in ((not_ready_promise(node), "the cluster missed it"), (moves_promise(node), "that")):
        if context.scope.withdraw(promise):
            context.emit(ProofMissing(subject=promise, reason=f"its machine was started again before {missed}"))
    context.scope.did(done_by_bringing_back(node), instead_of=done_by_taking_down(node))


async def plan(spec: Start, targets: tuple[NodeTarget, ...], context: Context) -> ActionPlan:  # noqa: ARG001 -- every action gets them
    """Which machines it would start, and which it would leave, and why."""
    down = [each for each in targets if each.machine is not None and each.machine.state is not MachineState.UP]
    return ActionPlan(
        changes=tuple(f"start machine {each.machine.id} of {each}" for each in down if each.machine is not None),
        notes=tuple(f"{each}: {each.problem or 'its machine is UP'}" for each in targets if each not in down),
    )


def _capabilities(spec: Start) -> Sequence[Capability]:  # noqa: ARG001 -- every action gets it
    return (Capability.START,)


ACTION = NodeActionType(key="start", model=Start, run=run, plan=plan, capabilities=_capabilities, takes_machines=True)
