"""The node action `stop`: switch the machines under the nodes off."""

from collections.abc import Sequence

from seatrial.actions.machine_stops import (
    capabilities_to_stop,
    guard_machines,
    plan_stops,
    pods_on_machines,
    stop_machines,
)
from seatrial.actions.node_action_type import NodeActionType
from seatrial.kube.objects import Pod
from seatrial.kube.resources import NODES
from seatrial.machines.driver import Capability
from seatrial.policy.base import Model
from seatrial.runtime.context import Context
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import Outcome
from seatrial.targets.guardrails import Reasons
from seatrial.targets.nodes import NodeTarget
from seatrial.targets.permissions import Permission


class Stop(Model):
    """Switch the machines under the nodes off."""

    force: bool = False
    """Cut the power instead of shutting down, where the cloud knows the difference."""

    auto_restart: bool = True
    """Start the machines again at clean-up: exactly those that this action stopped, never one that was down before."""

    suspend_processes: bool = False
    """Keep the machines' auto-scaling groups from replacing them until clean-up, where they belong to such groups."""


async def run(spec: Stop, targets: tuple[NodeTarget, ...], context: Context) -> Outcome:
    """Switch the machines off."""
    return await stop_machines(
        targets,
        context,
        force=spec.force,
        auto_restart=spec.auto_restart,
        suspend_processes=spec.suspend_processes,
    )


async def victims(spec: Stop, targets: tuple[NodeTarget, ...], context: Context) -> Sequence[Pod]:  # noqa: ARG001 -- every action gets it
    """Everything that runs on the machines."""
    return await pods_on_machines(targets, context)


async def guard(spec: Stop, targets: tuple[NodeTarget, ...], context: Context) -> Reasons:  # noqa: ARG001 -- every action gets it
    """What runs on the machines is lost to its owners and budgets."""
    return await guard_machines(targets, context)


async def plan(spec: Stop, targets: tuple[NodeTarget, ...], context: Context) -> ActionPlan:
    """Which machines it would stop, and which it would leave, and why."""
    return await plan_stops(
        targets,
        context,
        force=spec.force,
        auto_restart=spec.auto_restart,
        suspend_processes=spec.suspend_processes,
    )


def _capabilities(spec: Stop) -> Sequence[Capability]:
    return capabilities_to_stop(auto_restart=spec.auto_restart)


ACTION = NodeActionType(
    key="stop",
    model=Stop,
    run=run,
    guard=guard,
    victims=victims,
    plan=plan,
    capabilities=_capabilities,
    disrupts=True,
    takes_machines=True,
    permissions=(Permission("watch", NODES),),
)
