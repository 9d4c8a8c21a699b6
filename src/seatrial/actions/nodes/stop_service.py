"""The node action `stopService`: stop a systemd service on the machines under the nodes, until clean-up.

A service that carries our own way to a machine takes it along: that is only done with a timer on the machine
(`expiresAfter`), which starts the service again without us.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from seatrial.actions.dead_man_timer import DeadManTimer
from seatrial.actions.machine_services import (
    CHANGE_SECONDS,
    MOST_CUT_OFF_SECONDS,
    ChangeTimeout,
    ServiceName,
    carries_us,
    change,
    look_at,
    start,
    start_again,
    stop_of,
    unit_of,
)
from seatrial.actions.machine_timers import NotArmed, arm
from seatrial.actions.missed_nodes import expect_not_ready, expect_nothing, not_ready_promise
from seatrial.actions.node_action_type import NodeActionType
from seatrial.actions.node_readiness import wait_for_readiness
from seatrial.actions.parallel import in_parallel
from seatrial.actions.repetition import ONCE, Repeat, repeated
from seatrial.errors import ClusterError, CommandNotStarted, MachineError
from seatrial.kube.resources import NODES
from seatrial.policy.base import Complaint, Model
from seatrial.policy.scalars import WholeSeconds
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultProven, MachineSkipped, MeasurementTaken, ProofMissing, ServiceStopped
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import PASSED, Outcome, combine, not_carried_out, nothing_to_do
from seatrial.targets.guardrails import Reasons, guard_nodes
from seatrial.targets.node_limits import done_by_bringing_back, done_by_taking_down
from seatrial.targets.nodes import NodeTarget
from seatrial.targets.permissions import Permission

# Without them a node is not Ready, by and by.
_OF_NODES = frozenset({"containerd", "crio", "k3s", "k3s-agent", "kubelet", "rke2-agent", "rke2-server"})


class StopService(Model):
    """Stop a systemd service on the machine under each node. Clean-up starts it where it was active before."""

    name: ServiceName
    """The service: `kubelet`, `containerd`, `chronyd`."""

    expires_after: WholeSeconds | None = None
    """After how many seconds the service is started by itself: a timer on the machine does it even where Seatrial or
    the way to the machine is gone. It has to be given for a service that carries that way: with SSH its daemon, through
    Kubernetes the kubelet and what runs containers; at most 600 then."""

    down_for: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] | None = None
    """After how many seconds the step itself starts the service; without it, it stays down until clean-up."""

    timeout: ChangeTimeout = CHANGE_SECONDS
    """How long systemd may take to stop the service, and to start it, in seconds."""

    repeat: Repeat = ONCE
    """The same again: stop, `downFor` seconds, start."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """What is to be stopped again has to be started before."""
        repeat = given.get("repeat")
        times = repeat.get("times") if isinstance(repeat, Mapping) else getattr(repeat, "times", 1)
        if isinstance(times, int) and times > 1 and given.get("downFor") is None:
            yield Complaint(
                "needs 'downFor': a service is started before it is stopped again", ("repeat",), at_key=True
            )


async def run(spec: StopService, targets: tuple[NodeTarget, ...], context: Context) -> Outcome:
    """Stop the service on all machines, as often as the pattern says."""
    try:
        cut_off = await carries_us(spec.name, context.executor)
    except (MachineError, ClusterError) as error:
        return not_carried_out(f"service {spec.name} was not stopped: {error.in_full}")
    if refused := _refusal(spec, context, cut_off=cut_off):
        return not_carried_out(refused)
    stop = partial(_stop_on_all, spec=spec, targets=targets, context=context, cut_off=cut_off)
    return await repeated(spec.repeat, stop, context)


async def guard(spec: StopService, targets: tuple[NodeTarget, ...], context: Context) -> Reasons:
    """Pods live on without their kubelet, but the nodes count, and those that a cluster can't do without."""
    takes_down = _bare(spec.name) in _OF_NODES
    return await guard_nodes([each.node for each in targets], context, disrupts_pods=False, takes_down=takes_down)


async def plan(spec: StopService, targets: tuple[NodeTarget, ...], context: Context) -> ActionPlan:
    """On which machines; whether it is active there is looked at when it is done."""
    refused = _refusal(spec, context, cut_off=await carries_us(spec.name, context.executor))
    timed = f" or after {spec.expires_after} s" if spec.expires_after else ""
    end = f"after {spec.down_for:g} s" if spec.down_for else f"at clean-up{timed}"
    often = f", {spec.repeat}" if spec.repeat.times > 1 else ""
    return ActionPlan(
        changes=tuple(f"stop service {spec.name} on node {each.name}, start it {end}{often}" for each in targets),
        refused=(refused,) if refused else (),
    )


def _refusal(spec: StopService, context: Context, *, cut_off: bool) -> str:
    if not cut_off:
        return ""
    why = f"service {spec.name} carries our own way to the machines ({context.executor.name})"
    if spec.expires_after is None:
        return f"{why}: that needs expiresAfter, so that a timer on each machine starts it again"
    if spec.expires_after > MOST_CUT_OFF_SECONDS:
        return f"{why}: expiresAfter has to be at most {MOST_CUT_OFF_SECONDS} then, since clean-up waits for it"
    if spec.down_for is not None:
        return f"{why}: it can't be started by the step (downFor) then"
    return ""


async def _stop_on_all(
    number: int, *, spec: StopService, targets: Sequence[NodeTarget], context: Context, cut_off: bool
) -> Outcome:
    stop = partial(_stop, spec=spec, number=number, context=context, cut_off=cut_off)
    outcomes = await in_parallel(targets, stop, most=context.settings.max_parallel)
    hit = [each for each in outcomes if each is not None]
    if outcomes and not hit:
        return nothing_to_do(f"service {spec.name} was active nowhere")
    outcome = combine(hit)
    if spec.down_for is None or not outcome.passed:
        return outcome
    await context.clock.sleep(spec.down_for)
    chosen = [target for target, each in zip(targets, outcomes, strict=True) if each is not None]
    restart = partial(_start, spec=spec, context=context)
    return combine(await in_parallel(chosen, restart, most=context.settings.max_parallel))


async def _stop(
    target: NodeTarget, *, spec: StopService, number: int, context: Context, cut_off: bool
) -> Outcome | None:
    """Stop it on one machine; None where it was not active."""
    node = target.name
    try:
        state = await look_at(spec.name, node, context.world)
        if problem := state.problem or ("there is no such service" if state.load == "not-found" else ""):
            return not_carried_out(f"service {spec.name} on node {node} was not stopped: {problem}")
        if state.active != "active":
            return _skip(target, state.active, spec, context)
        if number == 1:
            await _prepare_end(target, spec, context, cut_off=cut_off)
        lasts = _bare(spec.name) in _OF_NODES and spec.down_for is None
        missed = await expect_not_ready(node, context) if lasts else None
    except (MachineError, ClusterError) as error:
        return not_carried_out(f"service {spec.name} on node {node} was not stopped: {error.in_full}")
    begun = context.clock.monotonic()
    _remember(target, spec, context)
    problem = lost = ""
    try:
        problem = await change("stop", spec.name, node, context.world, timeout_seconds=spec.timeout)
    except (MachineError, ClusterError) as error:
        problem, lost = ("", error.message) if cut_off else (error.in_full, "")
    if problem:
        if missed:
            expect_nothing(node, missed, context)
        return not_carried_out(f"service {spec.name} on node {node} could not be stopped: {problem}")
    if missed and not missed.done():
        missed.set_result(begun)
    if lost:
        return await _unseen(target, spec, context, lost, missed=missed is not None)
    _prove(target, spec, context, number=number, seconds=context.clock.monotonic() - begun)
    return PASSED


def _remember(target: NodeTarget, spec: StopService, context: Context) -> None:
    context.scope.did(stop_of(spec.name, target.name))
    if _bare(spec.name) in _OF_NODES:
        context.scope.did(done_by_taking_down(target.name), instead_of=done_by_bringing_back(target.name))


async def _unseen(target: NodeTarget, spec: StopService, context: Context, lost: str, *, missed: bool) -> Outcome:
    """The way to the machine went with the service, or for another reason: the cluster has to miss the node."""
    subject = stop_of(spec.name, target.name)
    if missed:
        try:
            async with asyncio.timeout(context.settings.recovery_timeout_seconds):
                await wait_for_readiness(target.name, context.cluster, ready=False)
        except TimeoutError:
            pass
        else:
            context.emit(FaultProven(subject=subject, proof="the machine went silent, and the cluster missed its node"))
            return PASSED
    context.emit(ProofMissing(subject=subject, reason=lost))
    return not_carried_out(f"whether service {spec.name} on node {target.name} stopped was not seen: {lost}")


def _prove(target: NodeTarget, spec: StopService, context: Context, *, number: int, seconds: float) -> None:
    stopped = ServiceStopped(
        id=target.node.metadata.uid,
        name=target.name,
        service=spec.name,
        duration_ms=seconds * 1000,
        number=number,
        times=spec.repeat.times,
    )
    context.emit(stopped)
    context.emit(MeasurementTaken(name="serviceStopped", of=target.name, seconds=seconds))
    context.emit(FaultProven(subject=stop_of(spec.name, target.name), proof="systemctl says that it is not active"))


def _skip(target: NodeTarget, active: str, spec: StopService, context: Context) -> Outcome | None:
    ours = context.scope.has_done(stop_of(spec.name, target.name))
    by_whom = ": this scenario stopped it" if ours else ""
    reason = f"service {spec.name} is {active or 'not active'} already{by_whom}"
    context.emit(MachineSkipped(id=target.node.metadata.uid, name=target.name, reason=reason))
    return PASSED if ours else None


async def _prepare_end(target: NodeTarget, spec: StopService, context: Context, *, cut_off: bool) -> None:
    """Write the undo down and arm the timer.

    Raises:
        MachineError: the timer could not be armed, or it is not known whether it was.
        ClusterError: the latter.
    """
    timer = DeadManTimer.of(spec.expires_after) if spec.expires_after else None
    undo = await start_again(
        spec.name, target, timer, cut_off=cut_off, timeout_seconds=spec.timeout, executor=context.executor
    )
    written = await context.write_undo(undo)
    if timer is None:
        return
    words = ["systemctl", "start", unit_of(spec.name)]
    try:
        await arm(timer, words, target.name, context, in_words=" ".join(words))
    except (NotArmed, CommandNotStarted):
        await context.journal.settle(written)
        raise


async def _start(target: NodeTarget, *, spec: StopService, context: Context) -> Outcome:
    """Start it again while the scenario runs; clean-up would do so, too."""
    try:
        await start_here(spec.name, target, context, timeout_seconds=spec.timeout)
    except (MachineError, ClusterError) as error:
        return not_carried_out(error.in_full)
    return PASSED


async def start_here(service: str, target: NodeTarget, context: Context, *, timeout_seconds: float) -> None:
    """Start a service as a step of a scenario, which may have stopped it before.

    Raises:
        MachineError: it does not start, or the way there is gone.
        ClusterError: the latter.
    """
    begun, node = context.clock.monotonic(), target.name
    await start(service, node, target.node.metadata.uid, context.world, timeout_seconds=timeout_seconds)
    context.emit(MeasurementTaken(name="serviceStarted", of=node, seconds=context.clock.monotonic() - begun))
    context.scope.did(f"start of service {service} on node {node}", instead_of=stop_of(service, node))
    if _bare(service) not in _OF_NODES:
        return
    context.scope.did(done_by_bringing_back(node), instead_of=done_by_taking_down(node))
    if context.scope.withdraw(not_ready_promise(node)):
        reason = f"service {service} was started again before the cluster missed it"
        context.emit(ProofMissing(subject=not_ready_promise(node), reason=reason))


def _bare(service: str) -> str:
    return unit_of(service).removesuffix(".service")


ACTION = NodeActionType(
    key="stopService",
    model=StopService,
    run=run,
    guard=guard,
    plan=plan,
    runs_commands=True,
    disrupts=True,
    permissions=(Permission("watch", NODES),),
)
