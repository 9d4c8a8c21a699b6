"""A custom kind's schema in the form in which field ownership and server-side apply read schemas."""

from typing import Any

from seatrial.sandbox.apiserver.custom.node import Node
from seatrial.sandbox.apiserver.schema import DEDUCED, FieldType, Structure, child

_META = FieldType("struct", "meta.v1.ObjectMeta")
_TEXT = FieldType("value", "string")


def structure_of(node: Node, name: str) -> Structure:
    """The structure of a whole resource."""
    fields = {key: field_type(inner) for key, inner in node.properties.items()}
    fields |= {"apiVersion": _TEXT, "kind": _TEXT, "metadata": _META}
    return Structure(name, fields, frozenset(node.required), atomic=False, rest=_rest(node))


def _rest(node: Node) -> FieldType | None:
    return DEDUCED if node.keeps_unknown or not node.properties else None


def field_type(node: Node) -> FieldType:
    """The type of one level: how its parts are owned and merged."""
    is_atomic = node.raw.get("x-kubernetes-map-type") == "atomic"
    if node.type == "array":
        item = field_type(node.items) if node.items is not None else DEDUCED
        is_set = node.list_type == "set"
        atomic = node.list_type not in ("set", "map")
        return FieldType("list", item=item, atomic=atomic, keys=node.list_keys, is_set=is_set)
    if node.is_embedded:
        return FieldType("struct", atomic=is_atomic, inline=structure_of(node, "embedded"))
    if node.properties:
        fields = {key: field_type(inner) for key, inner in node.properties.items()}
        inline = Structure("object", fields, frozenset(node.required), atomic=is_atomic, rest=_rest(node))
        return FieldType("struct", atomic=is_atomic, inline=inline)
    if node.additional is not None:
        return FieldType("map", item=field_type(node.additional), atomic=is_atomic)
    if node.type == "object" or (node.keeps_unknown and not node.type):
        return FieldType("map", item=DEDUCED, atomic=True) if is_atomic else DEDUCED
    return FieldType("value", node.type or "any")


def mismatch(value: Any, kind: FieldType | Structure, path: str = "") -> str:
    """The first value of a configuration that isn't of its field's type, in words; empty where all are."""
    if isinstance(kind, FieldType) and kind.shape == "value":
        return _scalar_mismatch(value, kind.name, path)
    if isinstance(kind, FieldType) and kind.shape == "list":
        if not isinstance(value, list):
            return "" if value is None else f"{path}: expected list, got {_shown(value)}"
        item = kind.item or DEDUCED
        found = (mismatch(entry, item, f"{path}[{index}]") for index, entry in enumerate(value))
    else:
        if not isinstance(value, dict):
            return "" if value is None else f"{path}: expected map, got {_shown(value)}"
        found = (mismatch(entry, child(kind, key), f"{path}.{key}") for key, entry in value.items())
    return next(filter(None, found), "")


def _scalar_mismatch(value: Any, name: str, path: str) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in ("integer", "number") and value is not None and not is_number:
        return f"{path}: expected numeric (int or float), got {'bool' if isinstance(value, bool) else _type(value)}"
    if name == "string" and value is not None and not isinstance(value, str):
        return f"{path}: expected string, got &value.valueUnstructured{{Value:{_shown(value)}}}"
    if name == "boolean" and value is not None and not isinstance(value, bool):
        return f"{path}: expected boolean, got &{{{_shown(value)}}}"
    return ""


def _type(value: Any) -> str:
    """The name of Go's type of a value."""
    names: tuple[tuple[type, str], ...] = ((str, "string"), (list, "[]interface {}"), (dict, "map[string]interface {}"))
    return next((name for kind, name in names if isinstance(value, kind)), "value")


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
