"""Keeps one copy of what stored objects have in common, so that a pod takes kilobytes and not a hundred of them.

A write decodes the whole object anew, and pods of one template differ in little but their names: nearly all of what is
stored is there already, in the object's previous version or in another object. Stored objects are never changed, so
such parts can be shared. Two parts are the same when their JSON is the same, byte by byte: Python's own `==` takes
true for 1, and 1 for 1.0.
"""

from typing import Any

import msgspec

from seatrial.sandbox.api import Object

_SMALLEST = 48  # bytes of JSON: what is shorter costs more to look up than it saves
_MOST_KNOWN = 2048
_encode = msgspec.json.Encoder().encode


class Sharing:
    """Knows the parts that were stored more than once lately, by their JSON."""

    def __init__(self, most_known: int = _MOST_KNOWN) -> None:
        self._known: dict[bytes, Any] = {}
        self._seen: dict[int, None] = {}  # hashes of what came once: most parts never come again
        self._most_known = most_known

    def of_object(self, new: Object, old: Object) -> Object:
        """An equal of an object that shares its parts with its previous version and with other objects."""
        found = {key: self._part(value, old.get(key)) for key, value in new.items() if key != "metadata"}
        before = old.get("metadata", {})
        metadata = {key: self._part(value, before.get(key)) for key, value in new["metadata"].items()}
        return {**new, **found, "metadata": metadata}

    def _part(self, new: Any, old: Any) -> Any:
        if not new or new is old or not isinstance(new, dict | list):
            return new
        data = _encode(new)
        if type(old) is type(new) and _encode(old) == data:
            return old
        if len(data) < _SMALLEST:
            return new
        known = self._known.pop(data, None)
        if known is None:
            known = self._taken_apart(new, old)
            if not self._is_repeated(data):
                return known
        self._known[data] = known
        if len(self._known) > self._most_known:
            del self._known[next(iter(self._known))]
        return known

    def _taken_apart(self, new: Any, old: Any) -> Any:
        if isinstance(new, dict):
            parts = old if isinstance(old, dict) else {}
            return {key: self._part(value, parts.get(key)) for key, value in new.items()}
        items = old if isinstance(old, list) else []
        return [self._part(item, items[i] if i < len(items) else None) for i, item in enumerate(new)]

    def _is_repeated(self, data: bytes) -> bool:
        mark = hash(data)
        if self._seen.pop(mark, 0) is None:
            return True
        self._seen[mark] = None
        if len(self._seen) > self._most_known:
            del self._seen[next(iter(self._seen))]
        return False
