"""The node action `drain`: cordon the nodes and evict what runs on them, as `kubectl drain` does.

PodDisruptionBudgets are honoured: what one forbids is tried again until the time is over, and then reported as blocked.
Pods of DaemonSets and static pods stay. Pods that would be lost for good (no controller replaces them) and data that
would be (in an emptyDir volume) are a reason to refuse, before anything is touched, unless the policy says otherwise.
Clean-up uncordons; the pods don't move back by themselves.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from pydantic import Field

from seatrial.actions.node_action_type import NodeActionType
from seatrial.actions.nodes.cordon import PERMISSIONS, cordon, plan_cordon
from seatrial.actions.parallel import in_parallel
from seatrial.actions.pods import evict
from seatrial.kube.objects import PartialObject, Pod
from seatrial.kube.resources import PODS
from seatrial.policy.base import Model
from seatrial.policy.scalars import Integer, Seconds
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultProven, MeasurementTaken, ProofMissing
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import PASSED, Outcome, not_carried_out
from seatrial.targets.guardrails import Reasons, guard_nodes, guard_pods
from seatrial.targets.nodes import NodeTarget
from seatrial.targets.permissions import Permission
from seatrial.targets.pods import is_own_pod, pod_ref, why_beyond_api

_MOST_SHOWN = 5
# Evicted pods that had their time are given this long to be seen gone.
_LAST_LOOK_SECONDS = 5.0
_ON_PODS = (Permission("list", PODS), Permission("watch", PODS), Permission("create", PODS, "eviction"))


class Drain(Model):
    """Cordon the nodes and evict their pods, as far as PodDisruptionBudgets allow.

    Pods of DaemonSets and static pods stay. Clean-up lets pods in again.
    """

    timeout: Seconds = 300.0
    """How long to try, in seconds, where budgets forbid evictions or pods take their time to end."""

    sleep: Seconds = 5.0
    """The pause between two tries of an eviction that a budget forbids, in seconds."""

    grace_period_seconds: Annotated[Integer, Field(ge=0)] | None = None
    """How long each pod may take to end; without it, as long as it says itself."""

    force: bool = False
    """Evict pods that no controller replaces, too, which are gone for good; otherwise they make the step refuse."""

    delete_empty_dir_data: bool = False
    """Evict pods with emptyDir volumes, too, whose data is gone then; otherwise they make the step refuse."""


class _Load(msgspec.Struct, frozen=True):
    """What runs on some nodes and has to go from there, and why the step can't be carried out."""

    pods: tuple[Pod, ...]
    problems: tuple[str, ...]

    @property
    def staying(self) -> tuple[Pod, ...]:
        """Those that would be evicted: the others are on their way out already, and need only their time."""
        return tuple(pod for pod in self.pods if not pod.is_terminating)


async def run(spec: Drain, targets: tuple[NodeTarget, ...], context: Context) -> Outcome:
    """Cordon all nodes, so that no pod moves to one that is next, then evict their pods."""
    load = await _load(spec, targets, context)
    if load.problems:
        return not_carried_out(f"not drained: {'; '.join(load.problems)}")
    begun = context.clock.monotonic()
    for target in targets:
        await cordon(target, context)
    # Listed again: what was placed there before the cordon took hold is on its way out, too.
    load = await _load(spec, targets, context)
    if load.problems:
        return not_carried_out(f"cordoned, but not drained: {'; '.join(load.problems)}")
    if not load.pods:
        return PASSED
    eviction = evict.Evict(timeout=spec.timeout, sleep=spec.sleep, grace_period_seconds=spec.grace_period_seconds)
    outcome = await evict.run(eviction, load.staying, context) if load.staying else PASSED
    left = max(spec.timeout - (context.clock.monotonic() - begun), _LAST_LOOK_SECONDS)
    outcome = await _see_them_gone(load.pods, outcome, context, timeout_seconds=left)
    if outcome.passed:
        seconds = context.clock.monotonic() - begun
        context.emit(MeasurementTaken(name="drained", of=", ".join(each.name for each in targets), seconds=seconds))
    return outcome


async def victims(spec: Drain, targets: tuple[NodeTarget, ...], context: Context) -> Sequence[Pod]:
    """The pods that it would evict."""
    return (await _load(spec, targets, context)).staying


async def guard(spec: Drain, targets: tuple[NodeTarget, ...], context: Context) -> Reasons:
    """What it evicts counts as hit; who names a node has named the namespaces on it, but for those in guardrails."""
    pods = await victims(spec, targets, context)
    named = {pod.metadata.namespace for pod in pods}
    nodes = [target.node for target in targets]
    return (
        *await guard_nodes(nodes, context, disrupts_pods=False),
        *await guard_pods(pods, context, named=named, honours_budgets=True),
    )


async def plan(spec: Drain, targets: tuple[NodeTarget, ...], context: Context) -> ActionPlan:
    """Which nodes it would cordon, which pods it would evict, and what stands against it."""
    load = await _load(spec, targets, context)
    cordons = plan_cordon(targets)
    blocked = await evict.plan(evict.Evict(), load.staying, context)
    return ActionPlan(
        changes=(
            *cordons.changes,
            *(f"evict pod {pod_ref(pod)} from node {pod.spec.node_name}" for pod in load.staying),
        ),
        notes=(*cordons.notes, *blocked.notes),
        refused=load.problems,
    )


async def _load(spec: Drain, targets: Sequence[NodeTarget], context: Context) -> _Load:
    pods: list[Pod] = []
    problems: list[str] = []
    for target in targets:
        unmanaged: list[Pod] = []
        with_data: list[Pod] = []
        listed = await context.cluster.list(PODS, field_selector=f"spec.nodeName={target.name}")
        for item in listed.items:
            pod = msgspec.convert(item, Pod)
            if _stays(pod) or is_own_pod(pod, context.identity):
                continue
            pods.append(pod)
            if pod.is_terminating:  # whatever becomes of it is not our doing
                continue
            if pod.metadata.controller is None and not spec.force:
                unmanaged.append(pod)
            if _has_empty_dir(item) and not spec.delete_empty_dir_data:
                with_data.append(pod)
        problems += _complaints(target, unmanaged, "that no controller replaces", "force")
        problems += _complaints(target, with_data, "with emptyDir volumes", "deleteEmptyDirData")
    return _Load(tuple(pods), tuple(problems))


def _stays(pod: Pod) -> bool:
    owner = pod.metadata.controller
    is_daemon = owner is not None and owner.kind == "DaemonSet"
    return pod.is_finished or is_daemon or bool(why_beyond_api(pod))


def _has_empty_dir(pod: dict[str, Any]) -> bool:
    return any("emptyDir" in volume for volume in pod["spec"].get("volumes") or [])


def _complaints(target: NodeTarget, pods: Sequence[Pod], what: str, option: str) -> list[str]:
    if not pods:
        return []
    shown = ", ".join(str(pod_ref(pod)) for pod in pods[:_MOST_SHOWN]) + (", ..." if len(pods) > _MOST_SHOWN else "")
    return [f"node {target.name} has pods {what} ({shown}); {option}: true evicts them, too"]


async def _see_them_gone(pods: Sequence[Pod], evicted: Outcome, context: Context, *, timeout_seconds: float) -> Outcome:
    """What the evictions came to, told by what is left: a pod that went by itself is as gone as the others."""
    left = {pod.metadata.uid: pod for pod in pods}
    # What a budget blocked isn't waited for: it had its time.
    patience = timeout_seconds if evicted.passed else _LAST_LOOK_SECONDS
    hosts = sorted({pod.spec.node_name for pod in pods})
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            await in_parallel(hosts, lambda node: _wait_until_gone(node, left, context), most=len(hosts))
    nodes = ", ".join(hosts)
    if not left:
        context.emit(FaultProven(subject=f"drain of {nodes}", proof=f"{len(pods)} pods are gone from there"))
        return PASSED
    names = ", ".join(str(pod_ref(pod)) for pod in list(left.values())[:_MOST_SHOWN])
    reason = f"{len(left)} of {len(pods)} pods are still on {nodes}: {names}{', ...' * (len(left) > _MOST_SHOWN)}"
    context.emit(ProofMissing(subject=f"drain of {nodes}", reason=reason))
    return not_carried_out(f"not drained in time: {reason}") if evicted.passed else evicted


async def _wait_until_gone(node: str, left: dict[str, Pod], context: Context) -> None:
    """Take those off `left` that are gone from the node, until none of them is there."""
    watching = context.cluster.watch(
        PODS, field_selector=f"spec.nodeName={node}", type=PartialObject, metadata_only=True
    )
    async with watching as watch:
        there = {each.metadata.uid for each in watch.snapshot}
        ours = {uid for uid, pod in left.items() if pod.spec.node_name == node}
        for uid in ours - there:
            del left[uid]
        ours &= there
        while ours:
            event = await anext(watch)
            if event.type == "DELETED" and event.object.metadata.uid in ours:
                ours.discard(event.object.metadata.uid)
                del left[event.object.metadata.uid]


ACTION = NodeActionType(
    key="drain",
    model=Drain,
    run=run,
    guard=guard,
    victims=victims,
    plan=plan,
    disrupts=True,
    permissions=(*PERMISSIONS, *_ON_PODS),
)
