"""Nodes: a machine's room counts as allocatable unless it says less, and taints are well formed and told apart."""

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.metadata import label_value_errors, qualified_name_errors
from seatrial.sandbox.apiserver.statuses import FieldError, duplicate, forbidden_field, required, unsupported
from seatrial.sandbox.apiserver.strategies.base import Strategy

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def _defaults(node: Object) -> None:
    node.setdefault("spec", {})
    status = node.get("status") or {}
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])


def _validate(node: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate((node.get("spec") or {}).get("taints") or ()):
        # The field is written as a part of the metadata by Kubernetes, too.
        where = f"metadata.taints[{index}]"
        key, value, effect = taint.get("key", ""), taint.get("value", ""), taint.get("effect", "")
        errors += qualified_name_errors(key, f"{where}.key")
        errors += label_value_errors(value, f"{where}.value")
        if not effect:
            errors.append(required(f"{where}.effect"))
        elif effect not in _EFFECTS:
            errors.append(unsupported(f"{where}.effect", effect, _EFFECTS))
        if (key, effect) in seen:
            shown = {"Key": key, "Value": value, "Effect": effect, "TimeAdded": taint.get("timeAdded")}
            found = duplicate(where, shown)
            rule = "taints must be unique by key and effect pair"
            errors.append(FieldError(found.reason, found.field, f"{found.text}: {rule}"))
        seen.add((key, effect))
    return errors


def _validate_update(new: Object, old: Object) -> list[FieldError]:
    before, after = old.get("spec") or {}, new.get("spec") or {}
    # An update is checked like a creation first, and its taints once more.
    errors = _validate(new) * 2
    if before.get("podCIDRs") and after.get("podCIDRs") != before["podCIDRs"]:
        text = 'node updates may not change podCIDR except from "" to valid'
        errors.append(forbidden_field("spec.podCIDRs", text))
    if before.get("providerID") and after.get("providerID") != before["providerID"]:
        text = 'node updates may not change providerID except from "" to valid'
        errors.append(forbidden_field("spec.providerID", text))
    return errors


STRATEGY = Strategy(defaults=_defaults, validate=_validate, validate_update=_validate_update, keeps_status=True)
