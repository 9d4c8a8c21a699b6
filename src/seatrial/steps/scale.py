"""The step `scale`: change how many replicas something has, see it get there, and change it back at clean-up.

What is changed is the field `spec.replicas`, so that clean-up can tell our value from one that somebody else has set
since. Ready is what the object's own status says of its latest generation. Clean-up also waits until as many are Ready
as before (`replica_returns`).
"""

import asyncio
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from seatrial.actions.field_changes import change_fields
from seatrial.actions.replica_returns import await_replicas
from seatrial.errors import ClusterError
from seatrial.kube.errors import Forbidden, NotFound
from seatrial.kube.resources import DEPLOYMENTS, HORIZONTALPODAUTOSCALERS, REPLICASETS, STATEFULSETS, Resource
from seatrial.kube.watch import Watch
from seatrial.policy.base import Complaint, Model, OneKey, option
from seatrial.policy.scalars import Integer
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultProven, MeasurementTaken, ProofMissing
from seatrial.runtime.plan import StepPlan
from seatrial.runtime.verdict import PASSED, Outcome, failed, not_carried_out, nothing_to_do
from seatrial.steps.step_type import StepType
from seatrial.targets.guardrails import Reasons, guard_namespace, guard_pods, refuse
from seatrial.targets.impact import budget_impacts, owner_impacts
from seatrial.targets.permissions import Permission, missing_in
from seatrial.targets.pod_matchers.by_owner import OwnerMatcher
from seatrial.targets.pod_matchers.by_workload import (
    DeploymentMatcher,
    ReplicaSetMatcher,
    StatefulSetMatcher,
    WorkloadMatcher,
)
from seatrial.targets.pod_matchers.reader import PodReader

Name = Annotated[str, Field(min_length=1)]
Object = dict[str, Any]


class NamedWorkload(Model):
    """A workload by its name."""

    name: Name
    """Its name."""

    namespace: Name
    """Its namespace."""


class ScaledObject(Model):
    """An object of any kind that keeps its number of replicas in `spec.replicas` and has the subresource `scale`."""

    kind: Name
    """Its kind as manifests have it, such as `Rollout`."""

    name: Name
    """Its name."""

    namespace: Name
    """Its namespace."""

    api_version: Name
    """Its `apiVersion`, such as `argoproj.io/v1alpha1`."""


class ScaleTarget(OneKey):
    """What is scaled."""

    deployment: NamedWorkload = option()
    """A Deployment."""

    stateful_set: NamedWorkload = option()
    """A StatefulSet."""

    replica_set: NamedWorkload = option()
    """A ReplicaSet."""

    object: ScaledObject = option()
    """An object of another kind."""


class Scale(Model):
    """Change how many replicas something has; at clean-up it gets the number back that it had."""

    target: ScaleTarget
    """What is scaled."""

    replicas: Annotated[Integer, Field(ge=0)] | None = None
    """How many replicas there should be."""

    by: Integer | None = None
    """How many more (or, negative, fewer) there should be; never fewer than 0."""

    factor: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """How many times as many there should be, rounded down: 0.5 of three is one."""

    wait: bool = True
    """Whether the step waits until all replicas are Ready, and measures how long that takes (`timeToScale`)."""

    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 120.0
    """How long they may take, in seconds, before the step fails; and at clean-up, until as many are Ready as before."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """Exactly one way to say how many."""
        said = [key for key in ("replicas", "by", "factor") if given.get(key) is not None]
        if not said:
            yield Complaint("needs exactly one of: replicas, by, factor")
        for extra in said[1:]:
            yield Complaint(f"is a second number beside '{said[0]}'; exactly one is allowed", (extra,), at_key=True)


@dataclass(frozen=True, slots=True)
class _Change:
    """What would be scaled, from how many to how many."""

    resource: Resource
    name: str
    namespace: str
    before: int
    after: int
    found: Object
    note: str = ""

    def __str__(self) -> str:
        return f"{self.resource.kind} {self.namespace}/{self.name}"


async def run(spec: Scale, context: Context) -> Outcome:
    """Scale, wait until it is so, and leave the way back in the journal."""
    change = await _change(spec, context)
    if reasons := await _reasons_to_refuse(spec, change, context):
        return refuse(reasons, context)
    if change.before == change.after:
        return nothing_to_do(f"{change} has {_replicas(change.after)} already{change.note}")
    async with _watch(change, context) as watch:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await _scale(spec, change, context)
        # The moment before the request, without looking at the object and writing down how it is put back.
        sent = max(begun, context.scope.last_change or begun)

        def measured(until: float, *, is_lower_bound: bool = False) -> None:
            taken = MeasurementTaken(
                name="timeToScale", of=str(change), seconds=until - sent, is_lower_bound=is_lower_bound
            )
            context.emit(taken)

        if not spec.wait:
            context.emit(ProofMissing(subject=str(change), reason="wait: false, so nobody saw it scaled"))
            return PASSED
        try:
            async with asyncio.timeout(spec.timeout):
                reached = await _until_scaled(change, watch)
        except TimeoutError:
            measured(watch.seen_until, is_lower_bound=True)
            return failed(await _how_far(spec, change, context))
        except asyncio.CancelledError:
            measured(watch.seen_until, is_lower_bound=True)
            raise
    if reached is None:
        measured(loop.time(), is_lower_bound=True)
        return not_carried_out(f"{change} was deleted before it had {_replicas(change.after)}")
    context.emit(
        FaultProven(subject=str(change), proof=f"{_ready(change.after)} of {change.after}, {change.before} before")
    )
    measured(reached)
    return PASSED


async def _scale(spec: Scale, change: _Change, context: Context) -> None:
    # Undone last in, first out: first the number is put back, then its replicas are waited for.
    see_them_back = await_replicas(change.resource, change.found, replicas=change.before, timeout_seconds=spec.timeout)
    written = await context.write_undo(see_them_back) if see_them_back else None
    mark = context.journal.mark
    try:
        await change_fields(
            change.resource,
            change.name,
            lambda thing: thing["spec"].update(replicas=change.after),
            context,
            namespace=change.namespace,
            description=f"scale {change} back to {change.before}",
        )
    except ClusterError:
        if written and not context.journal.newer_than(mark):
            await context.journal.settle(written)  # nothing of ours was changed: there is nothing to wait for
        raise


async def plan(spec: Scale, context: Context) -> StepPlan:
    """From how many to how many, which pods' owners and budgets that takes from, and who might interfere."""
    change = await _change(spec, context)
    lost = await _lost(spec, change, context)
    needed = [Permission("get", change.resource), Permission("patch", change.resource)]
    needed += [Permission("watch", change.resource)] * spec.wait
    scaler = await _autoscaler(change, context)
    notes = [f"{change} has {_replicas(change.after)} already{change.note}"] if change.before == change.after else []
    if scaler:
        notes.append(f"HorizontalPodAutoscaler {scaler} scales {change} too, and may change it back")
    words = f"scale {change} from {change.before} to {change.after}{change.note}"
    return StepPlan(
        summary=words,
        notes=tuple(notes),
        changes=(words,) if change.before != change.after else (),
        owners=await owner_impacts(lost, context.cluster),
        budgets=await budget_impacts(lost, context.cluster),
        refused=await _reasons_to_refuse(spec, change, context),
        missing_permissions=await missing_in(change.namespace, needed, context.cluster),
    )


_KINDS = {"deployment": DEPLOYMENTS, "statefulSet": STATEFULSETS, "replicaSet": REPLICASETS}
_MATCHERS: dict[str, type[WorkloadMatcher]] = {
    "deployment": DeploymentMatcher,
    "statefulSet": StatefulSetMatcher,
    "replicaSet": ReplicaSetMatcher,
}


async def _change(spec: Scale, context: Context) -> _Change:
    """Look at the target, and work out how many replicas it should have."""
    target, cluster = spec.target.spec, context.cluster
    resource = _KINDS.get(spec.target.key)
    if resource is None:
        resource = await cluster.resource_for(target.api_version, target.kind)
    found = await cluster.get(resource, target.name, namespace=target.namespace)
    before = found.get("spec", {}).get("replicas")
    if spec.target.key == "object":
        counted = (await cluster.get_scale(resource, target.name, namespace=target.namespace)).spec.replicas
        if before != counted:
            raise ClusterError(
                f"{resource.kind} {target.namespace}/{target.name} keeps its number of replicas elsewhere than"
                " in spec.replicas",
                hint="only kinds that keep it there can be scaled and put back",
            )
    # Where nothing is said, the API server has made it 1.
    before = 1 if before is None else before
    after, note = _wanted(spec, before)
    return _Change(resource, target.name, target.namespace, before, after, found, note)


def _wanted(spec: Scale, before: int) -> tuple[int, str]:
    if spec.replicas is not None:
        return spec.replicas, ""
    if spec.by is not None:
        return max(0, before + spec.by), ""
    exact = before * (spec.factor or 0.0)
    after = math.floor(exact)
    return after, "" if after == exact else f" ({spec.factor:g} times {before}, rounded down)"


async def _reasons_to_refuse(spec: Scale, change: _Change, context: Context) -> Reasons:
    reasons = await guard_namespace(change.namespace, context)
    lost = await _lost(spec, change, context)
    return (
        *reasons,
        *(each for each in await guard_pods(lost, context, named={change.namespace}) if each not in reasons),
    )


async def _lost(spec: Scale, change: _Change, context: Context) -> list[Any]:
    """Pods that may have to go: which ones is the controller's choice, so Ready ones are assumed."""
    if change.after >= change.before:
        return []
    target, reader = spec.target.spec, PodReader(cluster=context.cluster)
    if spec.target.key == "object":
        owner = OwnerMatcher(
            kind=target.kind, name=target.name, namespace=target.namespace, api_version=target.api_version
        )
        matched = await owner.find(reader)
    else:
        matched = await _MATCHERS[spec.target.key](name=target.name, namespace=target.namespace).find(reader)
    pods = [pod for pod in matched.pods if not pod.is_terminating and not pod.is_finished]
    pods.sort(key=lambda pod: not pod.is_ready)
    return pods[: change.before - change.after]


async def _autoscaler(change: _Change, context: Context) -> str:
    """The HorizontalPodAutoscaler that scales the same object, as far as we may know."""
    try:
        scalers = await context.cluster.list(HORIZONTALPODAUTOSCALERS, namespace=change.namespace)
    except (Forbidden, NotFound):
        return ""
    for scaler in scalers.items:
        target = scaler["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) == (change.resource.kind, change.name):
            return f"{change.namespace}/{scaler['metadata']['name']}"
    return ""


def _watch(change: _Change, context: Context) -> Watch[Object]:
    selector = f"metadata.name={change.name}"
    return context.cluster.watch(change.resource, namespace=change.namespace, field_selector=selector)


async def _until_scaled(change: _Change, watch: Watch[Object]) -> float | None:
    """When all replicas are Ready, on the loop's clock; None where the object goes away."""
    async for event in watch:
        if event.type == "DELETED":
            return None
        if event.object["spec"].get("replicas") == change.after and _is_scaled(event.object, change.after):
            return event.received
    return None


def _is_scaled(thing: Object, wanted: int) -> bool:
    status = thing.get("status", {})
    if status.get("observedGeneration", 0) < thing["metadata"].get("generation", 0):
        return False
    return bool(status.get("replicas", 0) == wanted and status.get("readyReplicas", 0) == wanted)


async def _how_far(spec: Scale, change: _Change, context: Context) -> str:
    now = await context.cluster.get(change.resource, change.name, namespace=change.namespace)
    ready, wanted = now.get("status", {}).get("readyReplicas", 0), now["spec"].get("replicas", 1)
    words = f"{change} has {_ready(ready)} of {change.after} within {spec.timeout:g} s"
    if wanted == change.after:
        return words
    scaler = await _autoscaler(change, context)
    who = f"HorizontalPodAutoscaler {scaler}, it seems," if scaler else "somebody else"
    return f"{words}: {who} scaled it to {wanted} meanwhile"


def _replicas(count: int) -> str:
    return f"{count} replica{'' if count == 1 else 's'}"


def _ready(count: int) -> str:
    return f"{count} Ready replica{'' if count == 1 else 's'}"


STEP = StepType(key="scale", model=Scale, run=run, plan=plan)
