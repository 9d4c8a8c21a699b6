"""What a schema does to a value before it is judged: unknown fields go, defaults come.

The order is Kubernetes': fields that the schema doesn't name are pruned (and reported), then missing fields get their
defaults, then nulls that may not be null vanish. Both work on copies that belong to the caller.
"""

from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.custom.node import Node, Path, below
from seatrial.sandbox.apiserver.decoding import copy_json

IMPLICIT = frozenset({"apiVersion", "kind", "metadata"})


def prune(value: Any, node: Node, *, is_resource: bool = False, path: Path = "") -> list[str]:
    """Take out of `value` what its schema doesn't know; the paths of what went."""
    gone: list[str] = []
    if isinstance(value, dict):
        _prune_object(value, node, is_resource or node.is_embedded, path, gone)
    elif isinstance(value, list) and node.items is not None:
        for index, item in enumerate(value):
            gone += prune(item, node.items, path=f"{path}[{index}]")
    return gone


def _prune_object(value: Object, node: Node, is_resource: bool, path: Path, gone: list[str]) -> None:  # noqa: FBT001 -- private
    for key in list(value):
        child = node.child(key)
        if is_resource and key in IMPLICIT:
            continue
        if child is not None:
            gone += prune(value[key], child, path=below(path, key))
        elif not node.keeps_unknown:
            gone.append(below(path, key))
            del value[key]


def set_defaults(value: Any, node: Node) -> None:
    """Fill in what is missing, and drop nulls where null isn't allowed."""
    if isinstance(value, dict):
        _default_object(value, node)
    elif isinstance(value, list) and node.items is not None:
        for item in value:
            set_defaults(item, node.items)


def _default_object(value: Object, node: Node) -> None:
    for key, child in node.properties.items():
        default = child.raw.get("default")
        if key not in value or (value[key] is None and not child.is_nullable):
            if default is not None:
                value[key] = copy_json(default)
            else:
                value.pop(key, None)
        if key in value:
            set_defaults(value[key], child)
    if node.additional is None:
        return
    for key in [key for key in value if key not in node.properties]:
        if value[key] is None and not node.additional.is_nullable:
            default = node.additional.raw.get("default")
            if default is None:
                del value[key]
                continue
            value[key] = copy_json(default)
        set_defaults(value[key], node.additional)


def embedded_resources(value: Any, node: Node, path: Path = "") -> list[tuple[Path, Object]]:
    """The objects inside `value` that are resources themselves, with their paths."""
    found: list[tuple[Path, Object]] = []
    if isinstance(value, dict):
        if node.is_embedded:
            found.append((path, value))
        for key, entry in value.items():
            child = node.child(key)
            if child is not None:
                found += embedded_resources(entry, child, below(path, key))
    elif isinstance(value, list) and node.items is not None:
        for index, item in enumerate(value):
            found += embedded_resources(item, node.items, f"{path}[{index}]")
    return found
