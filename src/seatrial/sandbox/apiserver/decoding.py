"""Turns a client's JSON into an object as Kubernetes' typed decoding would keep it.

Fields that no type knows are dropped and reported (Strict refuses them, Warn mentions them), nulls and empty lists
and maps vanish where Go's `omitempty` lets them vanish, fields that Go always writes appear, and a value of the
wrong type is refused in Go's words. The result is a fresh copy: nothing in it is shared with the input.
"""

import base64
import binascii
import re
from typing import Any

from seatrial.kube.quantity import QuantityError
from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import schema
from seatrial.sandbox.apiserver.go_time import complaint_about
from seatrial.sandbox.apiserver.json_text import type_name
from seatrial.sandbox.apiserver.schema import FieldType, Structure
from seatrial.sandbox.apiserver.statuses import bad_request
from seatrial.sandbox.rules.pod_resources import quantity

_QUANTITY_RULE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"

# What Go writes although nobody set it: fields without omitempty.
ALWAYS: dict[str, dict[str, Any]] = {
    "core.v1.PodCondition": {"lastProbeTime": None, "lastTransitionTime": None},
    "core.v1.NodeCondition": {"lastHeartbeatTime": None, "lastTransitionTime": None},
    "core.v1.NodeRuntimeHandler": {"name": ""},
    "core.v1.Container": {"resources": {}},
    "core.v1.ContainerStatus": {
        "state": {}, "lastState": {}, "ready": False, "restartCount": 0, "image": "", "imageID": "",
    },
    "core.v1.Event": {
        "source": {}, "firstTimestamp": None, "lastTimestamp": None, "eventTime": None,
        "reportingComponent": "", "reportingInstance": "",
    },
    "core.v1.PodTemplateSpec": {"metadata": {}, "spec": {}},
    "core.v1.ServiceStatus": {"loadBalancer": {}},
    "batch.v1.JobTemplateSpec": {"metadata": {}, "spec": {}},
    "apps.v1.DeploymentCondition": {"lastUpdateTime": None, "lastTransitionTime": None},
    "apps.v1.ReplicaSetStatus": {"replicas": 0},
    "apps.v1.StatefulSetStatus": {"replicas": 0, "availableReplicas": 0},
    "apps.v1.DaemonSetStatus": {
        "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
    },
    "core.v1.ReplicationControllerStatus": {"replicas": 0},
    "policy.v1.PodDisruptionBudgetStatus": {
        "disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0,
    },
    "autoscaling.v2.HorizontalPodAutoscalerStatus": {"desiredReplicas": 0, "currentMetrics": None},
    "autoscaling.v1.HorizontalPodAutoscalerStatus": {"currentReplicas": 0, "desiredReplicas": 0},
    "discovery.v1.Endpoint": {"conditions": {}},
    "discovery.v1.EndpointSlice": {"endpoints": None, "ports": None},
    "networking.v1.NetworkPolicySpec": {"podSelector": {}},
    "rbac.v1.Role": {"rules": None},
    "rbac.v1.ClusterRole": {"rules": None},
    "coordination.v1.Lease": {"spec": {}},
    "policy.v1.PodDisruptionBudget": {"spec": {}, "status": {}},
    "apiextensions.v1.CustomResourceDefinitionVersion": {"name": "", "served": False, "storage": False},
    "apiextensions.v1.CustomResourceColumnDefinition": {"name": "", "type": "", "jsonPath": ""},
    "apiextensions.v1.CustomResourceDefinitionStatus": {
        "conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": None,
    },
}  # fmt: skip

# Zero values that Go leaves out: plain (not pointer) fields with omitempty.
FALSE_IS_ABSENT = frozenset(
    {"hostNetwork", "hostPID", "hostIPC", "stdin", "stdinOnce", "tty", "readOnly", "publishNotReadyAddresses",
     "paused", "unschedulable"}
)  # fmt: skip
ZERO_IS_ABSENT: dict[str, frozenset[str]] = {
    name: frozenset(fields)
    for name, fields in {
        "apps.v1.DeploymentStatus": (
            "replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas",
            "observedGeneration",
        ),
        "apps.v1.ReplicaSetStatus": (
            "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration",
        ),
        "apps.v1.StatefulSetStatus": ("readyReplicas", "currentReplicas", "updatedReplicas", "observedGeneration"),
        "apps.v1.DaemonSetStatus": (
            "updatedNumberScheduled", "numberAvailable", "numberUnavailable", "observedGeneration",
        ),
        "apps.v1.DeploymentSpec": ("minReadySeconds",),
        "apps.v1.ReplicaSetSpec": ("minReadySeconds",),
        "apps.v1.StatefulSetSpec": ("minReadySeconds",),
        "apps.v1.DaemonSetSpec": ("minReadySeconds",),
        "batch.v1.JobStatus": ("active", "succeeded", "failed"),
        "core.v1.Probe": ("initialDelaySeconds",),
        "core.v1.ContainerPort": ("hostPort",),
        "core.v1.ServicePort": ("nodePort",),
        "core.v1.ContainerStateTerminated": ("signal",),
        "core.v1.PodStatus": ("observedGeneration",),
        "core.v1.PodCondition": ("observedGeneration",),
        "meta.v1.Condition": ("observedGeneration",),
        "policy.v1.PodDisruptionBudgetStatus": ("observedGeneration",),
        "meta.v1.ObjectMeta": ("generation",),
        "apiextensions.v1.CustomResourceDefinitionSpec": ("preserveUnknownFields",),
        "apiextensions.v1.CustomResourceDefinitionVersion": ("deprecated",),
        "apiextensions.v1.CustomResourceColumnDefinition": ("priority",),
        "apiextensions.v1.JSONSchemaProps": (
            "nullable", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum", "x-kubernetes-embedded-resource",
            "x-kubernetes-int-or-string",
        ),
    }.items()
}  # fmt: skip
POINTER_STRINGS = frozenset(
    {"storageClassName", "ingressClassName", "runtimeClassName", "loadBalancerClass", "apiGroup"}
)
KEPT_EMPTY_LISTS = frozenset({"addresses", "resources", "verbs", "items", "currentMetrics"})
_STRING = schema.parse("string")  # parsed once, so that fields can be recognised by identity
_LARGEST = {"int32": 2**31, "int64": 2**63}
GO_VALUES = {"bool": "bool", "string": "string", "int32": "int32", "int64": "int64", "double": "float64"}


_NULLS = {"quantity": "0"}  # what a null is as a map's value


class DecodingError(Exception):
    """A value that the field's type can't hold; the text is Go's."""


class Decoder:
    """Decodes one object; collects unknown fields in `unknown`.

    Args:
        literal: keep what is empty and add nothing: an applied configuration says what it wants to own.
    """

    def __init__(self, *, literal: bool = False) -> None:
        self.unknown: list[str] = []
        self._literal = literal

    def decode(self, obj: Object, root: Structure) -> Object:
        """A clean copy of `obj`."""
        return self._struct(obj, root, "", "")

    def _struct(self, obj: Any, described: Structure, path: str, go_path: str) -> Object:
        result: Object = {}
        zero = ZERO_IS_ABSENT.get(described.name, frozenset())
        for key, value in obj.items():
            field = described.fields.get(key)
            if field is None:
                self.unknown.append(f"{path}.{key}" if path else key)
                continue
            if value is None or (value is False and key in FALSE_IS_ABSENT) or (value == 0 and key in zero):
                continue
            if field is _STRING and type(value) is str:  # most of what objects consist of
                if value or self._literal or key in described.required or key in POINTER_STRINGS:
                    result[key] = value
                continue
            where = f"{go_path}.{key}" if go_path else key
            decoded = self._value(value, field, f"{path}.{key}" if path else key, where, described)
            if not self._literal and self._vanishes(decoded, field, key, described):
                continue
            result[key] = decoded
        if self._literal:
            return result
        for key, value in ALWAYS.get(described.name, {}).items():
            if key not in result:
                result[key] = {} if value == {} else value
        return result

    @staticmethod
    def _vanishes(value: Any, field: FieldType, key: str, described: Structure) -> bool:
        if field.shape in ("map", "list"):
            return not value and not (key in KEPT_EMPTY_LISTS and key in described.required)
        return value == "" and key not in described.required and key not in POINTER_STRINGS and field.name == "string"

    def _value(self, value: Any, field: FieldType, path: str, go_path: str, parent: Structure) -> Any:
        if field.shape == "value":
            return _scalar(value, field.name, go_path, parent)
        if field.shape == "struct":
            described = schema.structure(field.name)
            if not isinstance(value, dict):
                if isinstance(value, bool | list) and field.name == "apiextensions.v1.JSONSchemaProps":
                    return copy_json(value)  # `additionalProperties: true`, a list of `items`
                raise _mismatch(value, go_path, parent, _go_type(field))
            return self._struct(value, described, path, go_path) if described else copy_json(value)
        item = field.item or schema.ANY
        if field.shape == "list":
            if not isinstance(value, list):
                raise _mismatch(value, go_path, parent, _go_type(field))
            return [
                self._value(entry, item, f"{path}[{index}]", go_path, parent)
                for index, entry in enumerate(value)
                if entry is not None
            ]
        if not isinstance(value, dict):
            raise _mismatch(value, go_path, parent, _go_type(field))
        return {
            key: _NULLS.get(item.name, "")
            if entry is None
            else self._value(entry, item, f"{path}.{key}", go_path, parent)
            for key, entry in value.items()
        }


def demand_types(obj: Any, *, kind: str, api_version: str) -> None:
    """400 for a value that a built-in kind's field can't hold; for bodies that are read field by field."""
    root = schema.root(api_version, kind)
    if root is None or not isinstance(obj, dict):
        return
    try:
        Decoder().decode(obj, root)
    except DecodingError as error:
        version = api_version.rpartition("/")[2]
        raise bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {error}') from error


def _scalar(value: Any, name: str, go_path: str, parent: Structure) -> Any:
    check = _CHECKS.get(name)
    return copy_json(value) if check is None else check(value, name, go_path, parent)


def _text(value: Any, name: str, go_path: str, parent: Structure) -> Any:
    if not isinstance(value, str):
        raise _mismatch(value, go_path, parent, GO_VALUES.get(name, "string"))
    return value


def _integer(value: Any, name: str, go_path: str, parent: Structure) -> Any:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _mismatch(value, go_path, parent, name)
    if not -_LARGEST[name] <= value < _LARGEST[name]:
        raise _mismatch(value, go_path, parent, name, literal=f" {value}")
    return value


def _boolean(value: Any, name: str, go_path: str, parent: Structure) -> Any:
    if not isinstance(value, bool):
        raise _mismatch(value, go_path, parent, name)
    return value


def _quantity(value: Any, _name: str, _go_path: str, _parent: Structure) -> Any:
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        raise DecodingError(_QUANTITY_RULE)
    try:
        return str(quantity(text))
    except QuantityError as error:
        raise DecodingError(_QUANTITY_RULE) from error


def _time(value: Any, _name: str, go_path: str, parent: Structure) -> Any:
    text = _text(value, "string", go_path, parent)
    complaint = complaint_about(text)
    if complaint:
        raise DecodingError(complaint)
    return text


def _int_or_string(value: Any, _name: str, _go_path: str, _parent: Structure) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise DecodingError(f"json: cannot unmarshal {type_name(value)} into Go value of type string")
    return value


def _bytes(value: Any, _name: str, go_path: str, parent: Structure) -> Any:
    text = _text(value, "string", go_path, parent)
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        bad = next((i for i, c in enumerate(text) if not re.match(r"[A-Za-z0-9+/=]", c)), len(text))
        raise DecodingError(f"illegal base64 data at input byte {bad}") from error
    return text


_CHECKS = {
    "string": _text,
    "int32": _integer,
    "int64": _integer,
    "bool": _boolean,
    "quantity": _quantity,
    "time": _time,
    "microtime": _time,
    "intstr": _int_or_string,
    "bytes": _bytes,
}


def _go_type(field: FieldType) -> str:
    if field.shape == "list":
        return "[]" + _go_type(field.item or schema.ANY)
    if field.shape == "map":
        return "map[string]" + _go_type(field.item or schema.ANY)
    if field.shape == "struct":
        return ".".join(field.name.split(".")[-2:])
    return {"bytes": "[]uint8", "quantity": "resource.Quantity"}.get(field.name, field.name)


def _mismatch(value: Any, go_path: str, parent: Structure, go_type: str, *, literal: str = "") -> DecodingError:
    where = f"{parent.go_name}.{go_path} of type {go_type}"
    return DecodingError(f"json: cannot unmarshal {type_name(value)}{literal} into Go struct field {where}")


def copy_json(value: Any) -> Any:
    """A deep copy of JSON data."""
    if isinstance(value, dict):
        return {key: copy_json(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [copy_json(entry) for entry in value]
    return value
