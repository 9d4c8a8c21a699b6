"""The merging of server-side apply: a configuration over a live object, and fields taken out of it.

Unlike a strategic merge patch this goes by the lists' keys for ownership (`x-kubernetes-list-map-keys`) and knows no
directives: what is to go is given as a set of fields.
"""

from typing import Any

from seatrial.sandbox.apiserver import schema
from seatrial.sandbox.apiserver.patching.field_sets import Path, is_leaf, item_key
from seatrial.sandbox.apiserver.schema import FieldType, Structure


def merged(live: Any, config: Any, field: FieldType | Structure) -> Any:
    """The live value with the configuration over it; neither is changed."""
    if is_leaf(config, field) or isinstance(config, list) != isinstance(live, list):
        return config
    if isinstance(config, dict):
        result = dict(live) if isinstance(live, dict) else {}
        for key, value in config.items():
            result[key] = merged(result[key], value, schema.child(field, key)) if key in result else value
        return result
    return _merged_list(live, config, field) if isinstance(field, FieldType) else config


def _merged_list(live: list[Any], config: list[Any], field: FieldType) -> list[Any]:
    """Items of both: those of the configuration in its order, those of the live list where they stood between them."""
    item = field.item or schema.ANY
    known = {item_key(entry, field): entry for entry in live}
    wanted = {item_key(entry, field): entry for entry in config}
    result: list[Any] = []
    rest = list(wanted)
    shared = [key for key in rest if key in known]

    def take(key: str) -> None:
        entry = wanted[key]
        result.append(merged(known[key], entry, item) if key in known and field.keys else entry)
        rest.remove(key)
        if key in shared:
            shared.remove(key)

    for key, entry in known.items():
        if key not in wanted:
            result.append(entry)
        elif key in rest and shared and shared[0] == key:
            while rest[0] != key:
                take(rest[0])
            take(key)
    for key in list(rest):
        take(key)
    return result


def without(value: Any, gone: set[Path], field: FieldType | Structure) -> Any:
    """The value without these fields; what is emptied by it goes too."""
    below: dict[str, set[Path]] = {}
    for path in gone:
        below.setdefault(path[0], set()).add(path[1:])

    def kept(element: str, entry: Any, kind: FieldType) -> Any:
        paths = below.get(element)
        if paths is None:
            return entry
        if () in paths:
            return None
        return without(entry, paths, kind) if isinstance(entry, dict | list) else entry

    if isinstance(value, dict):
        found = {key: kept(f"f:{key}", entry, schema.child(field, key)) for key, entry in value.items()}
        return {key: entry for key, entry in found.items() if entry is not None} or None
    if isinstance(value, list) and isinstance(field, FieldType):
        item = field.item or schema.ANY
        items = [kept(item_key(entry, field), entry, item) for entry in value]
        return [entry for entry in items if entry is not None] or None
    return value
