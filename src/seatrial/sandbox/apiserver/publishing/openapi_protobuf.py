"""The OpenAPI v2 document in protobuf, which kubectl before 1.28 insists on.

Encodes the part of gnostic's `openapi.v2.Document` that kubectl reads: paths with their query parameters (does a
PATCH know `fieldValidation`?) and definitions with types, keys and references. Field numbers are those of gnostic's
OpenAPIv2.proto.
"""

import json
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.protobuf.wire import bytes_field

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
CONTENT_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}


def _field(number: int, data: bytes | str) -> bytes:
    """A length-delimited field."""
    return bytes_field(number, data.encode() if isinstance(data, str) else data)


def _extensions(number: int, schema: Object) -> bytes:
    """`x-...` members: a name and its value as YAML (JSON is YAML)."""
    return b"".join(
        _field(number, _field(1, key) + _field(2, _field(2, json.dumps(value))))
        for key, value in schema.items()
        if key.startswith("x-")
    )


def _named(number: int, entries: dict[str, bytes]) -> bytes:
    return b"".join(_field(number, _field(1, name) + _field(2, data)) for name, data in entries.items())


def _schema(schema: Object) -> bytes:
    out = b""
    if "$ref" in schema:
        out += _field(1, schema["$ref"])
    if "format" in schema:
        out += _field(2, schema["format"])
    for name in schema.get("required", ()):
        out += _field(19, name)
    if "additionalProperties" in schema:
        out += _field(21, _field(1, _schema(schema["additionalProperties"])))
    if "type" in schema:
        out += _field(22, _field(1, schema["type"]))
    if "items" in schema:
        out += _field(23, _field(1, _schema(schema["items"])))
    if "properties" in schema:
        entries = {name: _schema(value) for name, value in schema["properties"].items()}
        out += _field(25, _named(1, entries))
    return out + _extensions(31, schema)


def _operation(operation: Object) -> bytes:
    out = b""
    for parameter in operation.get("parameters", ()):
        query = _field(2, "query") + _field(4, parameter["name"]) + _field(6, "string")
        out += _field(8, _field(1, _field(2, _field(3, query))))
    return out + _extensions(13, operation)


def _path(item: Object) -> bytes:
    return b"".join(_field(number, _operation(item[name])) for name, number in _METHODS.items() if name in item)


def encode_document(document: Any) -> bytes:
    """An OpenAPI v2 document as protobuf."""
    info = _field(1, document["info"]["title"]) + _field(2, document["info"]["version"])
    paths = _named(2, {path: _path(item) for path, item in document["paths"].items()})
    definitions = _named(1, {name: _schema(value) for name, value in document["definitions"].items()})
    return _field(1, document["swagger"]) + _field(2, info) + _field(8, paths) + _field(9, definitions)
