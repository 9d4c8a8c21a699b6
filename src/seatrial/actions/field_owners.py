"""Giving fields back to those who managed them before we changed them.

Whoever writes a field becomes its manager in `metadata.managedFields`, and stays it when the old value is written
back: a tool that applies on the server would then find its own field in conflict with `seatrial`. So an undo also puts
the list right: what our entries hold goes to whoever held it before, what others hold by now stays theirs, and our
entries go. A writer may state the list, as it may empty it.

An object that was created, not applied, has its fields from a writer, and an apply that leaves one of them out would
not remove it: so, before it is applied again, they become those of the one who applies. That is how kubectl goes over
from client-side to server-side apply, too.
Sources: Kubernetes documentation, "Server-Side Apply": "Field management", "Clearing managedFields", "Upgrading from
client-side apply to server-side apply"; the form `FieldsV1` in the API reference.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

MANAGER = "seatrial"
CREATOR = "seatrial-create"
"""Who manages the fields of objects that a run creates, until it applies them again."""

Entry = dict[str, Any]
Fields = dict[str, Any]


def given_back(now: Sequence[Entry], before: Sequence[Entry], *, manager: str = MANAGER) -> list[Entry]:
    """The entries as they should be, from those of now and those before our change."""
    ours: Fields = {}
    for entry in now:
        if entry.get("manager") == manager:
            _add(ours, entry.get("fieldsV1") or {})
    kept = {_identity(entry): copy.deepcopy(entry) for entry in now if entry.get("manager") != manager}
    for entry in before:
        returned = _common(ours, entry.get("fieldsV1") or {})
        if not returned:
            continue
        holder = kept.setdefault(_identity(entry), {**entry, "fieldsV1": {}})
        _add(holder["fieldsV1"], returned)
    return list(kept.values())


def as_applied(entries: Sequence[Entry]) -> list[Entry]:
    """The entries, with what `CREATOR` wrote held by `MANAGER` as something that it applied."""
    written = [each for each in entries if each.get("manager") == CREATOR and not each.get("subresource")]
    kept = [copy.deepcopy(each) for each in entries if each not in written]
    for entry in written:
        wanted = {**entry, "manager": MANAGER, "operation": "Apply"}
        applied = next((each for each in kept if _identity(each) == _identity(wanted)), None)
        if applied is None:
            kept.append({**wanted, "fieldsV1": {}})
        _add((applied or kept[-1])["fieldsV1"], entry.get("fieldsV1") or {})
    return kept


def _identity(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(entry.get(key, "") for key in ("manager", "operation", "apiVersion", "subresource"))


def _add(fields: Fields, more: Fields) -> None:
    for key, below in more.items():
        _add(fields.setdefault(key, {}), below)


def _common(one: Fields, other: Fields) -> Fields:
    """What is in both; a field without any below it is one by itself."""
    common: Fields = {}
    for key in one.keys() & other.keys():
        below = _common(one[key], other[key])
        if below or not one[key] or not other[key]:
            common[key] = below
    return common
