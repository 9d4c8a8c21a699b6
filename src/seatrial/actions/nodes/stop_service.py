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
    ServiceState,
    carries_us,
    change,
    look_at,
    makes_nodes_ready,
    start_again,
    starting,
    stop_of,
)
from seatrial.actions.machine_timers import NotArmed, arm
from seatrial.actions.missed_nodes import expect_not_ready, expect_nothing
from seatrial.actions.node_action_type import NodeActionType
from seatrial.actions.node_readiness import wait_for_readiness
from seatrial.actions.nodes.start_service import start_here
from seatrial.actions.parallel import in_parallel
from seatrial.actions.repetition import ONCE, Repeat, repeated
from seatrial.errors import ClusterError, MachineError
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

_Along = dict[str, Sequence[str]]
"""By the name of a node whose service this step stops: what goes with it there."""


class StopService(Model):
    """Stop a systemd service on the machine under each node. Clean-up starts it where it was active before."""

    name: ServiceName
    """The service: `kubelet`, `containerd`, `chronyd`."""

    expires_after: WholeSeconds | None = None
    """After how many seconds the service is started by itself: a timer on the machine does it even where Seatrial or
    the way to the machine is gone. It has to be given for a service that carries that way: with SSH its daemon, through
    Kubernetes the kubelet and what runs containers; at most 600 then. With `downFor` it has to be longer than that, and
    than the whole pattern."""

    down_for: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] | None = None
    """After how many seconds the step itself starts the service; without it, it stays down until clean-up."""

    timeout: ChangeTimeout = CHANGE_SECONDS
    """How long systemd may take to stop the service, and to start it, in seconds."""

    repeat: Repeat = ONCE
    """The same again: stop, `downFor` seconds, start."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """What is to be stopped again has to be started before; the timer is there until the last time."""
        repeat, down_for, timer = given.get("repeat"), given.get("downFor"), given.get("expiresAfter")
        times, every = (repeat.get(key, 10) if isinstance(repeat, Mapping) else 1 for key in ("times", "every"))
        if not isinstance(times, int) or not isinstance(every, int | float):
            return  # said of them
        if times > 1 and down_for is None:
            yield Complaint(
                "needs 'downFor': a service is started before it is stopped again", ("repeat",), at_key=True
            )
        if isinstance(down_for, int | float) and isinstance(timer, int):
            lasts = (times - 1) * max(every, down_for) + down_for
            if timer <= lasts:
                yield Complaint(f"must be more than the {lasts:g} s of going down and up again", ("expiresAfter",))


async def run(spec: StopService, targets: tuple[NodeTarget, ...], context: Context) -> Outcome:
    """Stop the service on all machines, as often as the pattern says."""
    try:
        cut_off = await carries_us(spec.name, context.executor)
    except (MachineError, ClusterError) as error:
        return not_carried_out(f"service {spec.name} was not stopped: {error.in_full}")
    if refused := _refusal(spec, context, cut_off=cut_off):
        return not_carried_out(refused)
    along: _Along = {}
    stop = partial(_stop_on_all, spec=spec, targets=targets, context=context, cut_off=cut_off, along=along)
    return await repeated(spec.repeat, stop, context)


async def guard(spec: StopService, targets: tuple[NodeTarget, ...], context: Context) -> Reasons:
    """Pods live on without their kubelet, but the nodes count, and those that a cluster can't do without."""
    takes_down = makes_nodes_ready(spec.name) or "etcd" in spec.name
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
    number: int, *, spec: StopService, targets: Sequence[NodeTarget], context: Context, cut_off: bool, along: _Along
) -> Outcome:
    stop = partial(_stop, spec=spec, number=number, context=context, cut_off=cut_off, along=along)
    outcomes = await in_parallel(targets, stop, most=context.settings.max_parallel)
    hit = [each for each in outcomes if each is not None]
    if outcomes and not hit:
        return nothing_to_do(f"service {spec.name} was active nowhere")
    outcome = combine(hit)
    if spec.down_for is None or not outcome.passed:
        return outcome
    await context.clock.sleep(spec.down_for)
    chosen = [target for target, each in zip(targets, outcomes, strict=True) if each is not None]
    restart = partial(_start, spec=spec, context=context, along=along)
    return combine(await in_parallel(chosen, restart, most=context.settings.max_parallel))


async def _stop(
    target: NodeTarget, *, spec: StopService, number: int, context: Context, cut_off: bool, along: _Along
) -> Outcome | None:
    """Stop it on one machine; None where it was not active."""
    node = target.name
    try:
        state = await look_at(spec.name, node, context.world)
        if problem := await _why_not(state, context, cut_off=cut_off):
            return not_carried_out(f"service {spec.name} on node {node} was not stopped: {problem}")
        if not state.is_active:
            return _skip(target, state.active, spec, context)
        if node not in along:
            await _prepare_end(target, state.along, spec, context, cut_off=cut_off)
            along[node] = state.along
        lasts = makes_nodes_ready(spec.name) and spec.down_for is None
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
    _prove(target, state, spec, context, number=number, seconds=context.clock.monotonic() - begun)
    return PASSED


async def _why_not(state: ServiceState, context: Context, *, cut_off: bool) -> str:
    """Why the service can't be stopped; empty where it can."""
    if state.problem or not state.is_there:
        return state.problem or "there is no such service"
    for other in () if cut_off else state.along:
        if await carries_us(other, context.executor):
            way = f"carries our own way to the machine ({context.executor.name})"
            return f"systemd would stop {other} along with it, which {way}"
    return ""


def _remember(target: NodeTarget, spec: StopService, context: Context) -> None:
    context.scope.did(stop_of(spec.name, target.name))
    if makes_nodes_ready(spec.name):
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


def _prove(
    target: NodeTarget, state: ServiceState, spec: StopService, context: Context, *, number: int, seconds: float
) -> None:
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
    along = f"; stopped along with it: {', '.join(state.along)}" if state.along else ""
    again = f"; {', '.join(state.triggers)} may start it again" if state.triggers else ""
    proof = f"systemctl says that it is not active{along}{again}"
    context.emit(FaultProven(subject=stop_of(spec.name, target.name), proof=proof))


def _skip(target: NodeTarget, active: str, spec: StopService, context: Context) -> Outcome | None:
    ours = context.scope.has_done(stop_of(spec.name, target.name))
    by_whom = ": this scenario stopped it" if ours else ""
    reason = f"service {spec.name} is {active or 'not active'} already{by_whom}"
    context.emit(MachineSkipped(id=target.node.metadata.uid, name=target.name, reason=reason))
    return PASSED if ours else None


async def _prepare_end(
    target: NodeTarget, along: Sequence[str], spec: StopService, context: Context, *, cut_off: bool
) -> None:
    """Write the undo down and arm the timer.

    Raises:
        MachineError: the timer could not be armed, or it is not known whether it was.
        ClusterError: the latter.
    """
    timer = DeadManTimer.of(spec.expires_after) if spec.expires_after else None
    undo = await start_again(
        spec.name,
        target,
        timer,
        along=along,
        cut_off=cut_off,
        timeout_seconds=spec.timeout,
        executor=context.executor,
    )
    written = await context.write_undo(undo)
    if timer is None:
        return
    words = starting(spec.name, along)
    try:
        await arm(timer, words, target.name, context, in_words=" ".join(words))
    except NotArmed:
        await context.journal.settle(written)
        raise


async def _start(target: NodeTarget, *, spec: StopService, context: Context, along: _Along) -> Outcome:
    """Start it again while the scenario runs; clean-up would do so, too."""
    others = along.get(target.name, ())
    try:
        await start_here(spec.name, target, context, timeout_seconds=spec.timeout, along=others)
    except (MachineError, ClusterError) as error:
        return not_carried_out(error.in_full)
    return PASSED


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
