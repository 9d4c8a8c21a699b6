"""Writes an object as the protobuf message that Kubernetes would write: fields by number, maps by key.

What isn't behind a pointer in Go is written even where it is zero.
"""

import base64
import struct
from collections.abc import Mapping
from typing import Any

from seatrial.sandbox.apiserver.protobuf.messages import Field, Message, message
from seatrial.sandbox.apiserver.protobuf.values import WRITERS, ZEROS
from seatrial.sandbox.apiserver.protobuf.wire import bytes_field, double_field, integer_field

_INTEGERS = frozenset({"int32", "int64", "bool"})


def write_message(obj: Mapping[str, Any], described: Message) -> bytes:
    """The bytes of a message; fields that it doesn't have are left out."""
    parts = []
    for number in sorted(described.by_number):
        field = described.by_number[number]
        value = obj if field.inline else obj.get(field.name)
        if field.shape == "list":
            parts += [_write(field, entry) for entry in value or ()]
        elif field.shape == "map":
            parts += [_write_entry(field, key, value[key]) for key in sorted(value or ())] if value else []
        elif value is not None:
            parts.append(_write(field, value))
        elif not field.pointer:
            parts.append(_write(field, ZEROS.get(field.kind, {} if field.kind == "message" else None)))
    return b"".join(parts)


def _write_entry(field: Field, key: str, value: Any) -> bytes:
    entry = Field("value", 2, field.kind, message=field.message)
    return bytes_field(field.number, bytes_field(1, key.encode()) + _write(entry, value))


def _write(field: Field, value: Any) -> bytes:
    """One value with its tag; None is the kind's zero."""
    if field.kind in _INTEGERS:
        return integer_field(field.number, int(value or 0))
    if field.kind == "double":
        return double_field(field.number, struct.pack("<d", value or 0))
    return bytes_field(field.number, _content(field, value))


def _content(field: Field, value: Any) -> bytes:
    if field.kind == "message":
        described = message(field.message)
        return write_message(value, described) if described is not None else b""
    if field.kind == "string":
        return str(value or "").encode()
    if field.kind == "bytes":
        return base64.b64decode(value or "")
    return WRITERS[field.kind](value)
