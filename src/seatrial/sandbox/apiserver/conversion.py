"""Objects served in a form other than the stored one: events of `events.k8s.io`, autoscalers of `autoscaling/v1`.

Events are stored as core/v1, autoscalers as autoscaling/v2.
"""

from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.resources import Resource

_CPU = ("spec", "targetCPUUtilizationPercentage")


def is_converted(resource: Resource) -> bool:
    """Whether this resource's objects differ from the stored ones."""
    if resource.custom is not None:
        return resource.custom.is_reshaped
    return bool(resource.stored_as) or (resource.group, resource.version) == ("autoscaling", "v1")


def to_stored(resource: Resource, obj: Object) -> Object:
    """An object of the resource in its stored form."""
    if not is_converted(resource):
        return obj
    return _event_to_core(obj) if resource.stored_as else _autoscaler_to_v2(obj)


def from_stored(resource: Resource, obj: Object) -> Object:
    """A stored object in the resource's form."""
    if not is_converted(resource):
        return obj
    if resource.custom is not None:
        return resource.custom.read(obj)
    return _event_from_core(obj) if resource.stored_as else _autoscaler_to_v1(obj)


_EVENT_NAMES = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_CORE_NAMES = {core: new for new, core in _EVENT_NAMES.items()}


def _event_to_core(obj: Object) -> Object:
    converted = {_EVENT_NAMES.get(key, key): value for key, value in obj.items()}
    defaults: dict[str, Any] = {
        "source": {},
        "firstTimestamp": None,
        "lastTimestamp": None,
        "reportingComponent": "",
        "reportingInstance": "",
        "involvedObject": {},
    }
    return {**defaults, **converted, "apiVersion": "v1"}


def _event_from_core(obj: Object) -> Object:
    converted = {_CORE_NAMES.get(key, key): value for key, value in obj.items()}
    for key in ("deprecatedSource", "deprecatedFirstTimestamp", "deprecatedLastTimestamp"):
        if not converted.get(key):
            converted[key] = {} if key == "deprecatedSource" else None
    for key in ("reportingController", "reportingInstance"):
        if not converted.get(key):
            converted.pop(key, None)
    return {**converted, "apiVersion": "events.k8s.io/v1"}


def _autoscaler_to_v2(obj: Object) -> Object:
    spec = dict(obj.get("spec") or {})
    share = spec.pop(_CPU[1], None)
    if share is not None:
        target = {"type": "Utilization", "averageUtilization": share}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    return {**obj, "apiVersion": "autoscaling/v2", "spec": spec}


def _autoscaler_to_v1(obj: Object) -> Object:
    spec = dict(obj.get("spec") or {})
    for metric in spec.pop("metrics", None) or ():
        details = metric.get("resource") or {}
        share = (details.get("target") or {}).get("averageUtilization")
        if details.get("name") == "cpu" and share is not None:
            spec[_CPU[1]] = share
    status = obj.get("status") or {}
    kept = {key: status.get(key, 0) for key in ("currentReplicas", "desiredReplicas")}
    return {**obj, "apiVersion": "autoscaling/v1", "spec": spec, "status": kept}
