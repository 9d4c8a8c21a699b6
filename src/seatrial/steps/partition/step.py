"""The step `partition`: look around, close one side of each direction, and see from inside that it holds."""

import hashlib
import json
from collections.abc import Iterator, Sequence

from msgspec.structs import astuple, replace

from seatrial.actions.created_objects import RUN_LABEL, deletion_of, refuse_leftover, with_run_label
from seatrial.actions.pods.exec import EXEC_PERMISSIONS
from seatrial.errors import ClusterError
from seatrial.kube.errors import AlreadyExists, BadRequest, Forbidden, NotFound
from seatrial.kube.resources import NETWORKPOLICIES
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultProven, MeasurementTaken, ObjectApplied, ProofMissing
from seatrial.runtime.plan import StepPlan
from seatrial.runtime.verdict import PASSED, Outcome, combine, not_carried_out, nothing_to_do
from seatrial.steps.partition.keeper import Keeper, addresses_of
from seatrial.steps.partition.model import Direction, Partition, PartitionProbe, in_words
from seatrial.steps.partition.network_policies import Addresses, Cut, network_policy
from seatrial.steps.partition.probe import InsideProbe, proof_of_the_end, wait_until
from seatrial.steps.partition.survey import Survey, look_around
from seatrial.steps.step_type import StepType
from seatrial.targets.guardrails import Reasons, guard_namespace, guard_pods, refuse
from seatrial.targets.impact import budget_impacts, owner_impacts
from seatrial.targets.permissions import Permission, missing_in
from seatrial.targets.pods import pod_ref

_POLICY_PERMISSIONS = tuple(Permission(verb, NETWORKPOLICIES) for verb in ("get", "list", "create", "patch", "delete"))
# The API server's answers after which the object is certainly not there.
_REFUSALS = (Forbidden, BadRequest, NotFound)
_CAVEATS = (
    "connections that stand may live on, as the cluster's network plugin has it",
    "a pod and the node that it runs on always reach each other",
)


async def run(spec: Partition, context: Context) -> Outcome:
    """Part them, and leave the way back in the journal."""
    survey = await look_around(spec, context)
    if survey.nobody:
        return nothing_to_do(survey.nobody)
    if survey.problem:
        return not_carried_out(survey.problem)
    if reasons := await _reasons_to_refuse(spec, survey, context):
        return refuse(reasons, context)
    probes = [(each, InsideProbe.of(each, each.run_in or spec.pods)) for each in spec.probes]
    for _, probe in probes:
        look = await probe.look(context.cluster)
        if not look.got_through:
            return not_carried_out(f"the probe {probe} {look} before anything was cut: it could show nothing")
    proofs = [
        await context.write_undo(proof_of_the_end(probe, subject=_subject(spec, probe_spec.direction)))
        for probe_spec, probe in probes
    ]
    begun, mark = context.clock.monotonic(), context.journal.mark
    try:
        for cut in survey.cuts:
            await _close(cut, spec, survey, context)
    except ClusterError:
        if not context.journal.newer_than(mark):  # nothing was cut: there is no end to be seen
            for written in reversed(proofs):
                await context.journal.settle(written)
        raise
    outcomes = [await _prove(spec, probe_spec, probe, context, begun=begun) for probe_spec, probe in probes]
    return combine([*outcomes, *_unseen(spec, context)])


async def plan(spec: Partition, context: Context) -> StepPlan:
    """Which policies would be created, and whom they would close off."""
    survey = await look_around(spec, context)
    if survey.nobody:
        return StepPlan(summary=str(spec), notes=(survey.nobody,))
    refused = (survey.problem,) if survey.problem else await _reasons_to_refuse(spec, survey, context)
    unseen = [each for each in spec.directions if each not in {probe.direction for probe in spec.probes}]
    doubts = [f"nobody would see whether connections {in_words(each)} the pods are cut: no probe" for each in unseen]
    pods = tuple(pod_ref(pod) for pod in survey.pods)
    return StepPlan(
        summary=str(spec),
        matched=len(survey.pods),
        notes=(*survey.notes, *_CAVEATS, *doubts),
        targets=pods,
        victims=pods,
        owners=tuple(replace(each, replaced=False) for each in await owner_impacts(survey.pods, context.cluster)),
        budgets=await budget_impacts(survey.pods, context.cluster),
        changes=tuple(
            f"create NetworkPolicy {cut.selects.namespace}/{_name(cut, context)} ({cut})" for cut in survey.cuts
        ),
        refused=refused,
        missing_permissions=await _missing_permissions(spec, survey, context),
    )


async def _reasons_to_refuse(spec: Partition, survey: Survey, context: Context) -> Reasons:
    namespaces = dict.fromkeys(cut.selects.namespace for cut in survey.cuts)
    reasons = [reason for each in namespaces for reason in await guard_namespace(each, context)]
    reasons += await guard_pods(survey.pods, context, named={spec.pods.namespace})
    return tuple(dict.fromkeys(reasons))


async def _missing_permissions(spec: Partition, survey: Survey, context: Context) -> tuple[str, ...]:
    missing: list[str] = []
    for namespace in dict.fromkeys(cut.selects.namespace for cut in survey.cuts):
        missing += await missing_in(namespace, _POLICY_PERMISSIONS, context.cluster)
    for namespace in dict.fromkeys(cut.against.namespace for cut in survey.cuts if cut.against):
        missing += await missing_in(namespace, [Permission("watch")], context.cluster)
    for namespace in dict.fromkeys((each.run_in or spec.pods).namespace for each in spec.probes):
        missing += await missing_in(namespace, EXEC_PERMISSIONS, context.cluster)
    return tuple(missing)


async def _close(cut: Cut, spec: Partition, survey: Survey, context: Context) -> None:
    """Create one policy, and keep it up to date while the scenario lasts.

    Raises:
        ClusterError: the API server refused it, or another run left one of that name.
    """
    closed = addresses_of(survey.of(cut.against, spec)) if cut.against else []
    addresses = Addresses.of(closed, addresses_of([*survey.pods, *survey.others]))
    body = network_policy(cut, name=_name(cut, context), addresses=addresses)
    name, namespace = body["metadata"]["name"], body["metadata"]["namespace"]
    written = await context.write_undo(deletion_of(body, context.run_id))
    try:
        ours = with_run_label(body, context.run_id)
        await context.cluster.create(NETWORKPOLICIES, ours, strict=True, repeatable=True)
    except AlreadyExists:
        found = await context.cluster.get(NETWORKPOLICIES, name, namespace=namespace)
        refuse_leftover(found, context.run_id)
        if (found["metadata"].get("labels") or {}).get(RUN_LABEL) != context.run_id:
            raise
    except _REFUSALS:
        await context.journal.settle(written)
        raise
    context.emit(ObjectApplied(kind=NETWORKPOLICIES.kind, namespace=namespace, name=name, created=True))
    if cut.against is not None:
        keeper = Keeper(cut=cut, group=cut.against, name=name, addresses=addresses, context=context)
        context.scope.observe(keeper.watch, name=f"addresses of NetworkPolicy {namespace}/{name}")


async def _prove(
    spec: Partition, probe_spec: PartitionProbe, probe: InsideProbe, context: Context, *, begun: float
) -> Outcome:
    subject = _subject(spec, probe_spec.direction)
    try:
        look = await wait_until(probe, context.world, got_through=False)
    except ClusterError as error:
        context.emit(ProofMissing(subject=subject, reason=error.message))
        return not_carried_out(f"whether the partition holds can't be seen: {error.in_full}")
    seconds = context.clock.monotonic() - begun
    if look.got_through:
        reason = f"{probe} still got through in {look.pod} {seconds:.0f} s after the policies were created"
        context.emit(ProofMissing(subject=subject, reason=reason))
        return not_carried_out(f"{reason}: the cluster's network plugin does not enforce them, it seems")
    context.emit(FaultProven(subject=subject, proof=f"{probe} {look}"))
    context.emit(MeasurementTaken(name="timeToPartition", of=subject, seconds=seconds))
    return PASSED


def _unseen(spec: Partition, context: Context) -> Iterator[Outcome]:
    """What no probe looks at is no proof: clusters take policies that nothing enforces."""
    for direction in spec.directions:
        if direction not in {probe.direction for probe in spec.probes}:
            reason = "no probe looks at it, and a cluster takes NetworkPolicies also where nothing enforces them"
            context.emit(ProofMissing(subject=_subject(spec, direction), reason=reason))
            yield nothing_to_do(f"nobody saw whether connections {in_words(direction)} the {spec.pods} are cut")


def _subject(spec: Partition, direction: Direction) -> str:
    return f"{spec} ({direction})"


def _name(cut: Cut, context: Context) -> str:
    """One name for each policy of each step of a run, so that none is taken for another."""
    parts: Sequence[object] = (context.run_id, astuple(context.where), str(cut))
    return f"seatrial-partition-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]}"


STEP = StepType(key="partition", model=Partition, run=run, plan=plan)
