"""Changing fields of somebody else's object, so that exactly these can be put back and nothing of theirs is lost.

The undo holds, for each field, what stood there before and what we set. Putting back looks at the object as it is by
then: a field that still has our value gets its old one, a field that somebody changed since stays theirs and is
said, an object that was deleted or replaced is left alone. Both ways are merge patches with the object's
resourceVersion as a precondition, so that a change in between makes a fresh look, never a lost update.

While it is changed, the object carries the run's label: a second run that would change it too is refused, since what it
would find, and put back, is not the object's own state.

Lists are compared as wholes, but for lists of maps with names (containers, ports): these item by item.
"""

import copy
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.actions.created_objects import RUN_LABEL, refuse_leftover
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
_SERVERS_OWN = frozenset({"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"})


class _Absent:
    """No value at all, which null is not."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT: Any = _Absent()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field: its path (a pair `(name, NAME)` is the list item of that name), its value before, and ours."""

    path: tuple[Part, ...]
    before: Any
    ours: Any

    def __str__(self) -> str:
        return "".join(f"[{part[1]}]" if isinstance(part, tuple) else f".{part}" for part in self.path).lstrip(".")

    def as_json(self) -> Object:
        """What stands in the journal; a value that isn't there has no key."""
        values = {"before": self.before, "ours": self.ours}
        kept = {key: value for key, value in values.items() if value is not ABSENT}
        return {"path": [list(part) if isinstance(part, tuple) else part for part in self.path], **kept}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "FieldChange":
        """Read what `as_json` wrote."""
        path = tuple((part[0], part[1]) if isinstance(part, list) else part for part in data["path"])
        return cls(path, data.get("before", ABSENT), data.get("ours", ABSENT))


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
) -> list[FieldChange]:
    """Change an object by a function that edits a copy of it; the undo is in the journal before that.

    Args:
        resource: the object's kind.
        name: the object's name.
        change: edits the object it is given; may be called again with a fresher one.
        context: whose cluster, journal and events.
        namespace: the object's namespace, None where it has none.
        description: what the undo does, such as "scale Deployment shop/cart back to 3"; made up where it isn't given.

    Returns:
        What was changed; empty where the object was already as wanted.

    Raises:
        ClusterError: the API server refused, the object isn't there, or another run has changed it.
        StateError: the journal could not be written; nothing was changed.
    """
    conflict: Conflict | None = None
    for _ in range(_MOST_CONFLICTS):
        before = await context.cluster.get(resource, name, namespace=namespace)
        refuse_leftover(before, context.run_id)
        after = copy.deepcopy(before)
        change(after)
        if not differences(before, after):
            return []
        after["metadata"].setdefault("labels", {})[RUN_LABEL] = context.run_id
        changes = differences(before, after)
        undo = revert_undo(resource, before, changes, description=description)
        written = await context.write_undo(undo)
        try:
            await _patch(resource, before, after, context.cluster)
        except Conflict as error:  # somebody was quicker: nothing was changed, so nothing is to be undone
            conflict = error
            await context.journal.settle(written)
        else:
            return changes
    assert conflict is not None  # noqa: S101 -- the loop ends in no other way
    raise conflict


def revert_undo(resource: Resource, before: Object, changes: list[FieldChange], *, description: str = "") -> Undo:
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
        },
        description=description or f"put {resource.kind} {where}{meta['name']} back as it was{shown}",
        manual=_by_hand(resource, before, changes),
    )


async def _revert(args: Mapping[str, Any], world: World) -> str:
    cluster = world.cluster
    resource = await cluster.resource_for(args["apiVersion"], args["kind"])
    changes = [FieldChange.from_json(each) for each in args["changes"]]
    conflict: Conflict | None = None
    for _ in range(_MOST_CONFLICTS):
        try:
            now = await cluster.get(resource, args["name"], namespace=args["namespace"] or None)
        except NotFound:
            return "somebody deleted it since"
        if now["metadata"]["uid"] != args["uid"]:
            return "somebody replaced it by another since"
        wanted = copy.deepcopy(now)
        left = [str(each) for each in changes if not _put_back(each, wanted) and each.path != _RUN_LABEL_PATH]
        try:
            if wanted != now:
                await _patch(resource, now, wanted, cluster)
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
    old, new = _children(before), _children(after)
    if old is None or new is None:
        yield FieldChange(path, before, after)
        return
    for part in dict.fromkeys([*old, *new]):
        yield from _differences(old.get(part, ABSENT), new.get(part, ABSENT), (*path, part))


def _children(value: Any) -> dict[Part, Any] | None:
    """What is compared one by one: a map's values, the items of a list of maps with names; else None."""
    if isinstance(value, dict):
        return dict(value)
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) and "name" in item for item in value):
        return None
    items: dict[Part, Any] = {("name", item["name"]): item for item in value}
    return items if len(items) == len(value) else None


def _put_back(change: FieldChange, wanted: Object) -> bool:
    """Put one field back where it still has our value; tells whether it is, or was already, as before."""
    parent, last = _parent(wanted, change.path)
    if parent is None:
        return change.before is ABSENT
    now = _value(parent, last)
    if _same(now, change.before):
        return True
    if not _same(now, change.ours):
        return False
    _set(parent, last, change.before)
    return True


def _parent(wanted: Object, path: tuple[Part, ...]) -> tuple[Any, Part]:
    """Where a field stands: the map or list that holds it, None where that isn't there any more."""
    place: Any = wanted
    for part in path[:-1]:
        place = _value(place, part)
    return (place if isinstance(place, dict | list) else None), path[-1]


def _value(place: Any, part: Part) -> Any:
    if isinstance(part, tuple):
        items = place if isinstance(place, list) else []
        return next((item for item in items if isinstance(item, dict) and item.get(part[0]) == part[1]), ABSENT)
    return place.get(part, ABSENT) if isinstance(place, dict) else ABSENT


def _set(place: Any, part: Part, value: Any) -> None:
    if isinstance(part, tuple):
        index = next((at for at, item in enumerate(place) if item.get(part[0]) == part[1]), len(place))
        place[index : index + 1] = [] if value is ABSENT else [value]
    elif value is ABSENT:
        place.pop(part, None)
    else:
        place[part] = value


def _same(one: Any, other: Any) -> bool:
    """Whether two values mean the same to Kubernetes, which drops what is empty."""
    return one is other or (_is_empty(one) and _is_empty(other)) or (type(one) is type(other) and one == other)


def _is_empty(value: Any) -> bool:
    return value is ABSENT or value is None or value is False or value in ("", [], {})


async def _patch(resource: Resource, now: Object, wanted: Object, cluster: Client) -> None:
    meta = now["metadata"]
    patch = merge_patch(_without_the_servers(now), _without_the_servers(wanted))
    precondition = {key: meta[key] for key in ("uid", "resourceVersion")}
    body = {**patch, "metadata": {**patch.get("metadata", {}), **precondition}}
    await cluster.patch(resource, meta["name"], body, namespace=meta.get("namespace") or None)


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
