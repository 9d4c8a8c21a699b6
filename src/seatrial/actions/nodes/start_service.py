"""The node action `startService`: start a systemd service on the machines under the nodes.

It mends, so it has no undo: a service that was down before the experiment and is started by it stays up.
"""

from collections.abc import Sequence
from functools import partial

from seatrial.actions.machine_services import (
    CHANGE_SECONDS,
    ChangeTimeout,
    ServiceName,
    look_at,
    makes_nodes_ready,
    start,
    stop_of,
)
from seatrial.actions.missed_nodes import not_ready_promise
from seatrial.actions.node_action_type import NodeActionType
from seatrial.actions.parallel import in_parallel
from seatrial.errors import ClusterError, MachineError
from seatrial.policy.base import Model
from seatrial.runtime.context import Context
from seatrial.runtime.events import MachineSkipped, MeasurementTaken, ProofMissing
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import PASSED, Outcome, combine, not_carried_out, nothing_to_do
from seatrial.targets.node_limits import done_by_bringing_back, done_by_taking_down
from seatrial.targets.nodes import NodeTarget


class StartService(Model):
    """Start a systemd service on the machine under each node, and see that it is active."""

    name: ServiceName
    """The service: `kubelet`, `containerd`, `chronyd`."""

    timeout: ChangeTimeout = CHANGE_SECONDS
    """How long systemd may take to start it, in seconds."""


async def run(spec: StartService, targets: tuple[NodeTarget, ...], context: Context) -> Outcome:
    """Start the service on all machines."""
    work = partial(_start, spec=spec, context=context)
    outcomes = await in_parallel(targets, work, most=context.settings.max_parallel)
    started = [each for each in outcomes if each is not None]
    if outcomes and not started:
        return nothing_to_do(f"service {spec.name} was active everywhere already")
    return combine(started)


async def _start(target: NodeTarget, *, spec: StartService, context: Context) -> Outcome | None:
    """Start it on one machine; None where it was active."""
    node = target.name
    try:
        state = await look_at(spec.name, node, context.world)
        if problem := state.problem or ("" if state.is_there else "there is no such service"):
            return not_carried_out(f"service {spec.name} on node {node} was not started: {problem}")
        if state.is_active:
            reason = f"service {spec.name} is active already"
            context.emit(MachineSkipped(id=target.node.metadata.uid, name=node, reason=reason))
            return None
        await start_here(spec.name, target, context, timeout_seconds=spec.timeout)
    except (MachineError, ClusterError) as error:
        return not_carried_out(error.in_full)
    return PASSED


async def start_here(
    service: str, target: NodeTarget, context: Context, *, timeout_seconds: float, along: Sequence[str] = ()
) -> None:
    """Start a service as a step of a scenario, which may have stopped it before.

    Raises:
        MachineError: it does not start, or the way there is gone.
        ClusterError: the latter.
    """
    begun, node = context.clock.monotonic(), target.name
    context.mark_change(begun)
    uid = target.node.metadata.uid
    await start(service, node, uid, context.world, timeout_seconds=timeout_seconds, along=along)
    context.emit(MeasurementTaken(name="serviceStarted", of=node, seconds=context.clock.monotonic() - begun))
    context.scope.did(f"start of service {service} on node {node}", instead_of=stop_of(service, node))
    if not makes_nodes_ready(service):
        return
    context.scope.did(done_by_bringing_back(node), instead_of=done_by_taking_down(node))
    if context.scope.withdraw(not_ready_promise(node)):
        reason = f"service {service} was started again before the cluster missed it"
        context.emit(ProofMissing(subject=not_ready_promise(node), reason=reason))


async def plan(spec: StartService, targets: tuple[NodeTarget, ...], context: Context) -> ActionPlan:  # noqa: ARG001 -- every action gets it
    """On which machines."""
    return ActionPlan(changes=tuple(f"start service {spec.name} on node {each.name}" for each in targets))


ACTION = NodeActionType(key="startService", model=StartService, run=run, plan=plan, runs_commands=True)
