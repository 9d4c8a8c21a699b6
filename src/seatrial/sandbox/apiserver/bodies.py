"""Request bodies: JSON or YAML read as the API server reads them, with its complaints."""

import json
import re
from functools import cache
from typing import Any

import msgspec

from seatrial.sandbox.api import ApiError
from seatrial.sandbox.apiserver.calls import Call
from seatrial.sandbox.apiserver.statuses import bad_request, failure

_YAML = ("application/yaml", "application/apply-patch+yaml")
PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)


def media_type(header: str | None) -> str:
    """A Content-Type without its parameters; JSON where none is given."""
    return (header or "application/json").partition(";")[0].strip().lower()


def unsupported_media() -> ApiError:
    """415 for a patch of a type the resource doesn't know."""
    return failure(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})


def read_object(data: bytes, header: str | None, kind: str, call: Call) -> Any:
    """The object in the body of a create or update; 400 or 415."""
    media = media_type(header)
    if media == "application/yaml":
        return _yaml(data, kind)
    if media not in ("application/json", "*/*"):
        raise failure(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: application/json, "
            "application/yaml",
        )
    value = _json(data, f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; ")
    if value is not None and not isinstance(value, dict):
        shape = (
            'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
        )
        name = _json_name(value)
        text = f"json: cannot unmarshal {name} into Go value of type {shape} ({data.hex()})"
        prefix = f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; "
        raise bad_request(f"{prefix}json parse error: {text}")
    _report_duplicates(data, call, kind)
    return value


def _json(data: bytes, prefix: str) -> Any:
    try:
        return msgspec.json.decode(data)
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


def _json_name(value: Any) -> str:
    """What Go calls a JSON value's type."""
    names = ((list, "array"), (dict, "object"), (str, "string"), (bool, "bool"))
    return next((name for kind, name in names if isinstance(value, kind)), "number")


def _yaml(data: bytes, kind: str) -> Any:
    import yaml  # noqa: PLC0415 -- hardly any client sends YAML

    try:
        return json.loads(json.dumps(yaml.load(data, Loader=_loader()), default=str))  # noqa: S506 -- a safe loader
    except (yaml.YAMLError, ValueError) as error:
        detail = str(error).splitlines()[0]
        raise bad_request(f"error converting YAML to JSON: yaml: {detail} (for {kind})") from error


@cache
def _loader() -> Any:
    """The safe loader with all of YAML 1.1's booleans: `y` and `n` are some, for Go as for the standard."""
    import yaml  # noqa: PLC0415 -- hardly any client sends YAML

    class Loader(yaml.SafeLoader):
        """YAML as the API server reads it."""

    def construct(loader: Any, node: Any) -> bool:
        return str(loader.construct_scalar(node)).lower() in ("y", "yes", "true", "on")

    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^[yYnN]$"), list("yYnN"))
    Loader.add_constructor("tag:yaml.org,2002:bool", construct)
    return Loader


def _report_duplicates(data: bytes, call: Call, kind: str) -> None:
    """Keys that stand twice: refused under Strict, mentioned under Warn."""
    if call.validation == "Ignore":
        return
    found: list[str] = []
    tree = json.loads(data, object_pairs_hook=_Pairs)
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
        raise bad_request("error decoding patch: unexpected end of JSON input")
    try:
        value = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise bad_request(f"error decoding patch: {_go_complaint(data).rpartition(' (')[0]}") from error
    if media == "application/merge-patch+json" and not isinstance(value, dict):
        raise bad_request("Invalid JSON Patch")
    if media == "application/strategic-merge-patch+json" and not isinstance(value, dict):
        name = _json_name(value)
        raise bad_request(f"json: cannot unmarshal {name} into Go value of type map[string]interface {{}}")
    if media == "application/json-patch+json" and not isinstance(value, list):
        name = _json_name(value)
        raise bad_request(f"json: cannot unmarshal {name} into Go value of type jsonpatch.Patch")
    return value


def read_delete_options(data: bytes, header: str | None) -> dict[str, Any]:
    """The DeleteOptions in the body of a deletion; empty for no body."""
    if not data.strip():
        return {}
    media = media_type(header)
    value = _yaml(data, "DeleteOptions") if media == "application/yaml" else None
    if value is None:
        try:
            value = msgspec.json.decode(data)
        except msgspec.DecodeError as error:
            complaint = _go_complaint(data).rpartition(" (")[0]
            raise bad_request(f"couldn't get version/kind; json parse error: {complaint}") from error
    if not isinstance(value, dict):
        return {}
    kind = value.get("kind", "DeleteOptions")
    if kind != "DeleteOptions":
        scheme = 'in scheme "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27"'
        version = value.get("apiVersion", "v1")
        raise bad_request(f'no kind "{kind}" is registered for version "{version}" {scheme}')
    return value
