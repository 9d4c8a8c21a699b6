"""Reads a protobuf message as the object that JSON would have carried.

What Go's JSON would leave out (a zero that isn't behind a pointer, an empty structure) is left out here too, so that
everything behind reads one form only.
"""

import base64
import struct
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.protobuf.messages import Field, Message, message
from seatrial.sandbox.apiserver.protobuf.values import READERS, int32, text
from seatrial.sandbox.apiserver.protobuf.wire import BYTES, FIXED64, VARINT, WireError, read_fields, read_varint, signed

_WIRE_TYPES = {"int32": VARINT, "int64": VARINT, "bool": VARINT, "double": FIXED64}
_DEEPEST = 100


def read_message(data: bytes, described: Message, *, depth: int = 0) -> Object:
    """A message's fields; WireError for bytes that are none of it."""
    if depth > _DEEPEST:
        raise WireError("messages are nested too deeply")
    result: Object = {}
    for number, wire_type, value in read_fields(data):
        field = described.by_number.get(number)
        if field is None:
            continue
        if field.shape == "list":
            items = result.setdefault(field.name, [])
            items.extend(_items(field, wire_type, value, depth))
        elif field.shape == "map":
            key, entry = _entry(field, wire_type, value, depth)
            result.setdefault(field.name, {})[key] = entry
        else:
            found = _value(field, wire_type, value, depth)
            if field.inline:
                result.update(found)
            elif found is not None and (field.zero_counts or not _is_zero(found)):
                result[field.name] = found
    return result


def _is_zero(value: Any) -> bool:
    return value in ("", {}, []) or value is False or (type(value) in (int, float) and value == 0)


def _items(field: Field, wire_type: int, value: int | bytes, depth: int) -> list[Any]:
    """One item, or several packed numbers."""
    if _WIRE_TYPES.get(field.kind) != VARINT or not isinstance(value, bytes):
        return [_value(field, wire_type, value, depth)]
    found = []
    position = 0
    while position < len(value):
        number, position = read_varint(value, position)
        found.append(_value(field, VARINT, number, depth))
    return found


def _entry(field: Field, wire_type: int, value: int | bytes, depth: int) -> tuple[str, Any]:
    """A map's key and value."""
    if wire_type != BYTES or not isinstance(value, bytes):
        raise WireError(f"wrong wireType = {wire_type} for field {field.name}")
    key, entry = "", _value(field, _WIRE_TYPES.get(field.kind, BYTES), _NOTHING.get(field.kind, b""), depth)
    for number, kind, part in read_fields(value):
        if number == 1 and isinstance(part, bytes):
            key = text(part)
        elif number == 2:
            entry = _value(field, kind, part, depth)
    return key, entry


_NOTHING: dict[str, int | bytes] = {"int32": 0, "int64": 0, "bool": 0, "double": b"\0" * 8}


def _value(field: Field, wire_type: int, value: int | bytes, depth: int) -> Any:
    if wire_type != _WIRE_TYPES.get(field.kind, BYTES):
        raise WireError(f"wrong wireType = {wire_type} for field {field.name}")
    if isinstance(value, int):
        if field.kind == "bool":
            return bool(value)
        return int32(value) if field.kind == "int32" else signed(value)
    if field.kind == "message":
        described = message(field.message)
        if described is None:
            raise WireError(f"field {field.name} is not described")
        return read_message(value, described, depth=depth + 1)
    if field.kind == "string":
        return text(value)
    if field.kind == "bytes":
        return base64.b64encode(value).decode()
    if field.kind == "double":
        return struct.unpack("<d", value)[0]
    return READERS[field.kind](value)
