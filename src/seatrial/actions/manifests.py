"""Applying manifests, so that what was applied can be taken back.

Objects are applied on the server (server-side apply), as `kubectl apply --server-side` does, and no kubectl is needed;
an `Applier` may do it in another way. Each undo is in the journal before its object is touched: an object that this
made is deleted again, if it is still the one of this run; of one that was there before, the fields that were changed
are put back.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from seatrial.actions.created_objects import deletion_of, refuse_leftover, with_run_label
from seatrial.actions.field_changes import differences, revert_undo
from seatrial.actions.manifest_text import Manifest
from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.discovery import UnknownKindError
from seatrial.kube.errors import NotFound
from seatrial.kube.objects import DaemonSet, Deployment, Pod, StatefulSet
from seatrial.kube.resources import CUSTOMRESOURCEDEFINITIONS, PODS, Resource
from seatrial.runtime.context import Context
from seatrial.runtime.events import ObjectApplied

KEPT_BY = "seatrial.io/kept-by"
"""An annotation of objects that a run made and that are meant to outlive it: the run's id."""

_NEW_KIND_SECONDS = 30.0
_NEW_NAMESPACE_SECONDS = 10.0
_NO_ACCOUNT_RE = re.compile(r'serviceaccount "[^"]*" not found')


class Applier(Protocol):
    """Who brings an object to the state that a manifest describes."""

    async def apply(self, resource: Resource, body: Manifest, *, dry_run: bool = False) -> Manifest:
        """Apply an object whose namespace, if its kind has one, stands in it; tells the object that comes of it."""
        ...


class ServerSide:
    """Server-side apply, through the API."""

    def __init__(self, cluster: Client) -> None:
        self._cluster = cluster

    async def apply(self, resource: Resource, body: Manifest, *, dry_run: bool = False) -> Manifest:
        """Apply, taking over fields that others own, as somebody who applies by hand would."""
        return await self._cluster.apply(resource, body, force=True, dry_run=dry_run)


@dataclass(frozen=True, slots=True)
class Applied:
    """An object that was applied."""

    resource: Resource
    namespace: str | None
    name: str


async def apply_manifests(
    manifests: Sequence[Manifest],
    context: Context,
    *,
    applier: Applier | None = None,
    journaled: bool = True,
    kept: bool = False,
) -> list[Applied]:
    """Apply objects in order.

    Args:
        manifests: the objects.
        context: whose cluster, journal and events.
        applier: how to apply; on the server where it isn't given.
        journaled: False leaves no undo, for a cluster that goes away with the run.
        kept: the objects are meant to stay: no undo, and no label of this run.

    Raises:
        ClusterError: the API server refused one; those before it are undone with the run.
        StateError: the journal could not be written; nothing was changed without it.
    """
    chosen = applier or ServerSide(context.cluster)
    return [await _apply(each, context, chosen, journaled=journaled, kept=kept) for each in manifests]


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


async def _apply(manifest: Manifest, context: Context, applier: Applier, *, journaled: bool, kept: bool) -> Applied:
    await context.halt.check()
    cluster = context.cluster
    resource, namespace = await placed(manifest, cluster)
    name = manifest["metadata"]["name"]
    before = await found(resource, name, namespace, cluster)
    body = prepared(manifest, context, namespace=namespace, before=before, kept=kept)
    if before is not None and (journaled or kept):
        refuse_leftover(before, context.run_id)
        # This very object: where somebody deletes it meanwhile, the undo of a change must not meet one that we made.
        body["metadata"] = {**body["metadata"], "uid": before["metadata"]["uid"]}
    if journaled and not kept:
        await _write_undo(before, resource, body, context, applier)
    await _apply_when_possible(resource, body, context, applier)
    context.emit(ObjectApplied(kind=resource.kind, namespace=namespace or "", name=name, created=before is None))
    if resource.kind == CUSTOMRESOURCEDEFINITIONS.kind:
        await _wait_until_served(body, context)
    return Applied(resource, namespace, name)


async def _apply_when_possible(resource: Resource, body: Manifest, context: Context, applier: Applier) -> None:
    """Apply an object; a pod of a namespace that was just made waits until that has its service account.

    Pods are refused before a controller has made it; other kinds come to theirs later, and in time.
    """
    until = context.clock.monotonic() + _NEW_NAMESPACE_SECONDS
    while True:
        try:
            await applier.apply(resource, body)
        except ClusterError as error:
            is_early = resource == PODS and _NO_ACCOUNT_RE.search(error.message)
            if not is_early or context.clock.monotonic() > until:
                raise
            await context.clock.sleep(0.2)
        else:
            return


async def _write_undo(
    before: Manifest | None, resource: Resource, body: Manifest, context: Context, applier: Applier
) -> None:
    if before is None:
        await context.write_undo(deletion_of(body, context.run_id))
        return
    after = await applier.apply(resource, body, dry_run=True)
    if changes := differences(before, after):
        await context.write_undo(revert_undo(resource, before, changes))


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
