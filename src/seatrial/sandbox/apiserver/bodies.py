"""Request bodies: JSON, YAML or protobuf read as the API server reads them, with its complaints."""

from collections.abc import Sequence
from typing import Any

import msgspec

from seatrial.sandbox.api import ApiError
from seatrial.sandbox.apiserver import json_text, yaml_text
from seatrial.sandbox.apiserver.calls import Call
from seatrial.sandbox.apiserver.json_text import type_name
from seatrial.sandbox.apiserver.protobuf import objects as protobuf
from seatrial.sandbox.apiserver.protobuf.wire import WireError
from seatrial.sandbox.apiserver.statuses import bad_request, failure

_ACCEPTED = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
_LONGEST_QUOTE = 30
PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
CUSTOM_PATCH_TYPES = tuple(media for media in PATCH_TYPES if "strategic" not in media)


def media_type(header: str | None) -> str:
    """A Content-Type without its parameters; JSON where none is given."""
    return (header or "application/json").partition(";")[0].strip().lower()


def unsupported_media(accepted: Sequence[str] = ()) -> ApiError:
    """415 for a patch of a type the resource doesn't know; only custom resources say which they know."""
    if accepted:
        known = ", ".join(accepted)
        text = f"the body of the request was in an unknown format - accepted media types include: {known}"
        return failure(415, "UnsupportedMediaType", text)
    return failure(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})


def read_object(data: bytes, header: str | None, kind: str, call: Call, *, api_version: str = "") -> Any:
    """The object in the body of a create or update; 400 or 415. A custom resource's `api_version` isn't protobuf's."""
    value = _read(data, header, kind, call, api_version)
    if value is None:
        return None
    if not isinstance(value, dict):
        text = f"json: cannot unmarshal {type_name(value)} into Go value of type map[string]interface {{}}"
        raise bad_request(f"couldn't get version/kind; json parse error: {text}")
    _demand_shape(value, kind, api_version)
    return value


def _demand_shape(value: dict[str, Any], kind: str, api_version: str) -> None:
    """400 unless an object says as texts what it is: everything else relies on that."""
    for key in ("kind", "apiVersion"):
        if not isinstance(value.get(key), str | None):
            text = f"json: cannot unmarshal {type_name(value[key])} into Go struct field .{key} of type string"
            raise bad_request(f"couldn't get version/kind; json parse error: {text}")
    meta = value.get("metadata")
    wrong = None if isinstance(meta, dict | None) else (meta, f"{kind}.metadata", "v1.ObjectMeta")
    for key in ("name", "namespace", "generateName", "uid", "resourceVersion"):
        if isinstance(meta, dict) and not isinstance(meta.get(key), str | None):
            wrong = meta[key], f"ObjectMeta.metadata.{key}", "string"
    if wrong is not None:
        text = f"json: cannot unmarshal {type_name(wrong[0])} into Go struct field {wrong[1]} of type {wrong[2]}"
        version = api_version.rpartition("/")[2] or "v1"
        raise bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {text}')


def _read(data: bytes, header: str | None, kind: str, call: Call, api_version: str) -> Any:
    media = media_type(header)
    if media == "application/yaml":
        return _yaml(data, kind)
    if media == protobuf.MEDIA_TYPE:
        return _protobuf(data, api_version, kind)
    if media not in ("application/json", "*/*"):
        raise failure(
            415,
            "UnsupportedMediaType",
            f"the body of the request was in an unknown format - accepted media types include: {_ACCEPTED}",
        )
    value = _json(data, f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; ")
    if value is not None and not isinstance(value, dict):
        shape = (
            'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
        )
        name = type_name(value)
        text = f"json: cannot unmarshal {name} into Go value of type {shape} ({data.hex()})"
        prefix = f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; "
        raise bad_request(f"{prefix}json parse error: {text}")
    _report_duplicates(data, call, kind)
    return value


def _protobuf(data: bytes, api_version: str, kind: str) -> Any:
    try:
        return protobuf.read_object(data, api_version=api_version, kind=kind)
    except WireError as error:
        text = f"the object provided is unrecognized (must be of type {kind}): {error} ({_quoted(data)})"
        raise bad_request(text) from error
    except protobuf.UnknownKindError as error:
        version = error.api_version.rpartition("/")[2]
        scheme = 'in scheme "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"'
        text = f'{error.kind} in version "{version}" cannot be handled as a {kind}: {error} {scheme}'
        raise bad_request(text) from error


def _quoted(data: bytes) -> str:
    """The beginning of a body, as complaints show it."""
    beginning = data[:_LONGEST_QUOTE]
    shown = beginning.decode(errors="replace") if data[:1] == b"{" else beginning.hex()
    return (shown or "<empty>") + (" ..." if len(data) > _LONGEST_QUOTE else "")


def _json(data: bytes, prefix: str) -> Any:
    try:
        return json_text.decode(data)
    except msgspec.DecodeError as error:
        raise bad_request(f"{prefix}json parse error: {_go_complaint(data)}") from error


def _go_complaint(data: bytes) -> str:
    """What Go's decoder says about text that is no JSON."""
    text = data.decode(errors="replace")
    if not text.strip():
        return "unexpected end of JSON input (<empty>)"
    stripped = text.lstrip()
    if stripped[0] == "{" and len(stripped) > 1 and stripped[1:].lstrip()[:1] not in ('"', "}", ""):
        return f"invalid character '{stripped[1:].lstrip()[0]}' looking for beginning of object key string ({text})"
    if stripped[0] not in '{["-0123456789tfn':
        return f"invalid character '{stripped[0]}' looking for beginning of value ({text})"
    return f"unexpected end of JSON input ({text})"


def _yaml(data: bytes, kind: str) -> Any:
    try:
        return yaml_text.load(data)
    except ValueError as error:
        raise bad_request(f"error converting YAML to JSON: yaml: {error} (for {kind})") from error


def _report_duplicates(data: bytes, call: Call, kind: str) -> None:
    """Keys that stand twice: refused under Strict, mentioned under Warn."""
    if call.validation == "Ignore":
        return
    found: list[str] = []
    tree = json_text.pairs(data, _Pairs)
    _collect_duplicates(tree, "", found)
    if not found:
        return
    texts = [f'duplicate field "{path}"' for path in found]
    if call.validation == "Strict":
        version = (dict(tree).get("apiVersion") or "v1").rpartition("/")[2]
        problem = "strict decoding error: " + ", ".join(texts)
        raise bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {problem}')
    for text in texts:
        call.warn(text)


class _Pairs(list[tuple[str, Any]]):
    """An object's members, as they stand in the text."""


def _collect_duplicates(value: Any, path: str, found: list[str]) -> None:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, entry in value:
            where = f"{path}.{key}" if path else key
            if key in seen:
                found.append(where)
            seen.add(key)
            _collect_duplicates(entry, where, found)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            _collect_duplicates(entry, f"{path}[{index}]", found)


def read_patch(data: bytes, media: str) -> Any:
    """The patch in a body; 400."""
    if media == "application/apply-patch+yaml":
        value = _yaml(data, "patch")
        if not isinstance(value, dict):
            raise bad_request("error decoding YAML: a configuration is an object")
        return value
    if not data.strip():
        prefix = "error decoding patch: " if media == "application/merge-patch+json" else ""
        raise bad_request(f"{prefix}unexpected end of JSON input")
    try:
        value = json_text.decode(data)
    except msgspec.DecodeError as error:
        prefix = "error decoding patch: " if media == "application/merge-patch+json" else ""
        raise bad_request(prefix + _go_complaint(data).rpartition(" (")[0]) from error
    if media == "application/merge-patch+json" and not isinstance(value, dict):
        raise bad_request("Invalid JSON Patch")
    if media == "application/strategic-merge-patch+json" and not isinstance(value, dict):
        name = type_name(value)
        raise bad_request(f"json: cannot unmarshal {name} into Go value of type map[string]interface {{}}")
    if media == "application/json-patch+json" and not isinstance(value, list):
        name = type_name(value)
        raise bad_request(f"json: cannot unmarshal {name} into Go value of type jsonpatch.Patch")
    return value


def read_delete_options(data: bytes, header: str | None) -> dict[str, Any]:
    """The DeleteOptions in the body of a deletion; empty for no body."""
    if not data.strip():
        return {}
    media = media_type(header)
    value = _yaml(data, "DeleteOptions") if media == "application/yaml" else None
    if media == protobuf.MEDIA_TYPE:
        value = _protobuf(data, "meta.k8s.io/v1", "DeleteOptions")
    if value is None:
        try:
            value = json_text.decode(data)
        except msgspec.DecodeError as error:
            complaint = _go_complaint(data).rpartition(" (")[0]
            raise bad_request(f"couldn't get version/kind; json parse error: {complaint}") from error
    if not isinstance(value, dict):
        return {}
    kind = value.get("kind") or "DeleteOptions"
    if kind != "DeleteOptions":
        scheme = 'in scheme "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27"'
        version = value.get("apiVersion", "v1")
        raise bad_request(f'no kind "{kind}" is registered for version "{version}" {scheme}')
    return value
