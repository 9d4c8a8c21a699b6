"""Definitions for tests, and how to wait until one is served."""

from copy import deepcopy
from typing import Any

from seatrial.sandbox.api import Api, Object
from seatrial.sandbox.apiserver.custom.definition import KEY, is_true

GROUP = "sea.example.com"
BOATS = f"boats.{GROUP}"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

HULL: Object = {
    "type": "object",
    "required": ["length"],
    "properties": {
        "length": {"type": "integer", "minimum": 1, "maximum": 400},
        "crew": {"type": "integer", "default": 2},
        "flag": {"type": "string"},
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "berth": {"type": "integer"}},
            },
        },
    },
}
STATUS: Object = {
    "type": "object",
    "properties": {"state": {"type": "string"}, "crew": {"type": "integer"}, "selector": {"type": "string"}},
}


def version(name: str = "v1", *, spec: Object | None = None, storage: bool = True, **more: Any) -> Object:
    """A version whose spec has this schema."""
    properties = deepcopy({"spec": spec or HULL, "status": STATUS})
    schema = {"type": "object", "required": ["spec"], "properties": properties}
    subresources = {"status": {}, "scale": {"specReplicasPath": ".spec.crew", "statusReplicasPath": ".status.crew"}}
    return {
        "name": name,
        "served": True,
        "storage": storage,
        "schema": {"openAPIV3Schema": schema},
        "subresources": subresources,
        **more,
    }


def definition(*versions: Object, plural: str = "boats", kind: str = "Boat", **more: Any) -> Object:
    """A definition; without versions that of a boat."""
    names = {"plural": plural, "kind": kind, "shortNames": [plural[:2]]}
    spec = {"group": GROUP, "scope": "Namespaced", "names": names, "versions": list(versions) or [version()], **more}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": spec,
    }


def boat(name: str = "nina", *, api_version: str = f"{GROUP}/v1", **spec: Any) -> Object:
    """A boat of twelve metres."""
    return {"apiVersion": api_version, "kind": "Boat", "metadata": {"name": name}, "spec": {"length": 12, **spec}}


async def until(api: Api, name: str, condition: str) -> Object:
    """Wait until a condition of a definition holds."""
    listed = await api.list(KEY, field_selector=f"metadata.name={name}")
    found = next(iter(listed.items), None)
    if found is not None and is_true(found, condition):
        return found
    async for event in api.watch(KEY, resource_version=listed.resource_version, field_selector=f"metadata.name={name}"):
        if is_true(event.object, condition):
            return event.object
    raise AssertionError(f"{name} never had {condition}")


async def gone(api: Api, name: str) -> None:
    """Wait until a definition is gone."""
    listed = await api.list(KEY, field_selector=f"metadata.name={name}")
    if not listed.items:
        return
    async for event in api.watch(KEY, resource_version=listed.resource_version):
        if event.type == "DELETED" and event.object["metadata"]["name"] == name:
            return


async def define(api: Api, body: Object) -> Object:
    """Create a definition and wait until it is served."""
    await api.create(KEY, body)
    return await until(api, body["metadata"]["name"], "Established")
