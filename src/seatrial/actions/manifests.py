"""Applying manifests, so that what was applied can be taken back.

Objects are applied on the server (server-side apply), as `kubectl apply --server-side` does, and no kubectl is needed.
Each undo is in the journal before its object is touched: an object that this made is deleted again, if it is still the
one of this run; of one that was there before, the fields that were changed are put back.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seatrial.actions.created_objects import deletion_of, refuse_leftover, with_run_label
from seatrial.actions.field_changes import differences, revert_undo
from seatrial.errors import ConfigurationError
from seatrial.kube.client import Client
from seatrial.kube.errors import NotFound
from seatrial.kube.objects import DaemonSet, Deployment, Pod, StatefulSet
from seatrial.kube.resources import Resource
from seatrial.runtime.context import Context
from seatrial.runtime.events import ObjectApplied

Manifest = dict[str, Any]


def read_manifests(path: Path) -> list[Manifest]:
    """The objects of a YAML or JSON file, lists taken apart.

    Raises:
        ConfigurationError: the file can't be read, or holds something that is no Kubernetes object.
    """
    try:
        documents = [document for document in yaml.safe_load_all(path.read_bytes()) if document is not None]
    except OSError as error:
        raise ConfigurationError(f"can't read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    except RecursionError:
        raise ConfigurationError(f"{path} is nested too deeply") from None
    objects = [item for document in documents for item in _items(document)]
    for number, each in enumerate(objects, start=1):
        if problem := _problem_of(each):
            raise ConfigurationError(f"{path}: object {number} {problem}")
    return objects


@dataclass(frozen=True, slots=True)
class Applied:
    """An object that was applied."""

    resource: Resource
    namespace: str | None
    name: str


async def apply_manifests(manifests: Sequence[Manifest], context: Context, *, journaled: bool = True) -> list[Applied]:
    """Apply objects in order; `journaled` False leaves no undo, for a cluster that goes away with the run.

    Raises:
        ClusterError: the API server refused one; those before it are undone with the run.
        StateError: the journal could not be written; nothing was changed without it.
    """
    return [await _apply(manifest, context, journaled=journaled) for manifest in manifests]


async def wait_until_ready(applied: Sequence[Applied], context: Context, *, timeout_seconds: float) -> list[Applied]:
    """Wait until the workloads and pods among the objects are ready; tells which were not in time."""
    watched = {
        each: asyncio.create_task(_ready(each, context.cluster)) for each in applied if each.resource.kind in _READY
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


async def _apply(manifest: Manifest, context: Context, *, journaled: bool) -> Applied:
    cluster = context.cluster
    resource = await cluster.resource_for(manifest["apiVersion"], manifest["kind"])
    metadata = manifest["metadata"]
    namespace = (metadata.get("namespace") or cluster.default_namespace) if resource.namespaced else None
    name = metadata["name"]
    body = with_run_label(manifest, context.run_id, namespace=namespace)
    try:
        before = await cluster.get(resource, name, namespace=namespace)
    except NotFound:
        before = None
    if journaled:
        await _write_undo(before, resource, body, context)
    await cluster.apply(resource, body, force=True)
    context.emit(ObjectApplied(kind=resource.kind, namespace=namespace or "", name=name, created=before is None))
    return Applied(resource, namespace, name)


async def _write_undo(before: Manifest | None, resource: Resource, body: Manifest, context: Context) -> None:
    if before is None:
        await context.write_undo(deletion_of(body, context.run_id))
        return
    refuse_leftover(before, context.run_id)
    after = await context.cluster.apply(resource, body, force=True, dry_run=True)
    if changes := differences(before, after):
        await context.write_undo(revert_undo(resource, before, changes))


async def _ready(applied: Applied, cluster: Client) -> None:
    kind = _READY[applied.resource.kind]
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


def _problem_of(manifest: Manifest) -> str:
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        return "has no metadata"
    named = (manifest.get("apiVersion"), manifest.get("kind"), metadata.get("name"))
    if not all(isinstance(each, str) and each for each in named):
        return "needs apiVersion, kind and metadata.name, each a text"
    if not isinstance(metadata.get("namespace") or "", str):
        return "has a namespace that is no text"
    if not isinstance(metadata.get("labels") or {}, dict):
        return "has labels that are no map"
    return ""


def _items(document: Any) -> list[Manifest]:
    if not isinstance(document, dict):
        return [{}]
    if document.get("kind") == "List" and isinstance(document.get("items"), list):
        return [item if isinstance(item, dict) else {} for item in document["items"]]
    return [document]
