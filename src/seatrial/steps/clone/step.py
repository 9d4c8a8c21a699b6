"""The step `clone`, carried out and planned.

Its order is such that whoever dies in between leaves nothing that the journal doesn't know, and no Service that leads
nowhere: the undo of the copy is written, the copy is made and awaited, and only then are Services turned to it.
"""

from typing import Any

from seatrial.actions.created_objects import RUN_LABEL, object_in_words, refuse_leftover
from seatrial.errors import ClusterError, SeatrialError
from seatrial.kube.errors import NotFound, had_no_effect
from seatrial.kube.objects import Pod, Service
from seatrial.kube.resources import DEPLOYMENTS, ENDPOINTSLICES, PODS, SERVICES
from seatrial.kube.selectors import LabelSelector
from seatrial.runtime.context import Context
from seatrial.runtime.events import ObjectApplied
from seatrial.runtime.plan import StepPlan
from seatrial.runtime.verdict import PASSED, Outcome, not_carried_out
from seatrial.steps.clone.caveats import notes_on, refusals
from seatrial.steps.clone.copied_deployment import Copy, copy_of
from seatrial.steps.clone.evidence import prove
from seatrial.steps.clone.keeper import Keeper
from seatrial.steps.clone.model import Clone, Label, ServiceRef
from seatrial.steps.clone.mutations.toxiproxy import Toxiproxy
from seatrial.steps.clone.removal import removal_of
from seatrial.steps.clone.retargeting import check_services, retarget
from seatrial.steps.clone.rollout import wait_until_in_place
from seatrial.steps.clone.toxiproxy.layout import Layout, lay_out
from seatrial.steps.step_type import StepType
from seatrial.targets.guardrails import guard_namespace, refuse
from seatrial.targets.permissions import Permission, missing_in

Object = dict[str, Any]


async def run(spec: Clone, context: Context) -> Outcome:
    """Make the copy, wait until its pods are Ready with the fault in place, and turn Services to it."""
    if reasons := await guard_namespace(spec.source.spec.namespace, context):
        return refuse(reasons, context)
    source = await _source(spec, context)
    if problems := refusals(spec, source):
        return not_carried_out("; ".join(problems))
    copy = await _copy(spec, source, context)
    services = [each.spec for each in spec.services_to_retarget]
    await check_services(services, copy, context)
    await _refuse_taken_name(copy, context)
    await context.halt.check()
    await _create(copy, context)
    keeper = Keeper(copy, context)
    context.scope.observe(keeper.watch, name=f"clone {copy.name}")
    await wait_until_in_place(copy, keeper, context)
    await prove(copy, source, spec.mutations, keeper.pods, context)
    for service in services:
        await context.halt.check()
        await retarget(service, copy, context)
    return PASSED


async def plan(spec: Clone, context: Context) -> StepPlan:
    """What would be created and retargeted, what to know about it, and which permissions are missing."""
    wanted = spec.source.spec
    summary = f"copy Deployment {wanted.namespace}/{wanted.name} with {_in_words(spec)}"
    refused = list(await guard_namespace(wanted.namespace, context))
    missing = await _missing_permissions(spec, context)
    try:
        source = await _source(spec, context)
        refused += refusals(spec, source)
        copy = await _copy(spec, source, context)
        await check_services([each.spec for each in spec.services_to_retarget], copy, context)
        await _refuse_taken_name(copy, context)
        notes = await notes_on(spec, copy, source, context.cluster)
        if not missing:
            await context.cluster.create(DEPLOYMENTS, copy.body, namespace=copy.namespace, dry_run=True)
    except SeatrialError as error:
        return StepPlan(summary=summary, refused=(*refused, error.message), missing_permissions=missing)
    pods = f"{copy.replicas} pod{'s' if copy.replicas > 1 else ''}"
    changes = [f"create {object_in_words(copy.body)} with {pods}"]
    changes += [f"toxic in each of them: {toxic}" for toxic in (copy.layout.toxics if copy.layout else ())]
    changes += [
        f"turn Service {each.spec.namespace}/{each.spec.name} to the copy only" for each in spec.services_to_retarget
    ]
    return StepPlan(
        summary=summary, changes=tuple(changes), notes=notes, refused=tuple(refused), missing_permissions=missing
    )


async def _source(spec: Clone, context: Context) -> Object:
    wanted = spec.source.spec
    return await context.cluster.get(DEPLOYMENTS, wanted.name, namespace=wanted.namespace)


async def _copy(spec: Clone, source: Object, context: Context) -> Copy:
    toxiproxy = next((each.spec for each in spec.mutations if isinstance(each.spec, Toxiproxy)), None)
    return copy_of(
        source,
        run_id=context.run_id,
        scenario=context.where.scenario,
        replicas=spec.replicas,
        labels=await _labels(spec, source, context),
        mutations=spec.mutations,
        layout=await _layout(toxiproxy, source, context) if toxiproxy else None,
    )


async def _labels(spec: Clone, source: Object, context: Context) -> dict[str, str]:
    """The labels of the copy's pods, but for its own: the original's, changed in order as the policy says."""
    labels: dict[str, str] = dict((source["spec"]["template"].get("metadata") or {}).get("labels") or {})
    for change in spec.labels:
        match change.spec:
            case Label(key=key, value=value):
                labels[key] = value
            case ServiceRef(name=name, namespace=namespace):
                service = await context.cluster.get(SERVICES, name, namespace=namespace, type=Service)
                if not service.spec.selector:
                    raise ClusterError(f"Service {namespace}/{name} has no selector whose labels the copy could take")
                labels = dict(service.spec.selector)
    return labels


async def _layout(spec: Toxiproxy, source: Object, context: Context) -> Layout:
    """Ports and proxies, for the kinds of addresses that the original's pods have."""
    selector = str(LabelSelector.from_dict(source["spec"]["selector"]))
    namespace = source["metadata"]["namespace"]
    pods = await context.cluster.list(PODS, namespace=namespace, label_selector=selector, type=Pod)
    addresses = [address.ip for pod in pods.items for address in pod.status.pod_ips]
    families = {6 if ":" in address else 4 for address in addresses} or {4}
    return lay_out(spec, source["spec"]["template"]["spec"], families=families)


async def _refuse_taken_name(copy: Copy, context: Context) -> None:
    try:
        found = await context.cluster.get(DEPLOYMENTS, copy.name, namespace=copy.namespace)
    except NotFound:
        return
    refuse_leftover(found, context.run_id)
    mine = (found["metadata"].get("labels") or {}).get(RUN_LABEL) == context.run_id
    why = "this run copies it already" if mine else "it is none of Seatrial's: rename or delete it"
    raise ClusterError(f"{object_in_words(copy.body)} is there already", hint=why)


async def _create(copy: Copy, context: Context) -> None:
    written = await context.write_undo(removal_of(copy, context.run_id))
    try:
        await context.cluster.create(DEPLOYMENTS, copy.body, namespace=copy.namespace)
    except ClusterError as error:
        if had_no_effect(error):
            await context.journal.settle(written)
        raise
    context.emit(ObjectApplied(kind=DEPLOYMENTS.kind, namespace=copy.namespace, name=copy.name, created=True))


async def _missing_permissions(spec: Clone, context: Context) -> tuple[str, ...]:
    namespace, cluster = spec.source.spec.namespace, context.cluster
    needed = [Permission(verb, DEPLOYMENTS) for verb in ("get", "list", "watch", "create", "delete")]
    needed += [Permission("list"), Permission("watch")]
    if any(isinstance(each.spec, Toxiproxy) for each in spec.mutations):
        # Over WebSocket a port-forward is a GET; newer API servers ask for `create` as well.
        needed += [Permission("get", subresource="portforward"), Permission("create", subresource="portforward")]
    missing = await missing_in(namespace, needed, cluster)
    services = {each.spec.namespace for each in spec.services_to_retarget}
    turning = [Permission("get", SERVICES), Permission("patch", SERVICES)]
    turning += [Permission("list", ENDPOINTSLICES), Permission("watch", ENDPOINTSLICES)]
    for each in sorted(services):
        missing += await missing_in(each, turning, cluster)
    return tuple(dict.fromkeys(missing))


def _in_words(spec: Clone) -> str:
    faults = [each.key for each in spec.mutations]
    return ", ".join(faults) or "no mutation"


STEP = StepType(key="clone", model=Clone, run=run, plan=plan)
