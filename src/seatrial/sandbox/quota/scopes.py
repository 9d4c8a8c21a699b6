"""Which objects a quota with scopes speaks of: Kubernetes documentation, "Resource Quotas", "Quota scopes"."""

from seatrial.kube.selectors import LabelSelector
from seatrial.sandbox.api import Object


def is_in_scope(quota: Object, table: str, obj: Object) -> bool:
    """Whether all of the quota's scopes hold for the object."""
    spec = quota.get("spec") or {}
    scopes = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    scopes += (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    if not scopes:
        return True
    return table == "pods" and all(_holds(scope, obj["spec"], obj) for scope in scopes)


def _holds(scope: Object, spec: Object, pod: Object) -> bool:
    match scope["scopeName"]:
        case "Terminating":
            return spec.get("activeDeadlineSeconds") is not None
        case "NotTerminating":
            return spec.get("activeDeadlineSeconds") is None
        case "BestEffort":
            return (pod.get("status") or {}).get("qosClass") == "BestEffort"
        case "NotBestEffort":
            return (pod.get("status") or {}).get("qosClass") != "BestEffort"
        case "PriorityClass":
            return _priority_class_selected(scope, spec)
        case "CrossNamespacePodAffinity":
            return any("namespaces" in term or "namespaceSelector" in term for term in _affinity_terms(spec))
        case _:
            return False


def _priority_class_selected(scope: Object, spec: Object) -> bool:
    name = spec.get("priorityClassName") or ""
    labels = {"PriorityClass": name} if name else {}
    expression = {"key": "PriorityClass", "operator": scope["operator"], "values": scope.get("values") or []}
    return LabelSelector.from_dict({"matchExpressions": [expression]}).matches(labels)


def _affinity_terms(spec: Object) -> list[Object]:
    terms: list[Object] = []
    for kind in ("podAffinity", "podAntiAffinity"):
        affinity = (spec.get("affinity") or {}).get(kind) or {}
        terms += affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        preferred = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [weighted["podAffinityTerm"] for weighted in preferred]
    return terms
