"""Lists with identities: the values of a set, and the keys of a map, may stand only once."""

import json
from typing import Any

from seatrial.sandbox.apiserver.custom.node import Node, Path, below
from seatrial.sandbox.apiserver.statuses import FieldError, duplicate


def repetitions(value: Any, node: Node, path: Path = "") -> list[FieldError]:
    """What stands more than once where it may not."""
    found: list[FieldError] = []
    if isinstance(value, dict):
        for key, entry in value.items():
            child = node.child(key)
            if child is not None:
                found += repetitions(entry, child, below(path, key))
    elif isinstance(value, list):
        if node.list_type in ("set", "map"):
            found += _repeated(value, node, path)
        if node.items is not None:
            for index, item in enumerate(value):
                found += repetitions(item, node.items, f"{path}[{index}]")
    return found


def _repeated(items: list[Any], node: Node, path: Path) -> list[FieldError]:
    seen: set[str] = set()
    found: dict[str, FieldError] = {}
    for index, item in enumerate(items):
        shown = item
        if node.list_type == "map":
            if not isinstance(item, dict):
                continue
            shown = {key: item[key] for key in node.list_keys if key in item}
        identity = json.dumps(shown, sort_keys=True)
        if identity in seen:
            found.setdefault(identity, duplicate(f"{path}[{index}]", shown))
        seen.add(identity)
    return list(found.values())
