"""Follows the definitions: accepts their names, serves their kinds, empties and ends them.

It listens to the store, so that a definition counts from the moment it is written; the steps that Kubernetes'
controllers take afterwards (names, establishing, deletion of the instances) follow one by one in turns of the event
loop, each seen by watchers.
"""

import asyncio
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import deletion
from seatrial.sandbox.apiserver.calls import INTERNAL, Call, DeleteOptions
from seatrial.sandbox.apiserver.custom.definition import (
    FINALIZER,
    KEY,
    find_condition,
    is_true,
    storage_version,
    versions_of,
    with_condition,
)
from seatrial.sandbox.apiserver.custom.names import with_names
from seatrial.sandbox.apiserver.operations import Operations, Transform
from seatrial.sandbox.apiserver.resources import Resource, Subresource
from seatrial.sandbox.apiserver.store import Change

VERBS: Final = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
_AT_ONCE: Final = 100
_APPROVED: Final = "api-approved.kubernetes.io"


class CustomResources:
    """Serves what definitions define."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._schemas: dict[str, tuple[str, list[Object]]] = {}
        self._heard: set[str] = set()
        operations.store.listen(KEY, self._definition_changed)

    def _definition_changed(self, change: Change) -> None:
        definition = change.record.object
        name = definition["metadata"]["name"]
        if change.type == "DELETED":
            self._operations.registry.serve(name, [])
            self._schemas.pop(name, None)
            for other in self._operations.objects(KEY):
                if not is_true(other, "NamesAccepted"):
                    self._follow(other["metadata"]["name"])
            return
        if is_true(definition, "Established"):
            self._serve(definition)
        self._follow(name)

    def _follow(self, name: str) -> None:
        """Take the definition's next step when this one is over."""
        asyncio.get_running_loop().call_soon(self._advance, name)

    # Serving.

    def _serve(self, definition: Object) -> None:
        name, versions = definition["metadata"]["name"], definition["spec"]["versions"]
        uid, first = self._schemas.setdefault(name, (definition["metadata"]["uid"], versions))
        if uid != definition["metadata"]["uid"]:
            first = versions
            self._schemas[name] = (definition["metadata"]["uid"], versions)
        reshaped = first != versions
        served = [version for version in versions_of(definition) if version["served"]]
        found = [_resource(definition, version, is_reshaped=reshaped) for version in served]
        self._operations.registry.serve(name, found)
        if name not in self._heard:
            self._heard.add(name)
            self._operations.store.listen(name, lambda change: self._instance_changed(name, change))

    def _instance_changed(self, name: str, change: Change) -> None:
        if change.type == "DELETED" and not self._operations.store.count(name):
            self._follow(name)

    # Steps.

    def _advance(self, name: str) -> None:
        definition = self._operations.lookup(KEY, "", name)
        if definition is None:
            return
        if "deletionTimestamp" in definition["metadata"]:
            self._finish(definition)
            return
        named = _with_approval(with_names(definition, self._operations.objects(KEY)))
        if named != definition:
            self._write(name, lambda old: _with_approval(with_names(old, self._operations.objects(KEY))))
        elif is_true(definition, "NamesAccepted") and not is_true(definition, "Established"):
            text = "the initial names have been accepted"
            self._write(name, lambda old: with_condition(old, "Established", "True", "InitialNamesAccepted", text))

    def _write(self, name: str, transform: Transform) -> None:
        resource = self._operations.registry.of(KEY)
        call = Call(INTERNAL, manager="kube-apiserver")
        self._operations.update(resource, None, name, transform, call, subresource="status")

    def _finish(self, definition: Object) -> None:
        """Delete the instances, and the definition when they are gone."""
        name = definition["metadata"]["name"]
        if FINALIZER not in (definition["metadata"].get("finalizers") or ()):
            return
        if find_condition(definition, "Terminating").get("reason") == "InstanceDeletionPending":
            text = "CustomResource deletion is in progress"
            self._write(
                name, lambda old: with_condition(old, "Terminating", "True", "InstanceDeletionInProgress", text)
            )
            return
        if self._delete_some(definition):
            self._follow(name)
        elif not self._operations.store.count(name):
            self._release(definition)

    def _delete_some(self, definition: Object) -> bool:
        """Delete a handful of instances, so that others get their turn; whether there are more."""
        name = definition["metadata"]["name"]
        waiting = [
            record
            for record in self._operations.store.list(name)
            if "deletionTimestamp" not in record.object["metadata"]
        ]
        storage = storage_version(definition)
        stored = next(version for version in definition["spec"]["versions"] if version["name"] == storage)
        resource = _resource(definition, stored, is_reshaped=False)
        call = Call(INTERNAL, manager="kube-apiserver")
        for record in waiting[:_AT_ONCE]:
            namespace = record.namespace or None
            deletion.delete(self._operations, resource, namespace, record.name, DeleteOptions(), call)
        return len(waiting) > _AT_ONCE

    def _release(self, definition: Object) -> None:
        meta = definition["metadata"]
        rest = [finalizer for finalizer in meta["finalizers"] if finalizer != FINALIZER]
        if not rest:
            self._operations.store.remove(KEY, "", meta["name"])
            return
        text = "removed all instances"
        done = with_condition(definition, "Terminating", "False", "InstanceDeletionCompleted", text)
        self._operations.store.put(KEY, "", meta["name"], {**done, "metadata": {**meta, "finalizers": rest}})


def _resource(definition: Object, version: Object, *, is_reshaped: bool) -> Resource:
    from seatrial.sandbox.apiserver.custom.kind import read_kind  # noqa: PLC0415 -- most sandboxes never need it

    spec = definition["spec"]
    names = (definition.get("status") or {}).get("acceptedNames") or spec["names"]
    declared = version.get("subresources") or {}
    subresources = [Subresource("status", names["kind"])] if "status" in declared else []
    if declared.get("scale"):
        subresources.append(Subresource("scale", "Scale", group="autoscaling", version="v1"))
    return Resource(
        names["plural"],
        names["kind"],
        spec["group"],
        version["name"],
        singular=names.get("singular", ""),
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        verbs=VERBS,
        subresources=tuple(subresources),
        has_generation=True,
        custom=read_kind(definition, version, is_reshaped=is_reshaped),
    )


def _with_approval(definition: Object) -> Object:
    """Groups of Kubernetes' own domains say whether they are approved."""
    group = definition["spec"]["group"]
    approval = (definition["metadata"].get("annotations") or {}).get(_APPROVED, "")
    if not group.endswith((".k8s.io", ".kubernetes.io")):
        return definition
    kind = "KubernetesAPIApprovalPolicyConformant"
    if approval.startswith("unapproved"):
        text = f'not approved: "{approval}"'
        return with_condition(definition, kind, "False", "UnapprovedAnnotation", text)
    return with_condition(definition, kind, "True", "ApprovedAnnotation", f"approved in {approval}")
