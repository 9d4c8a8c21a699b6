"""What the server serves, for clients to find out: groups, versions, resources; and the version of the whole.

Both forms are given: the legacy lists (`APIGroupList`, `APIResourceList`) and the aggregated document
(`APIGroupDiscoveryList`).
"""

import base64
import hashlib
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.publishing import health
from seatrial.sandbox.apiserver.resources import Registry, Resource

VERSION: Object = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.2+seatrial",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "go1.26.10",
    "compiler": "gc",
    "platform": "linux/amd64",
}
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_SERVED = (
    "/flagz", "/metrics", "/metrics/slis", "/openapi/v2", "/openapi/v3", "/openapi/v3/", "/openid/v1/jwks", "/statusz",
    "/version",
)  # fmt: skip


def core_versions(address: str) -> Object:
    """`/api`."""
    where = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": where}


def group_list(registry: Registry) -> Object:
    """`/apis`."""
    groups = [_group(name, versions) for name, versions in registry.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(registry: Registry, name: str) -> Object | None:
    """`/apis/GROUP`."""
    versions = registry.groups().get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if versions and name else None


def _group(name: str, versions: list[str]) -> Object:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def resource_list(registry: Registry, group_name: str, version: str) -> Object | None:
    """`/api/v1`, `/apis/GROUP/VERSION`."""
    found = registry.of_version(group_name, version)
    if not found:
        return None
    entries = [entry for resource in found for entry in _entries(resource)]
    group_version = f"{group_name}/{version}" if group_name else version
    body: Object = {"kind": "APIResourceList", "groupVersion": group_version, "resources": entries}
    if group_name:
        body["apiVersion"] = "v1"
    return body


def _entries(resource: Resource) -> list[Object]:
    entry: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if "watch" in resource.verbs:
        digest = hashlib.sha256(f"{resource.group}/{resource.version}/{resource.kind}".encode()).digest()
        entry["storageVersionHash"] = base64.b64encode(digest[:8]).decode()
    return [entry, *(_subresource(resource, sub) for sub in resource.subresources)]


def _subresource(resource: Resource, sub: Any) -> Object:
    entry: Object = {
        "name": f"{resource.plural}/{sub.name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": sub.kind,
        "verbs": list(sub.verbs),
    }
    if sub.group:
        entry["group"] = sub.group
        entry["version"] = sub.version
    return entry


def aggregated(registry: Registry, *, core: bool) -> Object:
    """`/api` or `/apis` in one document."""
    items = [
        {
            "metadata": {"name": name} if name else {},
            "versions": [
                {
                    "version": version,
                    "resources": [_aggregated_entry(r) for r in registry.of_version(name, version)],
                    "freshness": "Current",
                }
                for version in versions
            ],
        }
        for name, versions in registry.groups().items()
        if (name == "") is core
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _aggregated_entry(resource: Resource) -> Object:
    entry: Object = {
        "resource": resource.plural,
        "responseKind": {"group": "", "version": "", "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": {"group": sub.group, "version": sub.version, "kind": sub.kind},
                "verbs": list(sub.verbs),
            }
            for sub in resource.subresources
        ]
    return entry


def root_paths(registry: Registry) -> Object:
    """`/`: every path there is."""
    paths = {"/.well-known/openid-configuration", "/api", "/apis", "/apis/", *_SERVED}
    for name, versions in registry.groups().items():
        prefix = f"/apis/{name}" if name else "/api"
        paths |= {prefix, *(f"{prefix}/{version}" for version in versions)}
    for root in health.ROOTS:
        paths |= {root, *(f"{root}/{check}" for check in health.checks(root))}
    return {"paths": sorted(paths)}
