"""Strategic merge patch: a merge patch that knows by which key the items of a list are told apart.

The directives `$patch`, `$deleteFromPrimitiveList/...`, `$setElementOrder/...` and `$retainKeys` are those of the
Kubernetes document "Strategic Merge Patch" (community, sig-api-machinery). The merge keys come from `schema`.
"""

from typing import Any

from seatrial.sandbox.apiserver import schema
from seatrial.sandbox.apiserver.json_text import type_name
from seatrial.sandbox.apiserver.schema import FieldType, Structure
from seatrial.sandbox.apiserver.statuses import bad_request, failure, invalid, unprocessable

_DELETE_PRIMITIVE = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


class StrategicMergeError(Exception):
    """A list's item lacks the key by which items are merged."""


class NotAMapError(Exception):
    """A patch gives something else where a list has structures."""


class NotAListError(Exception):
    """A patch gives something else where a list belongs."""


def strategic_merge(target: Any, patch: Any, root: Structure | None) -> Any:
    """The target with the patch merged in; neither is changed."""
    try:
        return _merge_map(target if isinstance(target, dict) else {}, patch, root)
    except NotAListError as error:
        problem = invalid("patch", _go_map(patch), f"cannot restore slice from {error}")
        raise unprocessable("", "", "", [problem]) from error
    except NotAMapError as error:
        raise bad_request(f"invalid list element {error} in the patch: an object is expected") from error
    except StrategicMergeError as error:
        raise failure(500, "", str(error)) from error


def _merge_map(target: dict[str, Any], patch: dict[str, Any], kind: FieldType | Structure | None) -> dict[str, Any]:
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    _check_lists(patch)
    result = dict(target)
    retained = patch.get("$retainKeys")
    if isinstance(retained, list):
        result = {key: value for key, value in result.items() if key in retained}
    for key, value in patch.items():
        if key in ("$patch", "$retainKeys") or key.startswith(_ORDER) or _is_idle(value, key, target):
            continue
        if key.startswith(_DELETE_PRIMITIVE):
            field = key[len(_DELETE_PRIMITIVE) :]
            result[field] = [entry for entry in result.get(field) or [] if entry not in value]
            continue
        if value is None:
            result.pop(key, None)
            continue
        order = patch.get(f"{_ORDER}{key}")
        result[key] = _merge_value(result.get(key), value, schema.child(kind, key), order)
    for key, order in patch.items():
        field = key[len(_ORDER) :]
        if key.startswith(_ORDER) and field not in patch and isinstance(result.get(field), list):
            result[field] = _ordered(result[field], order, schema.child(kind, field))
    return result


def _check_lists(patch: dict[str, Any]) -> None:
    """Directives about lists hold lists."""
    for key, value in patch.items():
        if key.startswith((_DELETE_PRIMITIVE, _ORDER)) and not isinstance(value, list):
            raise NotAListError(type_name(value))


def _is_idle(value: Any, key: str, target: dict[str, Any]) -> bool:
    """Whether it is a directive for what isn't there."""
    return isinstance(value, dict) and "$patch" in value and key not in target


def _merge_value(old: Any, new: Any, field: FieldType, order: Any) -> Any:
    if field.shape == "list" and not isinstance(new, list):
        raise NotAListError("string" if isinstance(new, str) else "map")
    if isinstance(new, dict):
        return _merge_map(old if isinstance(old, dict) else {}, new, field)
    if isinstance(new, list) and field.merge_key is not None:
        merged = _merge_list(old if isinstance(old, list) else [], new, field)
        return _ordered(merged, order, field) if order else merged
    return new


def _go_map(value: Any) -> str:
    """A value as Go prints a map."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go_map(entry)}" for key, entry in value.items()) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go_map, value)) + "]"
    return str(value)


def _merge_list(old: list[Any], new: list[Any], field: FieldType) -> list[Any]:
    key = field.merge_key or ""
    if not key:
        return old + [entry for entry in new if entry not in old]
    if any(isinstance(entry, dict) and entry.get("$patch") == "replace" for entry in new):
        return [entry for entry in new if not (isinstance(entry, dict) and entry.get("$patch") == "replace")]
    result = list(old)
    added: list[Any] = []
    for entry in new:
        if not isinstance(entry, dict):
            raise NotAMapError(entry)
        if key not in entry:
            raise StrategicMergeError(f"map: {_go_map(entry)} does not contain declared merge key: {key}")
        places = [index for index, item in enumerate(result) if item.get(key) == entry[key]]
        if entry.get("$patch") == "delete":
            result = [item for item in result if item.get(key) != entry[key]]
        elif places:
            result[places[0]] = _merge_map(result[places[0]], entry, field.item)
        else:
            added.append(_merge_map({}, entry, field.item))
    return added + result


def _ordered(items: list[Any], order: Any, field: FieldType) -> list[Any]:
    """Items named in the order first as it says, each of the others after the one it followed."""
    key = field.merge_key or ""
    wanted = [entry.get(key) if key and isinstance(entry, dict) else entry for entry in order or []]

    def name(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    listed = sorted((item for item in items if name(item) in wanted), key=lambda item: wanted.index(name(item)))
    others = [item for item in items if name(item) not in wanted]
    return listed + others
