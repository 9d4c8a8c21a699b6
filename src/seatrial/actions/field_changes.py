"""Changing fields of somebody else's object, so that exactly these can be put back and nothing of theirs is lost.

The undo holds, for each field, what stood there before and what we set. Putting back looks at the object as it is by
then: a field that still has our value gets its old one, a field that somebody changed since stays theirs and is
said, an object that was deleted or replaced is left alone. Both ways are merge patches with the object's
resourceVersion as a precondition, so that a change in between makes a fresh look, never a lost update. Whoever managed
the fields before does so again (`field_owners`).

While it is changed, the object carries the run's label: a second run that would change it too is refused, since what it
would find, and put back, is not the object's own state.

Lists are compared as wholes, but for lists of maps with names (containers, ports) and a node's taints, which have a
key and an effect instead: these item by item.
"""

import copy
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from seatrial.actions.created_objects import RUN_LABEL, refuse_leftover
from seatrial.actions.field_owners import given_back
from seatrial.kube.client import Client
from seatrial.kube.errors import Conflict, NotFound
from seatrial.kube.resources import Resource
from seatrial.runtime.context import Context
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.world import World

Object = dict[str, Any]
Part = str | tuple[str, str]

_MOST_CONFLICTS = 20
_RUN_LABEL_PATH = ("metadata", "labels", RUN_LABEL)
# Whose keys belong to different people, even where we set the first one.
_MAPS_OF_MANY = frozenset({("metadata", "labels"), ("metadata", "annotations")})
_LISTS_OF_MANY = frozenset({("spec", "taints")})
# What tells the items of a list from each other, the first that all of them have.
_IDENTITIES = ("name", "key,effect")
# What the cluster may add to an item by itself, which makes it nobody else's.
_CLUSTERS_OWN = {"key,effect": frozenset({"timeAdded"})}
_SERVERS_OWN = frozenset({"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"})


class _Absent:
    """No value at all, which null is not."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT: Any = _Absent()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field: its path, its value before, and ours.

    A pair in the path is an item of a list: `("name", NAME)` that of a name, `("key,effect", "KEY,EFFECT")` a taint;
    `at` is where in its list an item stood before, if we took it out.
    """

    path: tuple[Part, ...]
    before: Any
    ours: Any
    at: int | None = None

    def __str__(self) -> str:
        return "".join(f"[{part[1]}]" if isinstance(part, tuple) else f".{part}" for part in self.path).lstrip(".")

    def as_json(self) -> Object:
        """What stands in the journal; a value that isn't there has no key."""
        values = {"before": self.before, "ours": self.ours}
        kept = {key: value for key, value in values.items() if value is not ABSENT}
        kept |= {} if self.at is None else {"at": self.at}
        return {"path": [list(part) if isinstance(part, tuple) else part for part in self.path], **kept}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "FieldChange":
        """Read what `as_json` wrote."""
        path = tuple((part[0], part[1]) if isinstance(part, list) else part for part in data["path"])
        return cls(path, data.get("before", ABSENT), data.get("ours", ABSENT), data.get("at"))


def differences(before: Object, after: Object) -> list[FieldChange]:
    """The fields in which two states of an object differ, apart from its status and what the server keeps itself."""
    return list(_differences(_without_the_servers(before), _without_the_servers(after), ()))


async def change_fields(
    resource: Resource,
    name: str,
    change: Callable[[Object], None],
    context: Context,
    *,
    namespace: str | None = None,
    description: str = "",
    manual: str = "",
) -> list[FieldChange]:
    """Change an object by a function that edits a copy of it; the undo is in the journal before that.

    Args:
        resource: the object's kind.
        name: the object's name.
        change: edits the object it is given; may be called again with a fresher one.
        context: whose cluster, journal and events.
        namespace: the object's namespace, None where it has none.
        description: what the undo does, such as "scale Deployment shop/cart back to 3"; made up where it isn't given.
        manual: the command by which a person does it; made up where it isn't given.

    Returns:
        What was changed; empty where the object was already as wanted.

    Raises:
        ClusterError: the API server refused, the object isn't there, or another run has changed it.
        StateError: the journal could not be written; nothing was changed.
    """
    before = await context.cluster.get(resource, name, namespace=namespace)
    for attempt in count(1):
        refuse_leftover(before, context.run_id)
        after = copy.deepcopy(before)
        change(after)
        if not differences(before, after):
            return []
        after["metadata"].setdefault("labels", {})[RUN_LABEL] = context.run_id
        changes = differences(before, after)
        undo = revert_undo(resource, before, changes, description=description, manual=manual)
        written = await context.write_undo(undo)
        try:
            await _patch(resource, before, after, context.cluster)
        except Conflict:
            found = await context.cluster.get(resource, name, namespace=namespace)
            if _label(found) == context.run_id != _label(before):
                return changes  # it was made, and something on the way sent it twice
            await context.journal.settle(written)  # somebody was quicker: nothing was changed
            if attempt == _MOST_CONFLICTS:
                raise
            before = found
        else:
            return changes
    raise AssertionError  # the loop has no end of its own


def _label(found: Object) -> str | None:
    labels: Object = found["metadata"].get("labels") or {}
    return labels.get(RUN_LABEL)


def revert_undo(
    resource: Resource, before: Object, changes: list[FieldChange], *, description: str = "", manual: str = ""
) -> Undo:
    """The undo of changes to fields of an object that was `before`."""
    meta = before["metadata"]
    namespace = meta.get("namespace", "")
    where = f"{namespace}/" if namespace else ""
    fields = ", ".join(str(each) for each in changes if each.path != _RUN_LABEL_PATH)
    shown = f" ({fields})" if fields else ""
    return Undo(
        kind=REVERT_FIELDS.kind,
        args={
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "name": meta["name"],
            "namespace": namespace,
            "uid": meta["uid"],
            "changes": [each.as_json() for each in changes],
            "owners": meta.get("managedFields") or [],
        },
        description=description or f"put {resource.kind} {where}{meta['name']} back as it was{shown}",
        manual=manual or _by_hand(resource, before, changes),
    )


def as_before(now: Object, undo: Undo) -> Object:
    """What this undo, a `revertFields`, would make of the object as it is."""
    wanted = copy.deepcopy(now)
    for each in undo.args["changes"]:
        _put_back(FieldChange.from_json(each), wanted)
    return wanted


async def _revert(args: Mapping[str, Any], world: World) -> str:
    cluster = world.cluster
    resource = await cluster.resource_for(args["apiVersion"], args["kind"])
    changes = [FieldChange.from_json(each) for each in args["changes"]]
    values = [each for each in changes if each.path != _RUN_LABEL_PATH]
    label = [each for each in changes if each.path == _RUN_LABEL_PATH]
    conflict: Conflict | None = None
    for _ in range(_MOST_CONFLICTS):
        try:
            now = await cluster.get(resource, args["name"], namespace=args["namespace"] or None)
        except NotFound:
            return "somebody deleted it since"
        if now["metadata"]["uid"] != args["uid"]:
            return "somebody replaced it by another since"
        wanted = copy.deepcopy(now)
        left = [str(each) for each in values if not _put_back(each, wanted)]
        try:
            if wanted != now:
                now = await _patch(resource, now, wanted, cluster)
            await _let_go(resource, now, label, args.get("owners") or [], cluster)
        except Conflict as error:
            conflict = error
        except NotFound:
            return "somebody deleted it since"
        else:
            return f"left as somebody else set it since: {', '.join(left)}" if left else ""
    assert conflict is not None  # noqa: S101 -- the loop ends in no other way
    raise conflict


REVERT_FIELDS = UndoKind(kind="revertFields", run=_revert)


def _differences(before: Any, after: Any, path: tuple[Part, ...]) -> Iterator[FieldChange]:
    if before == after and type(before) is type(after):
        return
    if path in _MAPS_OF_MANY:
        before, after = ({} if value is ABSENT else value for value in (before, after))
    if path in _LISTS_OF_MANY:
        before, after = (value or [] for value in (_none_if_absent(before), _none_if_absent(after)))
    old, new = _children(before, path), _children(after, path)
    if old is None or new is None or type(before) is not type(after):
        yield FieldChange(path, before, after)
        return
    for at, part in enumerate(dict.fromkeys([*old, *new])):
        if isinstance(part, tuple) and part not in new:
            yield FieldChange((*path, part), old[part], ABSENT, at)
        else:
            yield from _differences(old.get(part, ABSENT), new.get(part, ABSENT), (*path, part))


def _none_if_absent(value: Any) -> Any:
    return None if value is ABSENT else value


def _children(value: Any, path: tuple[Part, ...]) -> dict[Part, Any] | None:
    """What is compared one by one: a map's values, the items of a list of maps that can be told apart; else None."""
    if isinstance(value, dict):
        return dict(value)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        return None
    if not value:
        return {} if path in _LISTS_OF_MANY else None
    for fields in _IDENTITIES:
        if all(field in item for item in value for field in fields.split(",")):
            items: dict[Part, Any] = {(fields, _identity(item, fields)): item for item in value}
            return items if len(items) == len(value) else None
    return None


def _identity(item: Mapping[str, Any], fields: str) -> str:
    return ",".join(str(item.get(field)) for field in fields.split(","))


def _put_back(change: FieldChange, wanted: Object) -> bool:
    """Put one field back where it still has our value; tells whether it is, or was already, as before."""
    parent, last = _parent(wanted, change.path)
    if parent is None:
        return change.before is ABSENT
    now = _said(_value(parent, last), last)
    if _same(now, _said(change.before, last)):
        return True
    if not _same(now, _said(change.ours, last)):
        return False
    _set(parent, last, change.before, at=change.at)
    return True


def _parent(wanted: Object, path: tuple[Part, ...]) -> tuple[Any, Part]:
    """Where a field stands: the map or list that holds it, None where that isn't there any more."""
    place: Any = wanted
    for part in path[:-1]:
        place = _value(place, part)
    last = path[-1]
    return (place if isinstance(place, list if isinstance(last, tuple) else dict) else None), last


def _value(place: Any, part: Part) -> Any:
    if isinstance(part, tuple):
        items = place if isinstance(place, list) else []
        return next((item for item in items if isinstance(item, dict) and _identity(item, part[0]) == part[1]), ABSENT)
    return place.get(part, ABSENT) if isinstance(place, dict) else ABSENT


def _set(place: Any, part: Part, value: Any, *, at: int | None = None) -> None:
    if isinstance(part, tuple):
        index = next((index for index, item in enumerate(place) if _identity(item, part[0]) == part[1]), None)
        if index is not None:
            place[index : index + 1] = [] if value is ABSENT else [value]
        elif value is not ABSENT:
            place.insert(len(place) if at is None else at, value)
    elif value is ABSENT:
        place.pop(part, None)
    else:
        place[part] = value


def _same(one: Any, other: Any) -> bool:
    """Whether two values mean the same to Kubernetes, which drops what is empty."""
    return one is other or (_is_empty(one) and _is_empty(other)) or (type(one) is type(other) and one == other)


def _said(value: Any, part: Part) -> Any:
    """A value without what the cluster adds to it."""
    added = _CLUSTERS_OWN.get(part[0]) if isinstance(part, tuple) else None
    return (
        {key: each for key, each in value.items() if key not in added} if added and isinstance(value, dict) else value
    )


def _is_empty(value: Any) -> bool:
    return value is ABSENT or value is None or value is False or value in ("", [], {})


async def _patch(resource: Resource, now: Object, wanted: Object, cluster: Client) -> Object:
    return await _send(resource, now, merge_patch(_without_the_servers(now), _without_the_servers(wanted)), cluster)


async def _let_go(
    resource: Resource, now: Object, label: list[FieldChange], before: list[Object], cluster: Client
) -> None:
    """Take the run's label away and let the fields be managed by those who did before, in one go.

    Until then no other run touches the object: it would take us for a manager of its fields.
    """
    wanted = copy.deepcopy(now)
    for each in label:
        _put_back(each, wanted)
    patch = merge_patch(_without_the_servers(now), _without_the_servers(wanted))
    managed = now["metadata"].get("managedFields") or []
    # An empty list means that nothing is meant; what empties it is an entry that says nothing.
    managers = given_back(managed, before) or [{}]
    if managed and managers != managed:
        patch["metadata"] = {**patch.get("metadata", {}), "managedFields": managers}
    if any(patch.values()):
        await _send(resource, now, patch, cluster)


async def _send(resource: Resource, now: Object, patch: Object, cluster: Client) -> Object:
    """Send a merge patch that is refused where the object isn't as it was read."""
    meta = now["metadata"]
    precondition = {key: meta[key] for key in ("uid", "resourceVersion")}
    body = {**patch, "metadata": {**patch.get("metadata", {}), **precondition}}
    return await cluster.patch(resource, meta["name"], body, namespace=meta.get("namespace") or None)


def merge_patch(now: Object, wanted: Object) -> Object:
    """The JSON merge patch (RFC 7386) that leads from one state to the other."""
    patch: Object = {}
    for key in dict.fromkeys([*now, *wanted]):
        old, new = now.get(key, ABSENT), wanted.get(key, ABSENT)
        if old == new and type(old) is type(new):
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            patch[key] = merge_patch(old, new)
        else:
            patch[key] = None if new is ABSENT else new
    return patch


def _by_hand(resource: Resource, before: Object, changes: list[FieldChange]) -> str:
    """The command that puts the fields back, whatever they are by then."""
    ours = copy.deepcopy(before)
    for path in _MAPS_OF_MANY:
        ours["metadata"].setdefault(path[-1], {})
    for each in changes:
        parent, last = _parent(ours, each.path)
        if parent is not None:
            _set(parent, last, each.ours)
    patch = json.dumps(merge_patch(_without_the_servers(ours), _without_the_servers(before)))
    meta = before["metadata"]
    where = ["-n", meta["namespace"]] if meta.get("namespace") else []
    command = ["kubectl", "patch", resource.qualified_name, meta["name"], *where, "--type", "merge", "-p", patch]
    return shlex.join(command)


def _without_the_servers(thing: Object) -> Object:
    kept = {key: value for key, value in thing.items() if key != "status"}
    meta = {key: value for key, value in thing.get("metadata", {}).items() if key not in _SERVERS_OWN}
    return {**kept, "metadata": meta}
