"""The node action `reboot`: restart the machines under the nodes, and see that they did.

That a machine has rebooted is told by its node's boot id (`status.nodeInfo.bootID`), which the kubelet reads from the
kernel: it is made anew at each boot. The driver returns when the machine is up; that its node reports the other boot
and is Ready is waited for beside the steps that follow.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from seatrial.actions.expectations import expect, expect_no_more
from seatrial.actions.machine_starts import START_MACHINE
from seatrial.actions.machine_stops import guard_machines, left_alone, pods_on_machines, stoppable
from seatrial.actions.node_action_type import NodeActionType
from seatrial.actions.parallel import in_parallel
from seatrial.errors import ClusterError, MachineError, StateError
from seatrial.kube.objects import Node, Pod
from seatrial.kube.resources import NODES
from seatrial.machines.driver import Capability, Machine, MachineState
from seatrial.policy.base import Model
from seatrial.runtime.context import Context
from seatrial.runtime.events import (
    FaultCleared,
    FaultProven,
    MachineRebooted,
    MachineSkipped,
    MeasurementTaken,
    ProofMissing,
)
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.undo import Undo
from seatrial.runtime.verdict import PASSED, Outcome, combine, not_carried_out, nothing_to_do
from seatrial.targets.guardrails import Reasons
from seatrial.targets.nodes import NodeTarget
from seatrial.targets.permissions import Permission


class Reboot(Model):
    """Restart the machines under the nodes. Clean-up starts one that should not have come up again."""

    force: bool = False
    """Cut the power instead of shutting down, where the cloud knows the difference."""


async def run(spec: Reboot, targets: tuple[NodeTarget, ...], context: Context) -> Outcome:
    """Restart the machines."""
    reboot = partial(_reboot, spec=spec, context=context)
    return combine(await in_parallel(targets, reboot, most=context.settings.max_parallel))


async def victims(spec: Reboot, targets: tuple[NodeTarget, ...], context: Context) -> Sequence[Pod]:  # noqa: ARG001 -- every action gets it
    """Everything that runs on the machines."""
    return await pods_on_machines(targets, context)


async def guard(spec: Reboot, targets: tuple[NodeTarget, ...], context: Context) -> Reasons:  # noqa: ARG001 -- every action gets it
    """What runs on the machines is lost to its owners and budgets for a while."""
    return await guard_machines(targets, context)


async def plan(spec: Reboot, targets: tuple[NodeTarget, ...], context: Context) -> ActionPlan:  # noqa: ARG001 -- every action gets it
    """Which machines it would restart, and which it would leave, and why."""
    how = " by force" if spec.force else ""
    return ActionPlan(
        changes=tuple(
            f"reboot machine {each.machine.id} of node {each.name}{how}"
            for each in stoppable(targets)
            if each.machine is not None
        ),
        notes=left_alone(targets),
    )


async def _reboot(target: NodeTarget, *, spec: Reboot, context: Context) -> Outcome:
    node = target.name
    if target.machine is None:
        context.emit(MachineSkipped(id="", name=node, reason=target.problem, error=True))
        return not_carried_out(f"the machine of node {node} could not be rebooted: {target.problem}")
    try:
        machine = await context.machines.describe(target.machine.id)
        if machine.state is not MachineState.UP:
            reason = f"is {machine.state}, and only one that is UP is rebooted"
            context.emit(MachineSkipped(id=machine.id, name=node, reason=reason, error=True))
            return not_carried_out(f"the machine of node {node} {reason}")
        proof = await _expect_another_boot(node, machine, context)
        await _restart(target, machine, spec, context, proof)
    except (MachineError, ClusterError) as error:
        return not_carried_out(f"the machine of node {node} could not be rebooted: {error.in_full}")
    return PASSED


async def _restart(
    target: NodeTarget, machine: Machine, spec: Reboot, context: Context, proof: "asyncio.Future[float]"
) -> None:
    undo = Undo(
        kind=START_MACHINE.kind,
        args={"driver": context.machines.name, "id": machine.id, "node": target.name, "fault": "reboot"},
        description=f"start the machine of node {target.name} ({machine.id}) if it is down",
        manual=await context.machines.start_command(machine.id),
    )
    try:
        await context.write_undo(undo)
        begun = context.clock.monotonic()
        if not proof.done():
            proof.set_result(begun)
        await context.machines.reboot(machine.id, force=spec.force)
    except (StateError, MachineError, ClusterError):
        expect_no_more(_promise(target.name), proof, context)
        raise
    ms = (context.clock.monotonic() - begun) * 1000
    context.emit(MachineRebooted(id=machine.id, name=target.name, force=spec.force, duration_ms=ms))
    context.emit(MeasurementTaken(name="machineRebooted", of=target.name, seconds=ms / 1000))


def _promise(node: str) -> str:
    return f"reboot of node {node}"


async def _expect_another_boot(node: str, machine: Machine, context: Context) -> "asyncio.Future[float]":
    """Let the scenario wait until the node reports another boot; the future takes when the machine was told to.

    Raises:
        ClusterError: the node can't be watched; nothing was changed.
    """
    return await expect(
        _promise(node),
        lambda begun, opened: _follow(node, machine, begun, opened, context),
        give_up=partial(_give_up, node, context),
        unwatched="with a recovery timeout of 0 nobody waits for the node's other boot id",
        context=context,
    )


async def _follow(
    node: str, machine: Machine, begun: "asyncio.Future[float]", opened: "asyncio.Future[None]", context: Context
) -> Outcome:
    try:
        async with context.cluster.watch(NODES, field_selector=f"metadata.name={node}", type=Node) as watch:
            before = next((each.status.node_info.boot_id for each in watch.snapshot), "")
            opened.set_result(None)
            start, rebooted = await begun, False
            async for event in watch:
                found = event.object
                if event.type == "DELETED" or found.status.node_info.boot_id in {"", before}:
                    continue
                if not rebooted:
                    rebooted = True
                    _prove(node, event.received - start, context)
                if found.is_ready:
                    _clear(node, machine, event.received - start, context)
                    return PASSED
    except ClusterError as error:
        if not opened.done():
            opened.set_exception(error)  # the reboot that waits for it says it
            return PASSED
        context.emit(ProofMissing(subject=_promise(node), reason=error.message))
        return nothing_to_do(f"whether node {node} came back from its reboot could not be seen: {error.message}")
    except asyncio.CancelledError:
        opened.cancel()
        raise
    raise AssertionError("a watch that is open ends with an error only")


def _prove(node: str, seconds: float, context: Context) -> None:
    proof = f"it reports another boot id, {seconds:.1f} s after its machine was told to reboot"
    context.emit(FaultProven(subject=_promise(node), proof=proof))


def _clear(node: str, machine: Machine, seconds: float, context: Context) -> None:
    context.emit(MeasurementTaken(name="nodeReady", of=node, seconds=seconds))
    proof = (
        f"node {node} is Ready with its other boot id, {seconds:.1f} s after machine {machine.id} was told to reboot"
    )
    context.emit(FaultCleared(subject=_promise(node), proof=proof))


def _give_up(node: str, context: Context) -> Outcome:
    within = f"within {context.settings.recovery_timeout_seconds:g} s"
    context.emit(ProofMissing(subject=_promise(node), reason=f"it was not Ready with another boot id {within}"))
    return nothing_to_do(f"node {node} was rebooted: it was not Ready with another boot id {within}")


def _capabilities(spec: Reboot) -> Sequence[Capability]:  # noqa: ARG001 -- every action gets it
    return (Capability.REBOOT, Capability.START)


ACTION = NodeActionType(
    key="reboot",
    model=Reboot,
    run=run,
    guard=guard,
    victims=victims,
    plan=plan,
    capabilities=_capabilities,
    disrupts=True,
    permissions=(Permission("watch", NODES),),
)
