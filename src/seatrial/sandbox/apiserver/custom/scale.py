"""The scale subresource of a custom kind: reads and writes replicas where the definition says they are."""

from dataclasses import dataclass
from typing import Any

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.patching.managed_fields import ordered
from seatrial.sandbox.apiserver.selectors import parse_label_selector
from seatrial.sandbox.apiserver.statuses import FieldError, invalid

_LARGEST = (1 << 31) - 1
_GO_TYPES = {bool: "bool", int: "int64", float: "float64", str: "string", list: "[]interface {}"}


class PathError(ValueError):
    """A path leads through, or to, a value of another type."""


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where a kind keeps its replicas and its selector."""

    spec: str
    status: str
    selector: str = ""


def read_scale(obj: Object, paths: ScalePaths) -> Object:
    """The `Scale` of an object; 500 when the object doesn't say how many."""
    meta = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    replicas = _number(obj, paths.spec)
    if replicas is None:
        text = f'Internal error occurred: the spec replicas field "{paths.spec}" does not exist'
        raise statuses.failure(500, "InternalError", text, details={"causes": [{"message": text.partition(": ")[2]}]})
    status: Object = {"replicas": _number(obj, paths.status) or 0}
    selector = _at(obj, paths.selector, str, "string") if paths.selector else None
    if selector:
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: meta[key] for key in kept if key in meta},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def with_replicas(obj: Object, paths: ScalePaths, replicas: int) -> Object:
    """The object with another number of replicas."""
    keys = _keys(paths.spec)
    result = dict(obj)
    inner = result
    for key in keys[:-1]:
        inner[key] = dict(inner.get(key) or {})
        inner = inner[key]
    inner[keys[-1]] = replicas
    return result


def without_times(tracked: list[Object], subresource: str) -> list[Object]:
    """The managedFields without the times of a subresource: a custom resource's scale keeps none."""
    theirs = [entry for entry in tracked if entry.get("subresource") == subresource]
    others = [entry for entry in tracked if entry.get("subresource") != subresource]
    return ordered([*others, *({key: value for key, value in entry.items() if key != "time"} for entry in theirs)])


def scale_errors(obj: Object, paths: ScalePaths) -> list[FieldError]:
    """What keeps an object from being scaled."""
    found = []
    for path in (paths.spec, paths.status):
        try:
            replicas = _number(obj, path) or 0
        except PathError as error:
            found.append(invalid(path, 0, str(error)))
            continue
        if replicas < 0:
            found.append(invalid(path, replicas, "should be a non-negative integer"))
        elif replicas > _LARGEST:
            found.append(invalid(path, replicas, f"should be less than or equal to {_LARGEST}"))
    return found + (_selector_errors(obj, paths.selector) if paths.selector else [])


def _selector_errors(obj: Object, path: str) -> list[FieldError]:
    try:
        selector = _at(obj, path, str, "string") or ""
        parse_label_selector(selector)
    except PathError as error:
        return [invalid(path, "", str(error))]
    except ApiError as error:
        return [invalid(path, selector, str(error))]
    return []


def _keys(path: str) -> list[str]:
    return path.lstrip(".").split(".")


def _number(obj: Object, path: str) -> int | None:
    found: int | None = _at(obj, path, int, "int64")
    return found


def _at(obj: Object, path: str, kind: type, name: str) -> Any:
    value: Any = obj
    walked = ""
    for key in _keys(path):
        if value is None:
            return None
        if not isinstance(value, dict):
            raise PathError(_complaint(f".{'.'.join(_keys(path))}", value, "map[string]interface{}"))
        walked += f".{key}"
        if key not in value:
            return None
        value = value[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise PathError(_complaint(walked, value, name))
    return value


def _complaint(path: str, value: Any, wanted: str) -> str:
    shown = "<nil>" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    kind = _GO_TYPES.get(type(value), "<nil>" if value is None else "map[string]interface {}")
    return f"{path} accessor error: {shown} is of the type {kind}, expected {wanted}"
