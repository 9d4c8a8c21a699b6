"""Deleting: preconditions, grace periods, propagation policies, finalizers.

A pod with a grace period stays, marked, until its kubelet deletes it with grace 0. Anything with finalizers stays until
they are gone. Everything else goes at once. `orphan` and `foregroundDeletion` are carried out by the garbage collector.
"""

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import metadata, statuses
from seatrial.sandbox.apiserver.admission.attempt import Attempt
from seatrial.sandbox.apiserver.calls import Call, DeleteOptions
from seatrial.sandbox.apiserver.custom.definition import KEY as DEFINITIONS
from seatrial.sandbox.apiserver.custom.definition_deletion import marked_for_deletion
from seatrial.sandbox.apiserver.operations import Operations, is_finished
from seatrial.sandbox.apiserver.resources import Resource
from seatrial.sandbox.apiserver.store import Record

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"


def delete(
    operations: Operations, resource: Resource, namespace: str | None, name: str, options: DeleteOptions, call: Call
) -> Object:
    """Delete one object, or begin to; returns what the API answers: the object, or a Status when it is gone."""
    record = operations.record(resource, namespace, name)
    check_preconditions(resource, record, options)
    if resource.key == "namespaces" and name in ("default", "kube-system", "kube-public"):
        why = "this namespace may not be deleted"
        raise statuses.forbidden("", "namespaces", name, why)
    where = record.object["metadata"].get("namespace", "")
    operations.admission.check(Attempt("delete", resource, where, name, {}, record.object, call))
    if resource.key == DEFINITIONS:
        return _begin_definition(operations, record, dry_run=options.dry_run or call.dry_run)
    obj, gone = _carry_out(operations, resource, record, options, dry_run=options.dry_run or call.dry_run)
    if gone and not resource.returns_deleted:
        uid = obj["metadata"]["uid"]
        return statuses.success(name=name, group=resource.group, kind=resource.plural, uid=uid)
    return obj


def _begin_definition(operations: Operations, record: Record, *, dry_run: bool) -> Object:
    """A definition stays until its instances are gone; `custom.service` sees to that."""
    marked = marked_for_deletion(record.object)
    if dry_run or marked is record.object:
        return marked
    return operations.store.put(DEFINITIONS, "", record.name, marked).object


def check_preconditions(resource: Resource, record: Record, options: DeleteOptions) -> None:
    """409 for an object that isn't the one, or not in the version, that its deletion is about."""
    meta = record.object["metadata"]
    for what, wanted, found in (
        ("UID", options.uid, meta["uid"]),
        ("ResourceVersion", options.resource_version, meta["resourceVersion"]),
    ):
        if wanted is not None and wanted != found:
            why = "the UID in the precondition (" if what == "UID" else "the ResourceVersion in the precondition ("
            why += f"{wanted}) does not match the {what} in record ({found}). "
            why += (
                "The object might have been deleted and then recreated"
                if what == "UID"
                else "The object might have been modified"
            )
            raise statuses.conflict(resource.group, resource.kind, record.name, why)


def _carry_out(
    operations: Operations, resource: Resource, record: Record, options: DeleteOptions, *, dry_run: bool
) -> tuple[Object, bool]:
    """The object after the deletion, and whether it is gone."""
    old = record.object
    meta = {**old["metadata"]}
    _set_finalizers(resource, meta, options)
    graceful = resource.key == "pods"
    grace = _grace_period(old, options) if graceful else 0
    held = bool(meta.get("finalizers")) or _namespace_holds(resource, old)
    if not graceful and not held:
        return _gone(operations, resource, record, old, dry_run=dry_run)
    changed = _mark(meta, grace, resource)
    if not changed and meta == old["metadata"]:
        new = old
    else:
        new = {**old, "metadata": meta}
        if resource.key == "namespaces":
            new["status"] = {**(old.get("status") or {}), "phase": "Terminating"}
        if not dry_run:
            new = operations.store.put(resource.table, record.namespace, record.name, new).object
    if is_finished(resource, new):
        return _gone(operations, resource, record, new, dry_run=dry_run)
    return new, False


def _gone(
    operations: Operations, resource: Resource, record: Record, last: Object, *, dry_run: bool
) -> tuple[Object, bool]:
    if not dry_run:
        operations.store.remove(resource.table, record.namespace, record.name)
    return last, True


def _grace_period(pod: Object, options: DeleteOptions) -> int:
    spec, phase = pod.get("spec", {}), pod.get("status", {}).get("phase")
    grace = options.grace_period_seconds
    if grace is None:
        grace = spec.get("terminationGracePeriodSeconds", 30)
    if grace < 0:
        grace = 1
    return 0 if not spec.get("nodeName") or phase in ("Succeeded", "Failed") else int(grace)


def _mark(meta: Object, grace: int, resource: Resource) -> bool:
    """Set or bring forward the deletion time; False when a second deletion changes nothing."""
    if "deletionTimestamp" in meta:
        before = meta.get("deletionGracePeriodSeconds", 0)
        if grace >= before:
            return False
        meta["deletionTimestamp"] = metadata.later(meta["deletionTimestamp"], grace - before)
        meta["deletionGracePeriodSeconds"] = grace
        return True
    meta["deletionTimestamp"] = metadata.later(metadata.now(), grace)
    if resource.key != "namespaces":
        meta["deletionGracePeriodSeconds"] = grace
    if "generation" in meta:
        meta["generation"] += 1
    return True


def _set_finalizers(resource: Resource, meta: Object, options: DeleteOptions) -> None:
    policy = options.propagation_policy
    if policy is None and resource.key in ("replicationcontrollers", "jobs.batch"):
        policy = "Orphan"
    finalizers = list(meta.get("finalizers") or [])
    if policy is not None:
        wanted = {"Orphan": ORPHAN, "Foreground": FOREGROUND}.get(policy)
        finalizers = [name for name in finalizers if name not in (ORPHAN, FOREGROUND) or name == wanted]
        if wanted and wanted not in finalizers:
            finalizers.append(wanted)
    if finalizers:
        meta["finalizers"] = finalizers
    else:
        meta.pop("finalizers", None)


def _namespace_holds(resource: Resource, obj: Object) -> bool:
    return resource.key == "namespaces" and bool((obj.get("spec") or {}).get("finalizers"))
