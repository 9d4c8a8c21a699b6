"""JSON patch (RFC 6902) with JSON pointers (RFC 6901)."""

from typing import Any, Final

import msgspec

from seatrial.sandbox.apiserver.decoding import copy_json
from seatrial.sandbox.apiserver.json_text import same

MOST_OPERATIONS: Final = 10_000
# A few dozen copies, each of all before it, would fill the memory.
_MOST_COPIED_BYTES: Final = 3 * 1024 * 1024
_LONGEST_INDEX: Final = 18


class JsonPatchError(Exception):
    """An operation that can't be carried out, or a patch that is none."""


def apply_json_patch(document: Any, operations: Any) -> Any:
    """The document after all operations; the input isn't changed."""
    if not isinstance(operations, list):
        raise JsonPatchError("a JSON patch is a list")
    result = copy_json(document)
    copied = 0
    for operation in operations:
        if not isinstance(operation, dict):
            raise JsonPatchError("an operation is an object")
        if operation.get("op") == "copy":
            copied += len(msgspec.json.encode(_read(result, parse_pointer(operation.get("from")))))
            if copied > _MOST_COPIED_BYTES:
                raise JsonPatchError("too much is copied")
        result = _apply(result, operation)
    return result


def _apply(document: Any, operation: dict[str, Any]) -> Any:
    name = operation.get("op")
    path = parse_pointer(operation.get("path"))
    if name in ("add", "replace", "test"):
        if "value" not in operation:
            raise JsonPatchError(f"{name} without value")
        value = copy_json(operation["value"])
        if name == "add":
            return _add(document, path, value)
        if name == "replace":
            return _replace(document, path, value)
        if not same(_read(document, path), value):
            raise JsonPatchError("test failed")
        return document
    if name == "remove":
        return _remove(document, path)
    if name in ("move", "copy"):
        source = parse_pointer(operation.get("from"))
        value = copy_json(_read(document, source))
        if name == "move":
            if path[: len(source)] == source and path != source:
                raise JsonPatchError("a value can't be moved into itself")
            document = _remove(document, source)
        return _add(document, path, value)
    raise JsonPatchError(f"unknown operation {name}")


def parse_pointer(text: Any) -> list[str]:
    """The steps of a JSON pointer."""
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise JsonPatchError(f"no JSON pointer: {text}")
    return [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]


def _index(step: str, length: int, *, end: bool = False) -> int:
    if end and step == "-":
        return length
    if not step.isascii() or not step.isdigit() or (len(step) > 1 and step[0] == "0"):
        raise JsonPatchError(f"no index: {step}")
    index = int(step) if len(step) <= _LONGEST_INDEX else length + 1
    if index > (length if end else length - 1):
        raise JsonPatchError(f"no element {step}")
    return index


def _read(document: Any, path: list[str]) -> Any:
    for step in path:
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list):
            document = document[_index(step, len(document))]
        else:
            raise JsonPatchError(f"no member {step}")
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _read(document, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list):
        parent.insert(_index(last, len(parent), end=True), value)
    else:
        raise JsonPatchError(f"nothing can be added at {last}")
    return document


def _replace(document: Any, path: list[str], value: Any) -> Any:
    """Put a value in another's place; as in Kubernetes, a member that is missing is no error, an element is."""
    if not path:
        return value
    parent, last = _read(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent[_index(last, len(parent))] = value
        return document
    return _add(document, path, value)


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        return None
    parent, last = _read(document, path[:-1]), path[-1]
    if isinstance(parent, dict) and last in parent:
        del parent[last]
    elif isinstance(parent, list):
        del parent[_index(last, len(parent))]
    else:
        raise JsonPatchError(f"no member {last}")
    return document
