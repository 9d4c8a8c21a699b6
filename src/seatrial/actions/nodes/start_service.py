"""The node action `startService`: start a systemd service on the machines under the nodes.

It mends, so it has no undo: a service that was down before the experiment and is started by it stays up.
"""

from functools import partial

from seatrial.actions.machine_services import CHANGE_SECONDS, ChangeTimeout, ServiceName, look_at
from seatrial.actions.node_action_type import NodeActionType
from seatrial.actions.nodes.stop_service import start_here
from seatrial.actions.parallel import in_parallel
from seatrial.errors import ClusterError, MachineError
from seatrial.policy.base import Model
from seatrial.runtime.context import Context
from seatrial.runtime.events import MachineSkipped
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import PASSED, Outcome, combine, not_carried_out, nothing_to_do
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
        if problem := state.problem or ("there is no such service" if state.load == "not-found" else ""):
            return not_carried_out(f"service {spec.name} on node {node} was not started: {problem}")
        if state.active == "active":
            reason = f"service {spec.name} is active already"
            context.emit(MachineSkipped(id=target.node.metadata.uid, name=node, reason=reason))
            return None
        await start_here(spec.name, target, context, timeout_seconds=spec.timeout)
    except (MachineError, ClusterError) as error:
        return not_carried_out(error.in_full)
    return PASSED


async def plan(spec: StartService, targets: tuple[NodeTarget, ...], context: Context) -> ActionPlan:  # noqa: ARG001 -- every action gets it
    """On which machines."""
    return ActionPlan(changes=tuple(f"start service {spec.name} on node {each.name}" for each in targets))


ACTION = NodeActionType(key="startService", model=StartService, run=run, plan=plan, runs_commands=True)
