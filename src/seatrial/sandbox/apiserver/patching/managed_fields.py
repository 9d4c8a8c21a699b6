"""Who set which field: the entries of `metadata.managedFields`.

An update gives its manager what it changed and takes that from the others; an apply (in `apply`) states the whole set
that a manager wants. Fields are those of `field_sets`, compared by `field_changes`.
"""

from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import schema
from seatrial.sandbox.apiserver.metadata import now
from seatrial.sandbox.apiserver.patching.field_changes import changes_between
from seatrial.sandbox.apiserver.patching.field_sets import Path, from_fields, has_field, to_fields
from seatrial.sandbox.apiserver.patching.given_fields import is_entry
from seatrial.sandbox.apiserver.schema import Structure

MOST_UPDATERS = 10
_ANCIENT = "ancient-changes"


def entries(obj: Object) -> list[Object]:
    """The object's managedFields."""
    return list((obj.get("metadata") or {}).get("managedFields") or [])


def paths_of(entry: Object) -> set[Path]:
    """The fields of an entry."""
    return from_fields(entry.get("fieldsV1") or {})


def entry_of(
    paths: set[Path], *, manager: str, operation: str, api_version: str, subresource: str, time: str | None
) -> Object:
    """An entry as it is stored; without a time for a manager who changed nothing."""
    entry: Object = {"manager": manager, "operation": operation, "apiVersion": api_version}
    if time:
        entry["time"] = time
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": to_fields(paths)}
    if subresource:
        entry["subresource"] = subresource
    return entry


def reduced(entry: Object, lost: set[Path]) -> Object | None:
    """A manager's entry without what it lost; None when nothing remains."""
    fields = entry.get("fieldsV1") or {}
    if not any(has_field(fields, path) for path in lost):
        return entry
    after = from_fields(fields) - lost
    return {**entry, "fieldsV1": to_fields(after)} if after else None


def ordered(found: list[Object]) -> list[Object]:
    """Applied ones first, then by time and name, as Kubernetes sorts them."""
    return sorted(
        found,
        key=lambda entry: (
            entry.get("operation") != "Apply",
            entry.get("time", ""),
            entry.get("manager", ""),
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        ),
    )


def given_entries(wanted: Object, old: Object, *, subresource: str) -> list[Object]:
    """The entries that an update begins with: a writer may state them, and `[{}]` drops them all.

    A writer that leaves them out, or writes an empty list, hasn't meant to.
    """
    given = (wanted.get("metadata") or {}).get("managedFields")
    if subresource or not isinstance(given, list) or not given:
        return entries(old)
    before = entries(old)
    if given == before:
        return before
    if given == [{}]:
        return []
    return given if all(map(is_entry, given)) else before


def track_update(
    old: Object | None,
    new: Object,
    *,
    manager: str,
    subresource: str,
    excluded: tuple[str, ...] = (),
    known: list[Object] | None = None,
    root: Structure | None = None,
) -> list[Object]:
    """The managedFields after `manager` turned `old` into `new`.

    `excluded` names top-level fields that can't be owned through this subresource; `known` are the entries to begin
    with, where they aren't those of `old`; `root` is the kind's structure, where it isn't a built-in one.
    """
    before = known if known is not None else entries(old or {})
    if old is not None and not before:
        return []  # an object that nobody's fields are known of stays so until somebody applies
    root = root or schema.root(new.get("apiVersion", ""), new.get("kind", ""))
    changes = changes_between(old or {}, new, root)
    changed = {path for path in changes.changed if path[0][2:] not in excluded}
    lost = changes.removed | changed
    identity = (manager, "Update", new.get("apiVersion", ""), subresource)
    own = next((entry for entry in before if _identity(entry) == identity), None)
    kept = [rest for entry in before if entry is not own and (rest := reduced(entry, lost)) is not None]
    mine = _gained(own, changed, changes.removed) if own is not None else changed
    if isinstance(mine, dict):
        kept.append({**mine, "time": now()} if changed else mine)
    elif mine:
        kept.append(
            entry_of(
                mine,
                manager=manager,
                operation="Update",
                api_version=new.get("apiVersion", ""),
                subresource=subresource,
                time=now() if changed or own is None else own.get("time"),
            )
        )
    return ordered(_capped(kept))


def _gained(own: Object, changed: set[Path], removed: set[Path]) -> Object | set[Path]:
    """A manager's fields after it changed and removed some: its entry as it is, where they are the same."""
    fields = own["fieldsV1"]
    if not any(has_field(fields, path) for path in removed) and all(has_field(fields, path) for path in changed):
        return own
    return (from_fields(fields) - removed) | changed


def _identity(entry: Object) -> tuple[Any, ...]:
    return entry.get("manager"), entry.get("operation"), entry.get("apiVersion"), entry.get("subresource", "")


def _capped(found: list[Object]) -> list[Object]:
    """At most ten managers of updates: the oldest of a version are put together."""
    updates = [entry for entry in ordered(found) if entry.get("operation") == "Update"]
    surplus = len(updates) - MOST_UPDATERS
    buckets: dict[str, list[Object]] = {}
    for entry in updates:
        if surplus <= 0:
            break
        bucket = buckets.setdefault(entry["apiVersion"], [])
        bucket.append(entry)
        surplus -= len(bucket) > 1
    merged = [entry for bucket in buckets.values() if len(bucket) > 1 for entry in bucket]
    result = [entry for entry in found if not any(entry is old for old in merged)]
    for version, bucket in buckets.items():
        if len(bucket) > 1:
            paths = set().union(*map(paths_of, bucket))
            time = max(entry.get("time", "") for entry in bucket)
            result.append(
                entry_of(
                    paths, manager=_ANCIENT, operation="Update", api_version=version, subresource="", time=time or None
                )
            )
    return result
