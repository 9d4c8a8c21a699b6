"""Server-side apply: merging what a manager wants into what is there, by ownership of fields.

The manager's configuration states every field it owns. Fields it owned before and no longer names go, unless
somebody else owns them too; a field it names that another manager owns with another value is a conflict, unless
forced. See "Server-Side Apply" in the Kubernetes documentation.
"""

from typing import Any

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver import schema
from seatrial.sandbox.apiserver.managed_fields import (
    Path,
    children,
    entries,
    from_fields,
    is_leaf,
    item_key,
    ordered,
    owned_paths,
    to_fields,
)
from seatrial.sandbox.apiserver.metadata import now
from seatrial.sandbox.apiserver.schema import FieldType, Structure
from seatrial.sandbox.apiserver.statuses import failure

_MISSING = object()


class Applied:
    """One apply: the merged object, and the managedFields that follow from it."""

    def __init__(self, config: Object, *, manager: str, subresource: str, force: bool) -> None:
        self._config = config
        self._manager = manager
        self._subresource = subresource
        self._force = force
        self._root = schema.root(config["apiVersion"], config["kind"])
        self.wanted = owned_paths(config, self._root)

    def merge(self, live: Object) -> Object:
        """The live object with the configuration merged in; 409 on conflicts."""
        others = self._others(live)
        conflicts = self._conflicts(live, others)
        if conflicts and not self._force:
            raise _conflict_error(conflicts)
        merged: Object = _merged(live, self._config, self._root or schema.ANY)
        gone = self._before(live) - self.wanted - set().union(*(paths for _, paths in others))
        for path in sorted(gone, key=len):
            if not any(kept[: len(path)] == path for kept in self.wanted):
                _remove_path(merged, path, self._root or schema.ANY)
        merged["metadata"]["resourceVersion"] = self._config["metadata"].get(
            "resourceVersion", live["metadata"]["resourceVersion"]
        )
        return merged

    def track(self, old: Object, new: Object) -> list[Object]:
        """The managedFields after this apply."""
        kept: list[Object] = []
        own: Object | None = None
        changed = {path for path in self.wanted if _value_at(old, path, self._root) != _value_at(new, path, self._root)}
        for entry in entries(old):
            if self._is_own(entry):
                own = entry
                continue
            before = from_fields(entry["fieldsV1"])
            after = {
                path for path in before if _value_at(new, path, self._root) is not _MISSING and path not in changed
            }
            if after:
                kept.append(entry if after == before else {**entry, "fieldsV1": to_fields(after)})
        fields = to_fields(self.wanted)
        if own is not None and own["fieldsV1"] == fields:
            return ordered([own, *kept])
        applied: Object = {
            "manager": self._manager,
            "operation": "Apply",
            "apiVersion": self._config["apiVersion"],
            "time": now(),
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        }
        if self._subresource:
            applied["subresource"] = self._subresource
        return ordered([*kept, applied])

    def _is_own(self, entry: Object) -> bool:
        return bool(
            entry.get("manager") == self._manager
            and entry.get("operation") == "Apply"
            and entry.get("subresource", "") == self._subresource
        )

    def _before(self, live: Object) -> set[Path]:
        return set().union(*(from_fields(entry["fieldsV1"]) for entry in entries(live) if self._is_own(entry)))

    def _others(self, live: Object) -> list[tuple[Object, set[Path]]]:
        return [(entry, from_fields(entry["fieldsV1"])) for entry in entries(live) if not self._is_own(entry)]

    def _conflicts(self, live: Object, others: list[tuple[Object, set[Path]]]) -> list[tuple[Object, Path]]:
        found = []
        for entry, paths in others:
            for path in sorted(paths & self.wanted):
                ours, theirs = _value_at(self._config, path, self._root), _value_at(live, path, self._root)
                inner = isinstance(ours, dict | list) and not _leaf_at(path, self._root, ours)
                if ours != theirs and not inner and not path[-1].startswith("k:"):
                    found.append((entry, path))
        return found


def _leaf_at(path: Path, root: Structure | None, value: Any) -> bool:
    field: FieldType | Structure = root or schema.ANY
    for element in path:
        field = (
            schema.child(field, element[2:])
            if element.startswith("f:")
            else (field.item if isinstance(field, FieldType) and field.item else schema.ANY)
        )
    return is_leaf(value, field)


def _value_at(obj: Any, path: Path, root: Structure | None) -> Any:
    field: FieldType | Structure = root or schema.ANY
    for element in path:
        found = next(((entry, kind) for name, entry, kind in children(obj, field) if name == element), None)
        if found is None:
            return _MISSING
        obj, field = found
    return obj


def _merged(live: Any, config: Any, field: FieldType | Structure) -> Any:
    if is_leaf(config, field) or isinstance(config, list) != isinstance(live, list):
        return config
    if isinstance(config, dict):
        result = dict(live) if isinstance(live, dict) else {}
        for key, value in config.items():
            kind = schema.child(field, key)
            result[key] = _merged(result[key], value, kind) if key in result else value
        return result
    return _merged_list(live, config, field) if isinstance(field, FieldType) else config


def _merged_list(live: list[Any], config: list[Any], field: FieldType) -> list[Any]:
    item = field.item or schema.ANY
    known = {item_key(entry, field): entry for entry in live}
    wanted = {item_key(entry, field): entry for entry in config}
    result = [
        _merged(entry, wanted[key], item) if key in wanted and field.keys else entry for key, entry in known.items()
    ]
    return result + [entry for key, entry in wanted.items() if key not in known]


def _remove_path(obj: Any, path: Path, field: FieldType | Structure) -> None:
    """Take out what a path names; parents must be this object's own copies."""
    for position, element in enumerate(path):
        last = position == len(path) - 1
        if element.startswith("f:"):
            key = element[2:]
            if not isinstance(obj, dict) or key not in obj:
                return
            if last:
                if not (isinstance(obj[key], dict | list) and obj[key]) or is_leaf(obj[key], schema.child(field, key)):
                    del obj[key]
                return
            obj[key] = dict(obj[key]) if isinstance(obj[key], dict) else list(obj[key])
            obj, field = obj[key], schema.child(field, key)
        else:
            if not isinstance(obj, list) or not isinstance(field, FieldType):
                return
            index = next((i for i, entry in enumerate(obj) if item_key(entry, field) == element), None)
            if index is None:
                return
            if last:
                del obj[index]
                return
            obj[index] = dict(obj[index])
            obj, field = obj[index], field.item or schema.ANY


def _dotted(path: Path) -> str:
    """A path as conflicts name it: `.spec.containers[name="c"].image`."""
    text = ""
    for element in path:
        if element.startswith("f:"):
            text += f".{element[2:]}"
        elif element.startswith("k:"):
            pairs = element[3:-1].replace('":', "=").replace('"', "", 1)
            text += f"[{pairs}]"
        else:
            text += f"[={element[2:]}]"
    return text


def _conflict_error(conflicts: list[tuple[Object, Path]]) -> ApiError:
    causes = []
    lines: dict[str, list[str]] = {}
    for entry, path in conflicts:
        who = f'"{entry["manager"]}"'
        if entry.get("subresource"):
            who += f' with subresource "{entry["subresource"]}"'
        if entry["operation"] == "Update":
            who += f" using {entry['apiVersion']}"
        causes.append({"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": _dotted(path)})
        lines.setdefault(who, []).append(_dotted(path))
    count = len(causes)
    text = ", ".join(
        f"conflict with {who}: {paths[0]}" if count == 1 else f"conflicts with {who}:\n- " + "\n- ".join(paths)
        for who, paths in lines.items()
    )
    message = f"Apply failed with {count} conflict{'s' if count > 1 else ''}: {text}"
    return failure(409, "Conflict", message, details={"causes": causes})
