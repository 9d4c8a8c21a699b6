"""What differs between two versions of an object, in fields: the base of every managedFields entry.

An object as Go writes it holds fields that nobody set: a structure that isn't behind a pointer is `{}`, a list
without omitempty is null. They are there before anybody writes, so writing them makes nobody their owner.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import schema
from seatrial.sandbox.apiserver.decoding import ALWAYS
from seatrial.sandbox.apiserver.patching.field_sets import ABSENT, Path, children, comparable, is_leaf
from seatrial.sandbox.apiserver.protobuf import messages
from seatrial.sandbox.apiserver.schema import FieldType, Structure

# Optional, and written all the same: the published definitions don't tell.
_WRITTEN: dict[str, dict[str, Any]] = {
    "apps.v1.StatefulSetSpec": {"serviceName": ""},
    "apiextensions.v1.CustomResourceDefinition": {"spec": {}, "status": {}},
    "apiextensions.v1.CustomResourceDefinitionSpec": {"names": {}},
}


@dataclass(slots=True)
class Changes:
    """The fields that are new or have another value, and those that are gone."""

    changed: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.changed or self.removed)


def changes_between(old: Object, new: Object, root: Structure | None) -> Changes:
    """What differs; an empty `old` is an object that nobody has set anything in."""
    found = Changes()
    _compare(comparable(old), comparable(new), root or schema.DEDUCED, (), found)
    return found


def _compare(old: Any, new: Any, kind: FieldType | Structure, path: Path, found: Changes) -> None:
    if old == new:
        return
    present = new if isinstance(new, dict | list) else old if isinstance(old, dict | list) else None
    if is_leaf(present, kind) or (not _has_items(old) and not _has_items(new)):
        _compare_leaf(old, new, path, found)
        return
    if path and old is ABSENT:
        found.changed.add(path)
    if path and new is ABSENT:
        found.removed.add(path)
    if isinstance(old, dict) and isinstance(new, dict):
        _compare_maps(old, new, kind, path, found)
        return
    before, after = children(old, kind), children(new, kind)
    for element in before.keys() | after.keys():
        was, part = before.get(element, (ABSENT, schema.ANY))
        now, part = after.get(element, (ABSENT, part))
        _compare(was, now, part, (*path, element), found)


def _compare_maps(old: Object, new: Object, kind: FieldType | Structure, path: Path, found: Changes) -> None:
    zeros = _zeros(kind)
    for key in old.keys() | new.keys():
        was, now = old.get(key, ABSENT), new.get(key, ABSENT)
        if was is now:
            continue
        element = f"f:{key}"
        if was is ABSENT:
            was = zeros.get(element, ABSENT)
        elif now is ABSENT:
            now = zeros.get(element, ABSENT)
        _compare(was, now, schema.child(kind, key), (*path, element), found)


def _has_items(value: Any) -> bool:
    return value is not ABSENT and isinstance(value, dict | list) and bool(value)


def _compare_leaf(old: Any, new: Any, path: Path, found: Changes) -> None:
    if new is ABSENT:
        found.removed.add(path)
    elif old is ABSENT or old != new:
        found.changed.add(path)


def _zeros(kind: FieldType | Structure) -> dict[str, Any]:
    if isinstance(kind, FieldType):
        return written_zeros(kind.name) if kind.shape == "struct" else {}
    return written_zeros(kind.name)


@cache
def written_zeros(name: str) -> dict[str, Any]:
    """The fields of a structure that Go writes though nobody set them, by path element, with their values."""
    described = schema.structure(name)
    message = messages.message(name)
    if described is None:
        return {}
    found = {f"f:{key}": value for table in (ALWAYS, _WRITTEN) for key, value in table.get(name, {}).items()}
    for entry in messages.flattened(message) if message is not None else ():
        is_required = entry.name in described.required
        if entry.shape != "one":
            zero = None if is_required else ABSENT
        elif entry.pointer:
            zero = ABSENT
        elif entry.kind in ("message", "time", "microtime"):
            zero = {} if entry.kind == "message" else None
        else:
            zero = {"string": "", "bool": False}.get(entry.kind, 0) if is_required else ABSENT
        if zero is not ABSENT:
            found.setdefault(f"f:{entry.name}", zero)
    return found
