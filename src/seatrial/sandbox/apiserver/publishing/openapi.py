"""OpenAPI documents, made from `schema` when somebody asks: what kubectl needs for validation, `explain` and apply.

kubectl looks for the query parameter `fieldValidation` on a PATCH of the kind, and then leaves validation to the
server.
"""

import hashlib
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import schema
from seatrial.sandbox.apiserver.custom.openapi import definition, definition_name
from seatrial.sandbox.apiserver.publishing.discovery import VERSION
from seatrial.sandbox.apiserver.publishing.enumerations import words_of
from seatrial.sandbox.apiserver.resources import Registry, Resource
from seatrial.sandbox.apiserver.schema import FieldType

_AROUND = (".well-known/openid-configuration", "apis", "openid/v1/jwks", "version")
_VALUES: dict[str, Object] = {
    "string": {"type": "string"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "bool": {"type": "boolean"},
    "double": {"type": "number", "format": "double"},
    "bytes": {"type": "string", "format": "byte"},
    "time": {"type": "string", "format": "date-time"},
    "microtime": {"type": "string", "format": "date-time"},
    "any": {"type": "object"},
}
# Values that have definitions of their own: kubectl explains them by their names. The form of v3, that of v2.
_NAMED: dict[str, tuple[str, Object, Object]] = {
    "quantity": (
        "io.k8s.apimachinery.pkg.api.resource.Quantity",
        {"oneOf": [{"type": "string"}, {"type": "number"}]},
        {"type": "string"},
    ),
    "intstr": (
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
        {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
        {"type": "string", "format": "int-or-string"},
    ),
}
_V2_PREFIX = "#/definitions/"


def paths(registry: Registry) -> list[str]:
    """The names of all documents: one for each group version, small ones for what is around them."""
    found = {*_AROUND}
    for group, versions in registry.groups().items():
        prefix = f"apis/{group}" if group else "api"
        found |= {prefix, *(f"{prefix}/{version}" for version in versions)}
    return sorted(found)


def digest(registry: Registry, name: str = "") -> str:
    """The hash of a document (or, without a name, of the one for all): it changes when the document does."""
    resources = _resources(registry, name) if name else list(registry)
    state = [(resource, schema.root(resource.api_version, resource.kind)) for resource in resources]
    return hashlib.sha512(f"{VERSION['gitVersion']} {name} {state}".encode()).hexdigest().upper()


def location(registry: Registry, name: str) -> str:
    """The URL of the current version of a document."""
    return f"/openapi/v3/{name}?hash={digest(registry, name)}"


def index(registry: Registry) -> Object:
    """`/openapi/v3`: where each document is."""
    return {"paths": {name: {"serverRelativeURL": location(registry, name)} for name in paths(registry)}}


def _resources(registry: Registry, name: str) -> list[Resource]:
    """The resources that a document is about."""
    parts = name.split("/")
    if parts[0] == "api" and len(parts) == 2:
        return registry.of_version("", parts[1])
    return registry.of_version(parts[1], parts[2]) if parts[0] == "apis" and len(parts) == 3 else []


def document(registry: Registry, name: str) -> Object:
    """One of the documents that `paths` names."""
    resources = _resources(registry, name)
    schemas: dict[str, Object] = {}
    for resource in resources:
        _add(resource, schemas, "#/components/schemas/")
    found: dict[str, Object] = {}
    for resource in resources:
        found.update(_paths(resource))
    if not resources:
        found[f"/{name}/"] = {"get": {"responses": {"200": {"description": "OK"}}}}
    info = {"title": "Kubernetes", "version": VERSION["gitVersion"]}
    return {"openapi": "3.0.0", "info": info, "paths": found, "components": {"schemas": schemas}}


def swagger(registry: Registry) -> Object:
    """`/openapi/v2`: all in one, in the older form."""
    definitions: dict[str, Object] = {}
    for resource in registry:
        _add(resource, definitions, _V2_PREFIX)
    found: dict[str, Object] = {}
    for resource in registry:
        found.update(_paths(resource))
    info = {"title": "Kubernetes", "version": VERSION["gitVersion"]}
    return {"swagger": "2.0", "info": info, "paths": found, "definitions": definitions}


def _add(resource: Resource, found: dict[str, Object], prefix: str) -> None:
    """Describe a resource's kind, and all it refers to."""
    if resource.custom is not None:
        _describe("meta.v1.ObjectMeta", found, prefix)
        found[definition_name(resource.custom)] = definition(resource.custom, prefix)
        return
    root = schema.root(resource.api_version, resource.kind)
    if root is not None:
        _describe(root.name, found, prefix)
        gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        found[_full_name(root.name)]["x-kubernetes-group-version-kind"] = [gvk]


def _full_name(name: str) -> str:
    prefix = "io.k8s.apimachinery.pkg.apis." if name.startswith("meta.") else "io.k8s.api."
    return prefix + name


def _describe(name: str, found: dict[str, Object], prefix: str) -> None:
    """Add a structure, and all it refers to, to `found`."""
    full = _full_name(name)
    if full in found:
        return
    described = schema.structure(name)
    body: Object = {"type": "object"}
    found[full] = body
    if described is None:
        return
    body["properties"] = {key: _property(field, found, prefix) for key, field in described.fields.items()}
    for key, value in body["properties"].items():
        if words := words_of(name, key):
            value["enum"] = words
    if described.required:
        body["required"] = sorted(described.required)


def _property(field: FieldType, found: dict[str, Object], prefix: str) -> Object:
    if field.shape == "struct":
        _describe(field.name, found, prefix)
        return {"$ref": prefix + _full_name(field.name)}
    if field.name in _NAMED:
        name, described, older = _NAMED[field.name]
        found[name] = older if prefix == _V2_PREFIX else described
        return {"$ref": prefix + name}
    item = field.item or schema.ANY
    if field.shape == "map":
        return {"type": "object", "additionalProperties": _property(item, found, prefix)}
    if field.shape == "list":
        return {"type": "array", "items": _property(item, found, prefix), **_list_marks(field)}
    return dict(_VALUES.get(field.name, {"type": "object"}))


def _list_marks(field: FieldType) -> dict[str, Any]:
    marks: dict[str, Any] = {"x-kubernetes-list-type": "map" if field.keys else "set" if field.is_set else "atomic"}
    if field.keys:
        marks["x-kubernetes-list-map-keys"] = list(field.keys)
    if field.merge_key is not None:
        marks["x-kubernetes-patch-strategy"] = "merge"
        if field.merge_key:
            marks["x-kubernetes-patch-merge-key"] = field.merge_key
    return marks


def _paths(resource: Resource) -> dict[str, Object]:
    base = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    where = f"{base}/namespaces/{{namespace}}" if resource.namespaced else base
    gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for name in ("dryRun", "fieldManager", "fieldValidation")
    ]
    found: dict[str, Object] = {}
    common = {"x-kubernetes-group-version-kind": gvk, "responses": {"200": {"description": "OK"}}}
    if "patch" in resource.verbs:
        operations = {"patch": "patch", "put": "put", "get": "get", "delete": "delete"}
        found[f"{where}/{resource.plural}/{{name}}"] = {
            verb: {"x-kubernetes-action": action, "parameters": parameters, **common}
            for verb, action in operations.items()
        }
    if "create" in resource.verbs:
        post = {"x-kubernetes-action": "post", "parameters": parameters, **common}
        found[f"{where}/{resource.plural}"] = {"post": post}
    return found
