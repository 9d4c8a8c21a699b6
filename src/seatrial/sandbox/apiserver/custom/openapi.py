"""A custom kind in the server's OpenAPI documents: its schema with what every resource has, under a name of its own."""

from typing import TYPE_CHECKING, Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.decoding import copy_json

if TYPE_CHECKING:
    from seatrial.sandbox.apiserver.custom.kind import CustomKind

_CONVENTIONS = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
_API_VERSION = (
    "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized "
    f"schemas to the latest internal value, and may reject unrecognized values. More info: {_CONVENTIONS}#resources"
)
_KIND = (
    "Kind is a string value representing the REST resource this object represents. Servers may infer this from the "
    f"endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: {_CONVENTIONS}#types-kinds"
)
_METADATA = f"Standard object's metadata. More info: {_CONVENTIONS}#metadata"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_LEFT_OUT_OF_V2 = ("allOf", "anyOf", "default", "not", "nullable", "oneOf")


def definition_name(kind: "CustomKind") -> str:
    """`com.example.stable.v1.CronTab`: the group backwards, version, kind."""
    return ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])


def definition(kind: "CustomKind", prefix: str) -> Object:
    """The schema of a kind; `prefix` is where other definitions are, and tells version 2 from 3."""
    is_old = prefix == "#/definitions/"
    body = copy_json(kind.node.raw)
    _complete(body, prefix, is_old=is_old, is_resource=True)
    gvk = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    return {**body, "x-kubernetes-group-version-kind": [gvk]}


def _complete(body: Object, prefix: str, *, is_old: bool, is_resource: bool = False) -> None:
    """Say what is implicit, and in version 2 leave out what it can't say."""
    if is_old:
        _simplify(body)
    for child in _children(body):
        _complete(child, prefix, is_old=is_old)
    if is_resource or body.get("x-kubernetes-embedded-resource"):
        properties = body.setdefault("properties", {})
        properties["apiVersion"] = {"description": _API_VERSION, "type": "string"}
        properties["kind"] = {"description": _KIND, "type": "string"}
        reference = {"$ref": f"{prefix}{_META}"}
        properties["metadata"] = {"description": _METADATA, **(reference if is_old else {"allOf": [reference]})}


def _children(body: Object) -> list[Object]:
    found: list[Any] = [*(body.get("properties") or {}).values(), body.get("items"), body.get("additionalProperties")]
    return [child for child in found if isinstance(child, dict)]


def _simplify(body: Object) -> None:
    if body.get("nullable"):
        body.pop("type", None)
        body.pop("properties", None)
        body.pop("items", None)
    if body.get("x-kubernetes-preserve-unknown-fields"):
        body.pop("properties", None)
        body.pop("items", None)
        body.pop("type", None)
    for key in _LEFT_OUT_OF_V2:
        body.pop(key, None)
