"""The fields in which two states of an object differ, and putting them back one by one.

Nothing here asks a cluster. Lists are compared as wholes, but for lists of maps with names (containers, ports) and a
node's taints, which have a key and an effect instead: these item by item. A field that somebody else has changed since
is theirs, and stays.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

Object = dict[str, Any]
Part = str | tuple[str, str]

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


class FieldChange(msgspec.Struct, frozen=True):
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


def put_back(change: FieldChange, wanted: Object) -> bool:
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


def put_ours(changes: Iterable[FieldChange], wanted: Object) -> None:
    """Set fields to our values, as far as what holds them is there."""
    for path in _MAPS_OF_MANY:
        wanted["metadata"].setdefault(path[-1], {})
    for each in changes:
        parent, last = _parent(wanted, each.path)
        if parent is not None:
            _set(parent, last, each.ours)


def patch_between(now: Object, wanted: Object) -> Object:
    """The merge patch that leads from one state of an object to the other, without what the server keeps itself."""
    return merge_patch(_without_the_servers(now), _without_the_servers(wanted))


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


def _without_the_servers(thing: Object) -> Object:
    kept = {key: value for key, value in thing.items() if key != "status"}
    meta = {key: value for key, value in thing.get("metadata", {}).items() if key not in _SERVERS_OWN}
    return {**kept, "metadata": meta}
