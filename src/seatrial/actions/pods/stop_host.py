"""The pod action `stopHost`: switch off the machines that the pods run on, each machine once."""

from collections.abc import Sequence

from seatrial.actions.action_type import ActionType
from seatrial.actions.machine_needs import unmet_needs
from seatrial.kube.objects import Pod
from seatrial.machines.driver import Capability
from seatrial.policy.base import Model
from seatrial.runtime.context import Context
from seatrial.runtime.events import NodesChosen
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import Outcome, not_carried_out, nothing_to_do
from seatrial.targets.guardrails import guard_nodes, refuse
from seatrial.targets.nodes import NodeTarget, list_targets


class StopHost(Model):
    """Switch off the machines that the pods run on, each machine once; everything else on them goes down, too."""

    auto_restart: bool = True
    """Start the machines again at clean-up: exactly those that this action stopped, never one that was down before."""

    force: bool = False
    """Cut the power instead of shutting down, where the cloud knows the difference."""

    suspend_processes: bool = False
    """Keep the machines' auto-scaling groups from replacing them until clean-up, where they belong to such groups."""


async def run(spec: StopHost, pods: tuple[Pod, ...], context: Context) -> Outcome:
    """Stop the machines."""
    from seatrial.actions.machine_stops import stop_machines, stoppable  # noqa: PLC0415 -- few policies stop machines

    if unmet := await unmet_needs(context, _capabilities(spec)):
        return not_carried_out("; ".join(unmet))
    hosts, notes = await _hosts(pods, context)
    context.emit(NodesChosen(nodes=tuple(host.ref for host in hosts), matched=len(hosts)))
    if not hosts:
        return nothing_to_do(f"the pods run on no machine that may be stopped{_in_brackets(notes)}")
    if reasons := await guard_nodes([host.node for host in stoppable(hosts)], context):
        return refuse(reasons, context)
    return await stop_machines(
        hosts,
        context,
        force=spec.force,
        auto_restart=spec.auto_restart,
        suspend_processes=spec.suspend_processes,
    )


async def plan(spec: StopHost, pods: tuple[Pod, ...], context: Context) -> ActionPlan:
    """Which machines it would stop."""
    from seatrial.actions.machine_stops import plan_stops, stoppable  # noqa: PLC0415 -- few policies stop machines

    if unmet := await unmet_needs(context, _capabilities(spec)):
        return ActionPlan(refused=unmet)
    hosts, notes = await _hosts(pods, context)
    stops = await plan_stops(
        hosts,
        context,
        force=spec.force,
        auto_restart=spec.auto_restart,
        suspend_processes=spec.suspend_processes,
    )
    return ActionPlan(
        changes=stops.changes,
        notes=(*notes, *stops.notes),
        nodes=tuple(host.name for host in hosts),
        refused=(*await guard_nodes([host.node for host in stoppable(hosts)], context), *stops.refused),
        missing_permissions=stops.missing_permissions,
    )


async def _hosts(pods: Sequence[Pod], context: Context) -> tuple[list[NodeTarget], list[str]]:
    names = {pod.spec.node_name for pod in pods if pod.spec.node_name}
    targets, notes = await list_targets(context, needs_machines=True)
    return [target for target in targets if target.has_node and target.name in names], notes


def _capabilities(spec: StopHost) -> Sequence[Capability]:
    from seatrial.actions.machine_stops import capabilities_to_stop  # noqa: PLC0415 -- few policies stop machines

    return capabilities_to_stop(auto_restart=spec.auto_restart)


def _in_brackets(notes: Sequence[str]) -> str:
    return f" ({'; '.join(notes)})" if notes else ""


def _victims(spec: StopHost, pods: tuple[Pod, ...], context: Context) -> Sequence[Pod]:  # noqa: ARG001 -- every action gets them
    return pods


async def _unmet_needs(spec: StopHost, context: Context) -> tuple[str, ...]:
    return await unmet_needs(context, _capabilities(spec))


ACTION = ActionType(key="stopHost", model=StopHost, run=run, victims=_victims, plan=plan, unmet_needs=_unmet_needs)
