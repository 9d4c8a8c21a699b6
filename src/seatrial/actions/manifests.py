"""Applying manifests, so that what was applied can be taken back.

Objects are applied on the server (server-side apply), as `kubectl apply --server-side` does, and no kubectl is needed;
an `Applier` may do it in another way. Each undo is in the journal before its object is touched: an object that this
made is deleted again, if it is still the one of this run; of one that was there before, the fields that were changed
are put back.

An apply makes an object or changes one, as it finds things. What isn't there is therefore created, which is refused
where somebody else has made it meanwhile: what carries the run's label and was not there before is the run's own.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec

from seatrial.actions.created_objects import RUN_LABEL, deletion_of, object_in_words, refuse_leftover, with_run_label
from seatrial.actions.field_changes import revert_undo
from seatrial.actions.field_differences import differences
from seatrial.actions.field_owners import CREATOR, as_applied
from seatrial.actions.manifest_text import Manifest
from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.discovery import UnknownKindError
from seatrial.kube.errors import AlreadyExists, Conflict, NotFound, had_no_effect
from seatrial.kube.objects import DaemonSet, Deployment, Pod, StatefulSet
from seatrial.kube.resources import CUSTOMRESOURCEDEFINITIONS, PODS, Resource
from seatrial.runtime.context import Context
from seatrial.runtime.events import ObjectApplied
from seatrial.runtime.journal import WrittenUndo

KEPT_BY = "seatrial.io/kept-by"
"""An annotation of objects that a run made and that are meant to outlive it: the run's id."""

_NEW_KIND_SECONDS = 30.0
_MOST_LOOKS = 20
_NEW_NAMESPACE_SECONDS = 10.0
_NO_ACCOUNT_RE = re.compile(r'serviceaccount "[^"]*" not found')


class Applier(Protocol):
    """Who brings an object to the state that a manifest describes."""

    async def create(self, resource: Resource, body: Manifest) -> Manifest:
        """Create an object; `AlreadyExists` where there is one, which may come of sending it twice."""
        ...

    async def apply(self, resource: Resource, body: Manifest, *, dry_run: bool = False) -> Manifest:
        """Apply an object whose namespace, if its kind has one, stands in it; tells the object that comes of it."""
        ...


class ServerSide:
    """Server-side apply, through the API."""

    def __init__(self, cluster: Client) -> None:
        self._cluster = cluster

    async def create(self, resource: Resource, body: Manifest) -> Manifest:
        """Create, and refuse unknown fields, as an apply does."""
        return await self._cluster.create(resource, body, field_manager=CREATOR, strict=True, repeatable=True)

    async def apply(self, resource: Resource, body: Manifest, *, dry_run: bool = False) -> Manifest:
        """Apply, taking over fields that others own, as somebody who applies by hand would."""
        return await self._cluster.apply(resource, body, force=True, dry_run=dry_run)


class Applied(msgspec.Struct, frozen=True):
    """An object that was applied."""

    resource: Resource
    namespace: str | None
    name: str


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """An object that was not there before: its UID, and when the request that created it was sent."""

    applied: Applied
    uid: str
    sent: float


OnCreated = Callable[[Created], None]


def _heard_by_nobody(_created: Created) -> None:
    pass


class _Answered(msgspec.Struct, frozen=True):
    """The object that came of a request, and when that was sent; the object is unknown where only its label is seen."""

    sent: float
    thing: Manifest


async def apply_manifests(
    manifests: Sequence[Manifest],
    context: Context,
    *,
    applier: Applier | None = None,
    journaled: bool = True,
    kept: bool = False,
    on_created: OnCreated = _heard_by_nobody,
) -> list[Applied]:
    """Apply objects in order.

    Args:
        manifests: the objects.
        context: whose cluster, journal and events.
        applier: how to apply; on the server where it isn't given.
        journaled: False leaves no undo, for a cluster that goes away with the run.
        kept: the objects are meant to stay: no undo, and no label of this run.
        on_created: hears of each object that was not there before.

    Raises:
        ClusterError: the API server refused one; those before it are undone with the run.
        StateError: the journal could not be written; nothing was changed without it.
    """
    chosen = applier or ServerSide(context.cluster)
    return [
        await _apply(each, context, chosen, journaled=journaled, kept=kept, on_created=on_created) for each in manifests
    ]


async def wait_until_ready(applied: Sequence[Applied], context: Context, *, timeout_seconds: float) -> list[Applied]:
    """Wait until the workloads and pods among the objects are ready; tells which were not in time."""
    watched = {
        each: asyncio.create_task(until_ready(each, context.cluster))
        for each in applied
        if each.resource.kind in _READY
    }
    try:
        if watched:
            await asyncio.wait(watched.values(), timeout=timeout_seconds)
        for task in watched.values():
            if task.done():
                task.result()
        return [each for each, task in watched.items() if not task.done()]
    finally:
        for task in watched.values():
            task.cancel()
        await asyncio.gather(*watched.values(), return_exceptions=True)


async def placed(manifest: Manifest, cluster: Client) -> tuple[Resource, str | None]:
    """The resource of a manifest, and the namespace that it goes to; None where its kind has none.

    Raises:
        UnknownKindError: the cluster has no such kind.
    """
    resource = await cluster.resource_for(manifest["apiVersion"], manifest["kind"])
    namespace = manifest["metadata"].get("namespace") or cluster.default_namespace
    return resource, namespace if resource.namespaced else None


async def found(resource: Resource, name: str, namespace: str | None, cluster: Client) -> Manifest | None:
    """The object as it is; None where it isn't there."""
    try:
        return await cluster.get(resource, name, namespace=namespace)
    except NotFound:
        return None


def prepared(
    manifest: Manifest, context: Context, *, namespace: str | None, before: Manifest | None, kept: bool
) -> Any:
    """The object as it is sent: with its namespace, and with the mark of who made it."""
    if not kept:
        return with_run_label(manifest, context.run_id, namespace=namespace)
    metadata = {**manifest["metadata"], **({"namespace": namespace} if namespace else {})}
    made_by = ((before or {}).get("metadata", {}).get("annotations") or {}).get(KEPT_BY)
    if before is None or made_by:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), KEPT_BY: made_by or context.run_id}
    return {**manifest, "metadata": metadata}


async def _apply(
    manifest: Manifest, context: Context, applier: Applier, *, journaled: bool, kept: bool, on_created: OnCreated
) -> Applied:
    await context.halt.check()
    resource, namespace = await placed(manifest, context.cluster)
    name = manifest["metadata"]["name"]
    for _ in range(_MOST_LOOKS):
        before = await found(resource, name, namespace, context.cluster)
        body = prepared(manifest, context, namespace=namespace, before=before, kept=kept)
        if before is not None or kept:
            answered = await _change(before, resource, body, context, applier, journaled=journaled, kept=kept)
            break
        created = await _create(resource, body, context, applier, journaled=journaled)
        if created is not None:
            answered = created
            break
    else:
        raise ClusterError(f"somebody else makes and deletes {object_in_words(body)} all the time")
    context.emit(ObjectApplied(kind=resource.kind, namespace=namespace or "", name=name, created=before is None))
    applied = Applied(resource, namespace, name)
    if before is None:
        on_created(Created(applied=applied, uid=answered.thing["metadata"]["uid"], sent=answered.sent))
    if resource.kind == CUSTOMRESOURCEDEFINITIONS.kind:
        await _wait_until_served(body, context)
    return applied


async def _create(
    resource: Resource, body: Manifest, context: Context, applier: Applier, *, journaled: bool
) -> _Answered | None:
    """Create an object.

    None where somebody else was quicker: then theirs is untouched, and ours not there.
    """
    written = await context.write_undo(deletion_of(body, context.run_id)) if journaled else None
    sent = context.clock.monotonic()
    try:
        return await _when_possible(applier.create, resource, body, context)
    except ClusterError as error:
        # An object with our label is ours: something on the way sent it twice.
        is_there = isinstance(error, AlreadyExists)
        ours = await _ours(resource, body, context) if is_there else None
        if ours is not None:
            return _Answered(sent, ours)
        if written and (is_there or had_no_effect(error)):
            await context.journal.settle(written)
        if not is_there:
            raise
        return None


async def _ours(resource: Resource, body: Manifest, context: Context) -> Manifest | None:
    """The object that is there by this name, where it carries the label of this run."""
    meta = body["metadata"]
    there = await found(resource, meta["name"], meta.get("namespace"), context.cluster)
    labels: dict[str, str] = (there or {"metadata": {}})["metadata"].get("labels") or {}
    return there if labels.get(RUN_LABEL) == context.run_id else None


async def _change(
    before: Manifest | None,
    resource: Resource,
    body: Manifest,
    context: Context,
    applier: Applier,
    *,
    journaled: bool,
    kept: bool,
) -> _Answered:
    """Apply to what is there; what is kept and isn't there yet is made by that, since nothing takes it away again."""
    written: WrittenUndo | None = None
    if before is not None:
        if journaled or kept:
            refuse_leftover(before, context.run_id)
            # This very object: where somebody deletes it now, the undo of a change must not meet one that we made.
            body["metadata"] = {**body["metadata"], "uid": before["metadata"]["uid"]}
        await _own_by_applying(resource, before, context.cluster)
        if journaled and not kept:
            after = await applier.apply(resource, body, dry_run=True)
            if changes := differences(before, after):
                written = await context.write_undo(revert_undo(resource, before, changes))
    try:
        return await _when_possible(applier.apply, resource, body, context)
    except ClusterError as error:
        if written and had_no_effect(error):
            await context.journal.settle(written)
        raise


async def _own_by_applying(resource: Resource, created: Manifest, cluster: Client) -> None:
    """Let an object that a run created have its fields from an apply, so that the next one can remove some."""
    for _ in range(_MOST_LOOKS):
        meta = created["metadata"]
        entries = meta.get("managedFields") or []
        wanted = as_applied(entries)
        if wanted == entries:
            return
        patch = {"managedFields": wanted, "uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
        try:
            await cluster.patch(resource, meta["name"], {"metadata": patch}, namespace=meta.get("namespace"))
        except Conflict:
            created = await cluster.get(resource, meta["name"], namespace=meta.get("namespace"))
        else:
            return
    raise ClusterError(f"{object_in_words(created)} changes all the time")


async def _when_possible(
    send: Callable[[Resource, Manifest], Awaitable[Manifest]], resource: Resource, body: Manifest, context: Context
) -> _Answered:
    """Create or apply an object.

    A pod of a namespace that was just made waits until that has its service account: pods are refused before a
    controller has made it; other kinds come to theirs later, and in time.
    """
    until = context.clock.monotonic() + _NEW_NAMESPACE_SECONDS
    while True:
        sent = context.clock.monotonic()
        try:
            thing = await send(resource, body)
        except ClusterError as error:
            is_early = resource == PODS and _NO_ACCOUNT_RE.search(error.message)
            if not is_early or context.clock.monotonic() > until:
                raise
            await context.clock.sleep(0.2)
        else:
            context.mark_change(sent)
            return _Answered(sent, thing)


async def _wait_until_served(definition: Manifest, context: Context) -> None:
    """Wait until objects of a kind that was just defined can be made: the definition is accepted some time before."""
    spec = definition["spec"]
    versions = [f"{spec['group']}/{each['name']}" for each in spec["versions"] if each.get("served")]
    until = context.clock.monotonic() + _NEW_KIND_SECONDS
    while True:
        try:
            for version in versions:
                resource = await context.cluster.resource_for(version, spec["names"]["kind"])
                await context.cluster.list(resource, page_size=1, metadata_only=True)
        except (UnknownKindError, NotFound):
            if context.clock.monotonic() > until:
                raise ClusterError(
                    f"{spec['names']['kind']} is defined but not served after {_NEW_KIND_SECONDS:g} s",
                    hint=f"see the conditions of: kubectl describe crd {definition['metadata']['name']}",
                ) from None
            await context.clock.sleep(0.2)
        else:
            return


async def until_ready(applied: Applied, cluster: Client) -> None:
    """Wait, without an end, until a workload or pod is ready; what has no readiness is at once."""
    kind = _READY.get(applied.resource.kind)
    if kind is None:
        return
    selector = f"metadata.name={applied.name}"
    watching = cluster.watch(applied.resource, namespace=applied.namespace, field_selector=selector, type=kind)
    async with watching as watch:
        if any(_is_ready(each) for each in watch.snapshot):
            return
        async for event in watch:
            if event.type != "DELETED" and _is_ready(event.object):
                return


_READY: dict[str, Any] = {"Deployment": Deployment, "StatefulSet": StatefulSet, "DaemonSet": DaemonSet, "Pod": Pod}


def _is_ready(thing: Deployment | StatefulSet | DaemonSet | Pod) -> bool:
    if isinstance(thing, Pod):
        return thing.is_ready
    if thing.status.observed_generation < thing.metadata.generation:
        return False
    if isinstance(thing, DaemonSet):
        return thing.status.number_ready >= thing.status.desired_number_scheduled
    return thing.status.ready_replicas >= thing.spec.wanted_replicas
