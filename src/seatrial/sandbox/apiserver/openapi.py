"""OpenAPI documents, made from `schema` when somebody asks: what kubectl needs for validation, `explain` and apply.

kubectl looks for the query parameter `fieldValidation` on a PATCH of the kind, and then leaves validation to the
server.
"""

import hashlib
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import schema
from seatrial.sandbox.apiserver.resources import Registry, Resource
from seatrial.sandbox.apiserver.schema import FieldType

_VALUES: dict[str, Object] = {
    "string": {"type": "string"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "bool": {"type": "boolean"},
    "double": {"type": "number", "format": "double"},
    "bytes": {"type": "string", "format": "byte"},
    "time": {"type": "string", "format": "date-time"},
    "microtime": {"type": "string", "format": "date-time"},
    "quantity": {"type": "string"},
    "intstr": {"type": "string", "format": "int-or-string"},
    "any": {"type": "object"},
}


def index(registry: Registry) -> Object:
    """`/openapi/v3`: where each group version's document is."""
    paths = {}
    for group, versions in registry.groups().items():
        for version in versions:
            path = f"apis/{group}/{version}" if group else f"api/{version}"
            digest = hashlib.sha256(path.encode()).hexdigest().upper()
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return {"paths": paths}


def document(registry: Registry, group: str, version: str) -> Object | None:
    """One group version's document; None for one that isn't served."""
    resources = registry.of_version(group, version)
    if not resources:
        return None
    schemas: dict[str, Object] = {}
    for resource in resources:
        root = schema.root(resource.api_version, resource.kind)
        if root is not None:
            _describe(root.name, schemas, "#/components/schemas/")
            gvk = {"group": group, "version": version, "kind": resource.kind}
            schemas[_full_name(root.name)]["x-kubernetes-group-version-kind"] = [gvk]
    paths: dict[str, Object] = {}
    for resource in resources:
        paths.update(_paths(resource))
    info = {"title": "Kubernetes", "version": "v1.36.2+seatrial"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def swagger(registry: Registry) -> Object:
    """`/openapi/v2`: all in one, in the older form."""
    definitions: dict[str, Object] = {}
    for resource in registry:
        root = schema.root(resource.api_version, resource.kind)
        if root is not None:
            _describe(root.name, definitions, "#/definitions/")
            gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
            definitions[_full_name(root.name)]["x-kubernetes-group-version-kind"] = [gvk]
    paths: dict[str, Object] = {}
    for resource in registry:
        paths.update(_paths(resource))
    info = {"title": "Kubernetes", "version": "v1.36.2+seatrial"}
    return {"swagger": "2.0", "info": info, "paths": paths, "definitions": definitions}


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
    if described.required:
        body["required"] = sorted(described.required)


def _property(field: FieldType, found: dict[str, Object], prefix: str) -> Object:
    if field.shape == "struct":
        _describe(field.name, found, prefix)
        return {"$ref": prefix + _full_name(field.name)}
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
