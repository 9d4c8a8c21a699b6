"""Whole objects in protobuf, as request bodies and answers carry them: four magic bytes and a `runtime.Unknown`.

The `Unknown` names the kind and holds the object's own message. Only kinds that Kubernetes itself defines have one;
custom resources go in JSON.
"""

from collections.abc import Mapping
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.protobuf.messages import message_of
from seatrial.sandbox.apiserver.protobuf.reader import read_message
from seatrial.sandbox.apiserver.protobuf.values import ENVELOPE, text
from seatrial.sandbox.apiserver.protobuf.wire import WireError, bytes_field, read_fields
from seatrial.sandbox.apiserver.protobuf.writer import write_message

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_TYPE_META, _RAW, _ENCODING, _CONTENT_TYPE = 1, 2, 3, 4


class UnknownKindError(Exception):
    """The envelope names a kind that no message is known for."""

    def __init__(self, api_version: str, kind: str) -> None:
        super().__init__(f'no kind "{kind}" is registered for version "{api_version}"')
        self.api_version = api_version
        self.kind = kind


def is_describable(api_version: str, kind: str) -> bool:
    """Whether objects of this kind can be written in protobuf."""
    return message_of(api_version, kind) is not None


def read_object(data: bytes, *, api_version: str, kind: str) -> Object:
    """The object in a body, of the kind it names or else the given one; WireError, UnknownKindError."""
    if not data:
        raise WireError("empty data")
    if not data.startswith(ENVELOPE):
        expected = " ".join(map(str, ENVELOPE))
        raise WireError(f"provided data does not appear to be a protobuf message, expected prefix [{expected}]")
    parts = _texts_and_bytes(data[len(ENVELOPE) :])
    names = _texts_and_bytes(parts.get(_TYPE_META, b""))
    api_version = text(names.get(1, b"")) or api_version
    kind = text(names.get(2, b"")) or kind
    described = message_of(api_version, kind)
    if described is None:
        raise UnknownKindError(api_version, kind)
    return {"kind": kind, "apiVersion": api_version, **read_message(parts.get(_RAW, b""), described)}


def _texts_and_bytes(data: bytes) -> dict[int, bytes]:
    return {number: value for number, _, value in read_fields(data) if isinstance(value, bytes)}


def write_event(kind: str, obj: Mapping[str, Any]) -> bytes:
    """One event of a watch: a `WatchEvent` without an envelope of its own, behind its length in four bytes."""
    event = bytes_field(1, kind.encode()) + bytes_field(2, bytes_field(1, write_object(obj)))
    return len(event).to_bytes(4, "big") + event


def write_object(obj: Mapping[str, Any]) -> bytes:
    """An object with its envelope; UnknownKindError for kinds without a message."""
    api_version, kind = str(obj.get("apiVersion", "")), str(obj.get("kind", ""))
    described = message_of(api_version, kind)
    if described is None:
        raise UnknownKindError(api_version, kind)
    names = bytes_field(1, api_version.encode()) + bytes_field(2, kind.encode())
    content = bytes_field(_TYPE_META, names) + bytes_field(_RAW, write_message(obj, described))
    return ENVELOPE + content + bytes_field(_ENCODING, b"") + bytes_field(_CONTENT_TYPE, b"")
