"""Sets of fields as managedFields hold them: what counts as a field, and the form `FieldsV1`.

A field is a path, a tuple of elements as `FieldsV1` writes them: `f:spec`, `k:{"name":"c"}` for an item of a list with
keys, `v:"x"` for an item of a set. See "Server-Side Apply" in the Kubernetes documentation; `field_changes` compares
objects in these terms.
"""

import json
from collections.abc import Iterable
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import schema
from seatrial.sandbox.apiserver.schema import FieldType, Structure

Path = tuple[str, ...]
_quoted = json.JSONEncoder(ensure_ascii=False).encode
ABSENT: Any = object()
_SERVER_OWNED = frozenset(
    {
        "name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields",
        "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink",
    }
)  # fmt: skip


def item_key(item: Any, field: FieldType) -> str:
    """The path element of a list's item."""
    if field.keys and isinstance(item, dict):
        values = {key: item[key] for key in sorted(field.keys) if key in item}
        if "protocol" in field.keys and "protocol" not in values:
            values["protocol"] = "TCP"
        if len(values) == 1:  # most keys are: written by hand, which is three times as quick
            [(key, value)] = values.items()
            if isinstance(value, str):
                return f'k:{{"{key}":{_quoted(value)}}}'
        return "k:" + json.dumps(values, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return "v:" + json.dumps(item, separators=(",", ":"), ensure_ascii=False)


def children(value: Any, field: FieldType | Structure) -> dict[str, tuple[Any, FieldType]]:
    """The parts of a map, structure or list by path element, with their types; items of one key count as one part."""
    if isinstance(value, dict):
        return {f"f:{key}": (entry, schema.child(field, key)) for key, entry in value.items()}
    found: dict[str, tuple[Any, FieldType]] = {}
    if isinstance(value, list) and isinstance(field, FieldType):
        item = field.item or schema.ANY
        for entry in value:
            element = item_key(entry, field)
            if element not in found:
                found[element] = (entry, item)
            elif field.keys:
                first, kind = found[element]
                found[element] = ([*(first if kind is schema.ANY else [first]), entry], schema.ANY)
    return found


def is_leaf(value: Any, field: FieldType | Structure) -> bool:
    """Whether the value is owned as a whole."""
    if field is schema.DEDUCED:
        return not isinstance(value, dict)
    if isinstance(field, FieldType) and schema.is_atomic(field):
        return True
    return not isinstance(value, dict | list)


def comparable(obj: Object) -> Object:
    """The parts of an object that can be owned."""
    result = {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}
    result["metadata"] = {k: v for k, v in (obj.get("metadata") or {}).items() if k not in _SERVER_OWNED}
    return result


def to_fields(paths: Iterable[Path]) -> Object:
    """Paths as `FieldsV1`."""
    tree: Object = {}
    last: Path = ()
    node = tree
    # In order, a field stands right before those below it, which is when it is seen to have any.
    for path in sorted(paths):
        if last and path[: len(last)] == last:
            node["."] = {}
        node = tree
        for element in path:
            below = node.get(element)
            if below is None:
                below = node[element] = {}
            node = below
        last = path
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


def has_field(fields: Object, path: Path) -> bool:
    """Whether `FieldsV1` names a path; asked of one path this is cheaper than `from_fields`."""
    node: Any = fields
    for element in path:
        node = node.get(element)
        if node is None:
            return False
    return not node or "." in node


def owned_paths(obj: Object, root: Structure | None) -> set[Path]:
    """Every field that an applied configuration names."""
    found: set[Path] = set()

    def walk(value: Any, field: FieldType | Structure, path: Path, *, is_item: bool) -> None:
        if is_leaf(value, field) or not value:
            found.add(path)
            return
        if is_item:
            found.add(path)
        for element, (entry, kind) in children(value, field).items():
            walk(entry, kind, (*path, element), is_item=isinstance(value, list))

    for element, (entry, kind) in children(comparable(obj), root or schema.DEDUCED).items():
        if element != "f:metadata" or entry:
            walk(entry, kind, (element,), is_item=False)
    return found


def with_parents(paths: Iterable[Path]) -> set[Path]:
    """The fields and all maps and structures around them."""
    found = set(paths)
    for path in list(found):
        found.update(path[:length] for length in range(1, len(path)) if path[length - 1].startswith("f:"))
    return found


def value_at(obj: Any, path: Path, root: Structure | None) -> Any:
    """The value of a field; `ABSENT` where there is none."""
    field: FieldType | Structure = root or schema.DEDUCED
    for element in path:
        part = children(obj, field).get(element)
        if part is None:
            return ABSENT
        obj, field = part
    return obj


def dotted(path: Path) -> str:
    """A field as conflicts name it: `.spec.containers[name="c"].image`."""
    text = ""
    for element in path:
        if element.startswith("f:"):
            text += f".{element[2:]}"
        elif element.startswith("k:"):
            keys = json.loads(element[2:])
            pairs = (f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in keys.items())
            text += f"[{','.join(pairs)}]"
        else:
            text += f"[={element[2:]}]"
    return text
