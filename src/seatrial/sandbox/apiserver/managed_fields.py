"""Who set which field: `metadata.managedFields`.

Ownership is kept as sets of paths, each a tuple of path elements as `FieldsV1` writes them: `f:spec`,
`k:{"name":"c"}`, `v:"x"`. An update gives its manager what it changed and takes that from the others; an apply (in
`apply`) states the whole set a manager wants. See "Server-Side Apply" and "FieldsV1" in the Kubernetes
documentation.
"""

import json
from collections.abc import Iterable
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import schema
from seatrial.sandbox.apiserver.metadata import now
from seatrial.sandbox.apiserver.schema import FieldType, Structure

Path = tuple[str, ...]
_ABSENT = object()
_SERVER_OWNED = frozenset(
    {
        "name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields",
        "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink",
    }
)  # fmt: skip
# Lists that Go writes as null when nothing is set: their own path is never gained.
_NULL_LISTS = frozenset({"containers", "rules", "endpoints", "currentMetrics"})
# Structures that are always written: their own path is never gained either.
_PLAIN = frozenset(
    {
        "metadata",
        "source",
        "spec",
        "status",
        "template",
        "jobTemplate",
        "strategy",
        "updateStrategy",
        "loadBalancer",
        "scaleTargetRef",
    }
)


def item_key(item: Any, field: FieldType) -> str:
    """The path element of a list's item."""
    if field.keys and isinstance(item, dict):
        values = {key: item[key] for key in sorted(field.keys) if key in item}
        if "protocol" in field.keys and "protocol" not in values:
            values["protocol"] = "TCP"
        return "k:" + json.dumps(values, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return "v:" + json.dumps(item, separators=(",", ":"), ensure_ascii=False)


def children(value: Any, field: FieldType | Structure) -> list[tuple[str, Any, FieldType]]:
    """The parts of a map, structure or list, with their path elements and types."""
    if isinstance(value, dict):
        return [(f"f:{key}", entry, schema.child(field, key)) for key, entry in value.items()]
    if isinstance(value, list) and isinstance(field, FieldType):
        item = field.item or schema.ANY
        return [(item_key(entry, field), entry, item) for entry in value]
    return []


def is_leaf(value: Any, field: FieldType | Structure) -> bool:
    """Whether the value is owned as a whole."""
    if isinstance(field, FieldType) and schema.is_atomic(field):
        return True
    return not isinstance(value, dict | list)


class _Comparison:
    """What differs between two versions, as paths."""

    def __init__(self) -> None:
        self.changed: set[Path] = set()
        self.removed: set[Path] = set()

    def compare(self, old: Any, new: Any, field: FieldType | Structure, path: Path) -> None:
        if old is new:
            return
        present = new if new is not _ABSENT else old
        if is_leaf(present, field) or (not old_items(old) and not old_items(new)):
            self._leaf(old, new, path)
            return
        if old is _ABSENT and not _is_plain(path):
            self.changed.add(path)
        if new is _ABSENT:
            self.removed.add(path)
        before = {element: (entry, kind) for element, entry, kind in children(old, field)}
        after = {element: (entry, kind) for element, entry, kind in children(new, field)}
        for element in before.keys() | after.keys():
            kind = (after.get(element) or before[element])[1]
            was = before.get(element, (_ABSENT, kind))[0]
            is_now = after.get(element, (_ABSENT, kind))[0]
            self.compare(was, is_now, kind, (*path, element))

    def _leaf(self, old: Any, new: Any, path: Path) -> None:
        if new is _ABSENT:
            self.removed.add(path)
        elif old is _ABSENT:
            if not _is_blank(new, path):
                self.changed.add(path)
        elif old != new:
            self.changed.add(path)


def old_items(value: Any) -> bool:
    """Whether a map or list has anything in it."""
    return value is not _ABSENT and isinstance(value, dict | list) and bool(value)


def _is_blank(value: Any, path: Path) -> bool:
    """Whether Go writes this value although nobody set it."""
    if value is None:
        return len(path) == 1
    return (value == {} and _is_plain(path)) or (value == "" and path in _BLANK)


def _is_plain(path: Path) -> bool:
    if not path:
        return True
    name = path[-1][2:]
    if name in _NULL_LISTS:
        return path in _NULL_PATHS
    return name in _PLAIN and all(element[2:] in _PLAIN for element in path)


# Texts that Go writes although they are empty.
_BLANK = frozenset({("f:spec", "f:serviceName"), ("f:reportingComponent",), ("f:reportingInstance",)})
_NULL_PATHS = frozenset(
    {
        ("f:spec", "f:containers"),
        ("f:spec", "f:template", "f:spec", "f:containers"),
        ("f:spec", "f:jobTemplate", "f:spec", "f:template", "f:spec", "f:containers"),
        ("f:rules",),
        ("f:endpoints",),
        ("f:status", "f:currentMetrics"),
    }
)


def _comparable(obj: Object) -> Object:
    """The parts of an object that can be owned."""
    result = {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}
    result["metadata"] = {k: v for k, v in obj.get("metadata", {}).items() if k not in _SERVER_OWNED}
    return result


def to_fields(paths: Iterable[Path]) -> Object:
    """Paths as `FieldsV1`."""
    tree: Object = {}
    ordered = sorted(paths)
    inner = {path[:length] for path in ordered for length in range(1, len(path))}
    for path in ordered:
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        if path in inner:
            node["."] = {}
    return tree


def from_fields(fields: Object) -> set[Path]:
    """`FieldsV1` as paths."""
    found: set[Path] = set()

    def walk(node: Object, path: Path) -> None:
        for element, below in node.items():
            if element == ".":
                found.add(path)
            elif not below:
                found.add((*path, element))
            else:
                walk(below, (*path, element))

    walk(fields, ())
    return found


def owned_paths(obj: Object, root: Structure | None) -> set[Path]:
    """Every path that an applied configuration names."""
    found: set[Path] = set()

    def walk(value: Any, field: FieldType | Structure, path: Path, *, member: bool) -> None:
        if is_leaf(value, field) or not value:
            found.add(path)
            return
        if member:
            found.add(path)
        in_list = isinstance(value, list)
        for element, entry, kind in children(value, field):
            walk(entry, kind, (*path, element), member=in_list)

    for element, entry, kind in children(_comparable(obj), root or schema.ANY):
        if element == "f:metadata" and not entry:
            continue
        walk(entry, kind, (element,), member=False)
    return found


def entries(obj: Object) -> list[Object]:
    """The object's managedFields."""
    return list(obj.get("metadata", {}).get("managedFields") or [])


def track_update(
    old: Object | None, new: Object, *, manager: str, subresource: str, excluded: tuple[str, ...] = ()
) -> list[Object]:
    """The managedFields after `manager` turned `old` into `new`.

    `excluded` names top-level fields that can't be owned through this subresource.
    """
    root = schema.root(new.get("apiVersion", ""), new.get("kind", ""))
    comparison = _Comparison()
    before: Any = _comparable(old) if old is not None else {}
    comparison.compare(before, _comparable(new), root or schema.ANY, ())
    changed = {path for path in comparison.changed if path[0][2:] not in excluded}
    kept: list[Object] = []
    own: Object | None = None
    api_version = new.get("apiVersion", "")
    for entry in entries(old or {}):
        mine = (
            entry.get("manager") == manager
            and entry.get("operation") == "Update"
            and entry.get("subresource", "") == subresource
            and entry.get("apiVersion") == api_version
        )
        if mine:
            own = entry
            continue
        rest = _reduced(entry, comparison.removed | changed)
        if rest is not None:
            kept.append(rest)
    return _with_own(kept, own, changed, comparison.removed, manager, subresource, api_version)


def _with_own(
    kept: list[Object],
    own: Object | None,
    changed: set[Path],
    removed: set[Path],
    manager: str,
    subresource: str,
    api_version: str,
) -> list[Object]:
    before = from_fields(own["fieldsV1"]) if own else set()
    paths = (before | changed) - removed
    if own is not None and paths == before:
        return ordered([*kept, own])
    if not paths:
        return ordered(kept)
    entry = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": api_version,
        "time": now(),
        "fieldsType": "FieldsV1",
        "fieldsV1": to_fields(paths),
    }
    if subresource:
        entry["subresource"] = subresource
    return ordered([*kept, entry])


def _reduced(entry: Object, lost: set[Path]) -> Object | None:
    """A manager's entry without what it lost; None when nothing remains."""
    before = from_fields(entry.get("fieldsV1") or {})
    after = before - lost
    if after == before:
        return entry
    return {**entry, "fieldsV1": to_fields(after)} if after else None


def ordered(found: list[Object]) -> list[Object]:
    """Applied ones first, then by time, as Kubernetes sorts them."""
    return sorted(
        found, key=lambda entry: (entry.get("operation") != "Apply", entry.get("time", ""), entry.get("manager", ""))
    )
