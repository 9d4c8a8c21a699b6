"""The step `kubectl`: apply or delete objects, and take that back at the end.

It works through the API and needs no program; `kubectlBinary`, where it is given, names one that does it instead. The
payload is a text to the policy language: what is wrong in it is said by the step and by a plan, before anything is
touched.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Literal

from msgspec.structs import replace

from seatrial.actions.created_objects import object_in_words
from seatrial.actions.deletions import delete_victims, find_victims
from seatrial.actions.field_differences import differences
from seatrial.actions.kubectl_program import KubectlProgram
from seatrial.actions.manifest_text import Manifest, parse_manifests
from seatrial.actions.manifests import ServerSide, apply_manifests, found, placed, prepared
from seatrial.errors import SeatrialError
from seatrial.kube.client import Client
from seatrial.kube.discovery import UnknownKindError
from seatrial.kube.resources import NAMESPACES, Resource
from seatrial.policy.base import Model
from seatrial.runtime.context import Context
from seatrial.runtime.plan import StepPlan
from seatrial.runtime.verdict import PASSED, Outcome, not_carried_out, nothing_to_do
from seatrial.steps.proxy_address import proxy_url
from seatrial.steps.readiness import track_readiness
from seatrial.steps.step_type import StepType
from seatrial.targets.guardrails import guard_namespace, refuse


class Kubectl(Model):
    """Apply or delete Kubernetes objects, as `kubectl apply -f -` and `kubectl delete -f -` do."""

    action: Literal["apply", "delete"]
    """What to do with the objects of the payload, in the order in which they stand there."""

    payload: str
    """The objects: one or more YAML documents, or JSON."""

    auto_delete: bool = True
    """Undo it when the scenario ends: objects that were made are deleted, objects that were changed are put back as
    they were, and objects that were deleted are made anew. With `false`, what was done stays."""

    proxy: str = ""
    """An HTTP proxy for the requests of this step. Proxies named by environment variables are ignored."""

    kubectl_binary: str = "kubectl"
    """A program to run instead of going through the API. Without this key no program is needed."""

    @property
    def program(self) -> str:
        """The program that the policy asks for; empty where it names none."""
        return self.kubectl_binary if "kubectl_binary" in self.model_fields_set else ""


async def run(spec: Kubectl, context: Context) -> Outcome:
    """Apply or delete the payload's objects; what can undo it is in the journal before."""
    manifests = parse_manifests(spec.payload, name="the payload")
    if not manifests:
        return nothing_to_do("the payload has no objects")
    async with _way_to_cluster(spec, context) as cluster:
        here = replace(context, cluster=cluster)
        if reasons := await _guard(manifests, here):
            return refuse(reasons, context)
        program = KubectlProgram(binary=spec.program, cluster=cluster, proxy=spec.proxy) if spec.program else None
        if spec.action == "apply":
            return await _apply(spec, manifests, context, by=here, program=program)
        victims, missing = await find_victims(manifests, here, restored=spec.auto_delete)
        await delete_victims(victims, here, deleter=program)
        return not_carried_out(f"can't delete what isn't there: {', '.join(missing)}") if missing else PASSED


async def _apply(
    spec: Kubectl, manifests: Sequence[Manifest], context: Context, *, by: Context, program: KubectlProgram | None
) -> Outcome:
    """Apply with the client of `by`, which ends with the step; what comes of it is watched with the run's own."""
    kept = not spec.auto_delete
    tracker = await track_readiness(manifests, context, kept=kept)
    if tracker is None:
        await apply_manifests(manifests, by, applier=program, kept=kept)
        return PASSED
    try:
        await apply_manifests(manifests, by, applier=program, kept=kept, on_created=tracker.created)
    finally:
        tracker.all_created()
    return PASSED


async def plan(spec: Kubectl, context: Context) -> StepPlan:
    """What would be created, changed and deleted, found out by dry runs."""
    by = f" by {spec.program}" if spec.program else ""
    try:
        manifests = parse_manifests(spec.payload, name="the payload")
    except SeatrialError as error:
        return StepPlan(summary=f"{spec.action}{by}", refused=(error.message,))
    count = f"{len(manifests)} object{'' if len(manifests) == 1 else 's'}"
    summary = f"{spec.action} {count}{by}" if manifests else "nothing: the payload has no objects"
    async with _way_to_cluster(spec, context) as cluster:
        here = replace(context, cluster=cluster)
        refused = list(await _guard(manifests, here))
        changes: list[str] = []
        try:
            if spec.action == "apply":
                changes = await _planned_changes(spec, manifests, here)
            else:
                changes, precious = await _planned_deletions(spec, manifests, here)
                refused += precious
        except SeatrialError as error:
            refused.append(error.message)
        missing = await _missing_permissions(spec, manifests, cluster)
    return StepPlan(
        summary=summary, changes=tuple(changes), refused=tuple(dict.fromkeys(refused)), missing_permissions=missing
    )


@asynccontextmanager
async def _way_to_cluster(spec: Kubectl, context: Context) -> AsyncIterator[Client]:
    """The run's client, or one that goes through the step's proxy."""
    if not spec.proxy:
        yield context.cluster
        return
    async with context.cluster.through(proxy_url(spec.proxy)) as cluster:
        yield cluster


async def _guard(manifests: Sequence[Manifest], context: Context) -> tuple[str, ...]:
    reasons: dict[str, None] = {}
    for manifest in manifests:
        meta = manifest["metadata"]
        try:
            resource, namespace = await placed(manifest, context.cluster)
        except UnknownKindError:  # of a definition that stands in the same payload, or else the API will say so
            resource, namespace = None, meta.get("namespace")
        if resource == NAMESPACES:
            namespace = meta["name"]
        if namespace:
            named = resource == NAMESPACES or bool(meta.get("namespace"))
            reasons |= dict.fromkeys(await guard_namespace(namespace, context, named=named))
    return tuple(reasons)


async def _planned_changes(spec: Kubectl, manifests: Sequence[Manifest], context: Context) -> list[str]:
    changes = []
    made: set[str] = set()
    for manifest in manifests:
        try:
            resource, namespace = await placed(manifest, context.cluster)
        except UnknownKindError:
            if not _defines(manifests, manifest):
                raise
            changes.append(f"create {_words(manifest, manifest['metadata'].get('namespace'))}, when its kind is there")
            continue
        words = _words(manifest, namespace)
        before = await found(resource, manifest["metadata"]["name"], namespace, context.cluster)
        if before is None:
            if words not in made and not _makes_namespace(manifests, namespace):
                body = prepared(manifest, context, namespace=namespace, before=None, kept=not spec.auto_delete)
                await ServerSide(context.cluster).apply(resource, body, dry_run=True)
            changes.append(f"{'apply again' if words in made else 'create'} {words}{_back(spec, 'deleted again')}")
            made.add(words)
            continue
        body = prepared(manifest, context, namespace=namespace, before=before, kept=not spec.auto_delete)
        after = await ServerSide(context.cluster).apply(resource, body, dry_run=True)
        fields = [str(each) for each in differences(before, after) if not _is_mark(str(each))]
        if fields:
            changes.append(f"change {words} ({', '.join(fields)}){_back(spec, 'put back')}")
        else:
            changes.append(f"leave {words}, which is as wanted")
    return changes


async def _planned_deletions(
    spec: Kubectl, manifests: Sequence[Manifest], context: Context
) -> tuple[list[str], list[str]]:
    """What would be deleted, and why what would be destroyed is refused."""
    victims, missing = await find_victims(manifests, context, restored=spec.auto_delete)
    changes = [
        f"delete {each.words} ({'made anew at the end' if each.comes_back else f'not made anew: {each.why_not}'})"
        for each in victims
        if not each.lost
    ]
    changes += [f"delete {each}, which isn't there now: that fails unless an earlier step makes it" for each in missing]
    refused = [f"deleting {each.words} would destroy {each.lost}; see autoDelete" for each in victims if each.lost]
    return changes, refused


async def _missing_permissions(spec: Kubectl, manifests: Sequence[Manifest], cluster: Client) -> tuple[str, ...]:
    verbs = {
        ("apply", True): ("get", "create", "patch", "delete", "list", "watch"),
        ("apply", False): ("get", "create", "patch"),
        ("delete", True): ("get", "list", "watch", "delete", "create"),
        ("delete", False): ("get", "list", "watch", "delete"),
    }[spec.action, spec.auto_delete]
    places: dict[tuple[Resource, str | None], None] = {}
    for manifest in manifests:
        try:
            places[await placed(manifest, cluster)] = None
        except UnknownKindError:
            continue
    return tuple(
        [
            f"{verb} {resource.qualified_name}" + (f" in {namespace}" if namespace else "")
            for resource, namespace in places
            for verb in verbs
            if not await cluster.can_i(verb, resource, namespace=namespace)
        ]
    )


def _words(manifest: Manifest, namespace: str | None) -> str:
    return object_in_words({**manifest, "metadata": {**manifest["metadata"], "namespace": namespace or ""}})


def _back(spec: Kubectl, how: str) -> str:
    return f" ({how} at the end)" if spec.auto_delete else " (for good)"


def _is_mark(field: str) -> bool:
    return "seatrial.io/" in field


def _defines(manifests: Sequence[Manifest], manifest: Manifest) -> bool:
    """Whether a CustomResourceDefinition among the manifests defines the kind of this one."""
    group = manifest["apiVersion"].partition("/")[0]
    return any(
        each["kind"] == "CustomResourceDefinition"
        and each.get("spec", {}).get("group") == group
        and each["spec"].get("names", {}).get("kind") == manifest["kind"]
        for each in manifests
    )


def _makes_namespace(manifests: Sequence[Manifest], namespace: str | None) -> bool:
    return any(each["kind"] == "Namespace" and each["metadata"]["name"] == namespace for each in manifests)


STEP = StepType(key="kubectl", model=Kubectl, run=run, plan=plan)
