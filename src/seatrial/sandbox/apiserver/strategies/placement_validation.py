"""What a pod may not say of where it is to run: tolerations, affinity, topology spread, gates."""

from typing import Any, Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.metadata import qualified_name_errors
from seatrial.sandbox.apiserver.statuses import FieldError, duplicate, forbidden_field, invalid, required, unsupported

_TERMS: Final = ("requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution")
_EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_UNSATISFIABLE: Final = ("DoNotSchedule", "ScheduleAnyway")


def toleration_errors(tolerations: list[Object], path: str) -> list[FieldError]:
    """What is wrong with tolerations."""
    errors: list[FieldError] = []
    for index, toleration in enumerate(tolerations):
        where = f"{path}[{index}]"
        operator = toleration.get("operator", "Equal")
        if toleration.get("key"):
            errors += qualified_name_errors(toleration["key"], f"{where}.key")
        elif operator != "Exists":
            rule = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            errors.append(invalid(f"{where}.operator", operator, rule))
        if operator == "Exists" and toleration.get("value"):
            rule = "value must be empty when `operator` is 'Exists'"
            errors.append(invalid(f"{where}.operator", toleration["value"], rule))
        elif operator not in ("Equal", "Exists"):
            errors.append(unsupported(f"{where}.operator", operator, ("Equal", "Exists")))
        effect = toleration.get("effect")
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            rule = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            errors.append(invalid(f"{where}.effect", effect or "", rule))
        if effect and effect not in _EFFECTS:
            errors.append(unsupported(f"{where}.effect", effect, _EFFECTS))
    return errors


def toleration_update_errors(after: list[Object], before: list[Object]) -> list[FieldError]:
    """Existing tolerations stay; only their seconds may change, and others may come."""

    def identity(toleration: Object) -> tuple[Any, ...]:
        return tuple(toleration.get(key) for key in ("key", "operator", "value", "effect"))

    kept = {identity(toleration) for toleration in after}
    if all(identity(toleration) in kept for toleration in before):
        return []
    return [forbidden_field("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")]


def affinity_errors(affinity: Object, path: str) -> list[FieldError]:
    """What is wrong with affinity and anti-affinity."""
    errors: list[FieldError] = []
    node = affinity.get("nodeAffinity") or {}
    needed = node.get(_TERMS[0])
    if needed is not None:
        where = f"{path}.nodeAffinity.{_TERMS[0]}.nodeSelectorTerms"
        if not needed.get("nodeSelectorTerms"):
            errors.append(required(where, "must have at least one node selector term"))
        for index, term in enumerate(needed.get("nodeSelectorTerms") or ()):
            errors += _node_term_errors(term, f"{where}[{index}]")
    for index, wish in enumerate(node.get(_TERMS[1]) or ()):
        where = f"{path}.nodeAffinity.{_TERMS[1]}[{index}]"
        errors += _weight_errors(wish, where) + _node_term_errors(wish.get("preference") or {}, f"{where}.preference")
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(kind) or {}
        for index, term in enumerate(terms.get(_TERMS[0]) or ()):
            errors += _pod_term_errors(term, f"{path}.{kind}.{_TERMS[0]}[{index}]")
        for index, wish in enumerate(terms.get(_TERMS[1]) or ()):
            where = f"{path}.{kind}.{_TERMS[1]}[{index}]"
            errors += _weight_errors(wish, where)
            errors += _pod_term_errors(wish.get("podAffinityTerm") or {}, f"{where}.podAffinityTerm")
    return errors


def _weight_errors(wish: Object, path: str) -> list[FieldError]:
    weight = wish.get("weight", 0)
    return [] if 1 <= weight <= 100 else [invalid(f"{path}.weight", weight, "must be in the range 1-100")]


def _node_term_errors(term: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, requirement in enumerate(term.get("matchExpressions") or ()):
        where = f"{path}.matchExpressions[{index}]"
        operator, values = requirement.get("operator", ""), requirement.get("values") or []
        if operator in ("In", "NotIn"):
            text = "must be specified when `operator` is 'In' or 'NotIn'"
            errors += [] if values else [required(f"{where}.values", text)]
        elif operator in ("Exists", "DoesNotExist"):
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors += [forbidden_field(f"{where}.values", text)] if values else []
        elif operator in ("Gt", "Lt"):
            text = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            errors += [] if len(values) == 1 else [required(f"{where}.values", text)]
        else:
            errors.append(invalid(f"{where}.operator", operator, "not a valid selector operator"))
        errors += qualified_name_errors(requirement.get("key", ""), f"{where}.key")
    return errors


def _pod_term_errors(term: Object, path: str) -> list[FieldError]:
    key = term.get("topologyKey", "")
    errors = [] if key else [required(f"{path}.topologyKey", "can not be empty")]
    return errors + qualified_name_errors(key, f"{path}.topologyKey")


def spread_errors(constraints: list[Object], path: str) -> list[FieldError]:
    """What is wrong with topology spread constraints."""
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for index, constraint in enumerate(constraints):
        where = f"{path}[{index}]"
        skew = constraint.get("maxSkew", 0)
        if skew <= 0:
            errors.append(invalid(f"{where}.maxSkew", skew, "must be greater than zero"))
        key, otherwise = constraint.get("topologyKey", ""), constraint.get("whenUnsatisfiable", "")
        errors += qualified_name_errors(key, f"{where}.topologyKey") if key else [
            required(f"{where}.topologyKey", "can not be empty"),
        ]  # fmt: skip
        if otherwise not in _UNSATISFIABLE:
            errors.append(unsupported(f"{where}.whenUnsatisfiable", otherwise, _UNSATISFIABLE))
        if (key, otherwise) in seen:
            errors.append(duplicate(f"{where}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {otherwise}}}"))
        seen.add((key, otherwise))
    return errors


def gate_errors(spec: Object, path: str) -> list[FieldError]:
    """What is wrong with readiness gates and scheduling gates."""
    errors: list[FieldError] = []
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        where = f"{path}.readinessGates[{index}].conditionType"
        errors += qualified_name_errors(gate.get("conditionType", ""), where)
    seen: set[str] = set()
    for index, gate in enumerate(spec.get("schedulingGates") or ()):
        where, name = f"{path}.schedulingGates[{index}]", gate.get("name", "")
        errors += qualified_name_errors(name, where)
        errors += [duplicate(where, name)] if name in seen else []
        seen.add(name)
    return errors
