"""What a CustomResourceDefinition says, beyond its schemas: which versions, under which names, with which extras."""

import re
from collections.abc import Iterator

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.metadata import now

KEY = "customresourcedefinitions.apiextensions.k8s.io"
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_VERSION = re.compile(r"^v(\d+)(?:(alpha|beta)(\d+))?\Z")


def is_true(definition: Object, condition: str) -> bool:
    """Whether a condition of a definition holds."""
    return find_condition(definition, condition).get("status") == "True"


def find_condition(definition: Object, condition: str) -> Object:
    """A condition of a definition; empty when it has none of that type."""
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return next((entry for entry in conditions if entry.get("type") == condition), {})


def with_condition(definition: Object, condition: str, status: str, reason: str, message: str) -> Object:
    """The definition with a condition set; its time moves only when the status does."""
    before = find_condition(definition, condition)
    moment = before["lastTransitionTime"] if before.get("status") == status else now()
    entry = {
        "type": condition,
        "status": status,
        "lastTransitionTime": moment,
        "reason": reason,
        "message": message,
    }
    old = (definition.get("status") or {}).get("conditions") or []
    found = [entry if other.get("type") == condition else other for other in old]
    if not before:
        found.append(entry)
    return {**definition, "status": {**(definition.get("status") or {}), "conditions": found}}


def version_rank(version: str) -> tuple[int, int, int, str]:
    """A sort key by which the version to prefer comes first: v2, v1, v1beta2, v1beta1, v1alpha1, others by name."""
    match = _VERSION.match(version)
    if match is None:
        return (3, 0, 0, version)
    major, stage, minor = match.groups()
    return ({None: 0, "beta": 1, "alpha": 2}[stage], -int(major), -int(minor or 0), version)


def versions_of(definition: Object) -> Iterator[Object]:
    """The versions of a definition, those to prefer first."""
    yield from sorted(definition["spec"]["versions"], key=lambda version: version_rank(version["name"]))


def storage_version(definition: Object) -> str:
    """The version objects are stored in."""
    return next(str(version["name"]) for version in definition["spec"]["versions"] if version["storage"])


def is_hoisted(versions: list[Object], key: str) -> bool:
    """Whether all versions say the same under `key`: messages then name a field of the whole definition."""
    return bool(versions) and all(version.get(key) == versions[0].get(key) for version in versions)
