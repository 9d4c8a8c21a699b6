"""Checks `managedFields` that a writer states: what is kept must be readable for ever after."""

import json
from typing import Any

from seatrial.sandbox.api import Object

_TEXTS = ("manager", "time", "subresource")


def is_entry(entry: Any) -> bool:
    """Whether this is an entry of `managedFields`."""
    if not isinstance(entry, dict) or entry.get("operation") not in ("Apply", "Update"):
        return False
    texts = all(isinstance(entry.get(key), str | None) for key in _TEXTS) and isinstance(entry.get("apiVersion"), str)
    return texts and entry.get("fieldsType") == "FieldsV1" and _is_fields(entry.get("fieldsV1"))


def _is_fields(value: Any) -> bool:
    """Maps in maps, whose keys name fields, items by their keys, values or places."""
    if not isinstance(value, dict):
        return False
    fields: Object = value
    return all(key == "." or (_is_element(key) and _is_fields(below)) for key, below in fields.items())


def _is_element(key: str) -> bool:
    kind, text = key[:2], key[2:]
    if kind in ("f:", "i:"):
        return kind == "f:" or text.isdecimal()
    try:
        found = json.loads(text) if kind in ("k:", "v:") else None
    except ValueError:
        return False
    return isinstance(found, dict) if kind == "k:" else kind == "v:"
