"""What Services, policies, quotas, claims, bindings and the like may not say, beyond what their strategies check."""

import ipaddress
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.metadata import labels_errors, name_errors
from seatrial.sandbox.apiserver.statuses import FieldError, forbidden_field, invalid, required, unsupported
from seatrial.sandbox.apiserver.strategies.handler_validation import NOT_NEGATIVE, PORT_RANGE, port_name_errors
from seatrial.sandbox.apiserver.strategies.workloads import label_selector_errors
from seatrial.sandbox.rules.pod_resources import quantity

_POLICIES: Final = ("Cluster", "Local")
_ACCESS_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_LARGEST_PRIORITY: Final = 1000000000
_SYSTEM_PRIORITIES: Final = ("system-cluster-critical", "system-node-critical")
_SUBJECTS: Final = ("ServiceAccount", "User", "Group")


def service_errors(obj: Object) -> list[FieldError]:
    """Traffic policies, selector, ports that the type doesn't have."""
    spec = obj["spec"]
    errors = labels_errors(spec.get("selector") or {}, "spec.selector")
    if spec.get("type", "ClusterIP") == "ClusterIP":
        text = "may not be used when `type` is 'ClusterIP'"
        ports = enumerate(spec.get("ports") or ())
        errors += [forbidden_field(f"spec.ports[{i}].nodePort", text) for i, port in ports if port.get("nodePort")]
    if spec.get("type") == "ExternalName" and spec.get("externalName"):
        errors += name_errors(spec["externalName"].removesuffix("."), "subdomain", "spec.externalName")
    for key in ("internalTrafficPolicy", "externalTrafficPolicy"):
        if spec.get(key) not in (None, *_POLICIES):
            errors.append(unsupported(f"spec.{key}", spec[key], _POLICIES))
    seconds = ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds")
    if seconds is not None and not 0 < seconds <= 86400:
        field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
        errors.append(invalid(field, seconds, "must be greater than 0 and less than 86400"))
    return errors


def budget_errors(obj: Object) -> list[FieldError]:
    """The selector, and the policy for pods that aren't healthy."""
    spec = obj.get("spec") or {}
    errors = label_selector_errors(spec.get("selector") or {}, "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy not in (None, "AlwaysAllow", "IfHealthyBudget"):
        field = "spec.unhealthyPodEvictionPolicy"
        errors.append(unsupported(field, policy, ("AlwaysAllow", "IfHealthyBudget")))
    return errors


def ingress_errors(obj: Object) -> list[FieldError]:
    """Rules, hosts and paths."""
    spec = obj.get("spec") or {}
    if not spec.get("rules") and spec.get("defaultBackend") is None:
        shown = {"IngressClassName": spec.get("ingressClassName"), "DefaultBackend": None, "TLS": None, "Rules": None}
        return [invalid("spec", shown, "either `defaultBackend` or `rules` must be specified")]
    errors: list[FieldError] = []
    for index, rule in enumerate(spec.get("rules") or ()):
        where = f"spec.rules[{index}]"
        host = rule.get("host", "")
        errors += name_errors(host.removeprefix("*."), "subdomain", f"{where}.host") if host else []
        for number, entry in enumerate((rule.get("http") or {}).get("paths") or ()):
            errors += _path_errors(entry, f"{where}.http.paths[{number}]")
    return errors


def _path_errors(entry: Object, path: str) -> list[FieldError]:
    kind, text = entry.get("pathType"), entry.get("path", "")
    if kind is None:
        return [required(f"{path}.pathType", "pathType must be specified")]
    if kind not in ("Exact", "Prefix", "ImplementationSpecific"):
        return [unsupported(f"{path}.pathType", kind, ("Exact", "ImplementationSpecific", "Prefix"))]
    if kind != "ImplementationSpecific" and not text.startswith("/"):
        return [invalid(f"{path}.path", text, "must be an absolute path")]
    return []


def network_policy_errors(obj: Object) -> list[FieldError]:
    """Policy types, address blocks, ports."""
    spec = obj.get("spec") or {}
    errors = label_selector_errors(spec.get("podSelector") or {}, "spec.podSelector")
    errors += [
        unsupported(f"spec.policyTypes[{index}]", kind, ("Egress", "Ingress"))
        for index, kind in enumerate(spec.get("policyTypes") or ())
        if kind not in ("Egress", "Ingress")
    ]
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            where = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or ()):
                errors += _port_errors(port.get("port"), f"{where}.ports[{number}].port")
            for number, peer in enumerate(rule.get(peers) or ()):
                errors += _block_errors(peer.get("ipBlock"), f"{where}.{peers}[{number}].ipBlock")
    return errors


def _port_errors(port: object, path: str) -> list[FieldError]:
    if isinstance(port, str):
        return port_name_errors(port, path)
    return [] if not isinstance(port, int) or 1 <= port <= 65535 else [invalid(path, port, PORT_RANGE)]


def _block_errors(block: Object | None, path: str) -> list[FieldError]:
    if block is None:
        return []
    try:
        ipaddress.ip_network(block.get("cidr", ""), strict=False)
    except ValueError:
        text = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        return [invalid(f"{path}.cidr", block.get("cidr", ""), text)]
    return []


def quota_errors(obj: Object) -> list[FieldError]:
    """Amounts."""
    hard = (obj.get("spec") or {}).get("hard") or {}
    return [
        invalid(f"spec.hard[{key}]", amount, NOT_NEGATIVE) for key, amount in hard.items() if quantity(amount).value < 0
    ]


def limit_range_errors(obj: Object) -> list[FieldError]:
    """Bounds that contradict each other."""
    errors: list[FieldError] = []
    pairs = (("min", "max"), ("min", "defaultRequest"), ("defaultRequest", "max"), ("default", "max"))
    words = {
        "min": "min value",
        "max": "max value",
        "default": "default value",
        "defaultRequest": "default request value",
    }
    for index, limit in enumerate((obj.get("spec") or {}).get("limits") or ()):
        for low, high in pairs:
            lows, highs = limit.get(low) or {}, limit.get(high) or {}
            for key in sorted(lows.keys() & highs.keys()):
                if quantity(lows[key]).value > quantity(highs[key]).value:
                    text = f"{words[low]} {lows[key]} is greater than {words[high]} {highs[key]}"
                    errors.append(invalid(f"spec.limits[{index}].{low}[{key}]", lows[key], text))
    return errors


def claim_errors(obj: Object) -> list[FieldError]:
    """Access modes and size."""
    spec = obj.get("spec") or {}
    modes = spec.get("accessModes") or []
    errors = [] if modes else [required("spec.accessModes", "at least 1 access mode is required")]
    errors += [unsupported("spec.accessModes", mode, _ACCESS_MODES) for mode in modes if mode not in _ACCESS_MODES]
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if size is None:
        errors.append(required("spec.resources[storage]"))
    elif quantity(size).value <= 0:
        errors.append(invalid("spec.resources[storage]", size, "must be greater than zero"))
    return errors


def binding_errors(obj: Object) -> list[FieldError]:
    """Subjects."""
    errors: list[FieldError] = []
    is_in_namespace = obj.get("kind") == "RoleBinding"
    for index, subject in enumerate(obj.get("subjects") or ()):
        where, kind = f"subjects[{index}]", subject.get("kind", "")
        if not subject.get("name"):
            errors.append(required(f"{where}.name"))
        if kind not in _SUBJECTS:
            errors.append(unsupported(f"{where}.kind", kind, _SUBJECTS))
        elif kind == "ServiceAccount" and not is_in_namespace and not subject.get("namespace"):
            errors.append(required(f"{where}.namespace"))
    return errors


def priority_class_errors(obj: Object) -> list[FieldError]:
    """Values and names that are the system's."""
    name, value, errors = obj["metadata"].get("name", ""), obj.get("value", 0), []
    if name.startswith("system-") and name not in _SYSTEM_PRIORITIES:
        text = "priority class names with 'system-' prefix are reserved for system use only"
        errors.append(forbidden_field("metadata.name", text))
    if value > _LARGEST_PRIORITY and name not in _SYSTEM_PRIORITIES:
        text = f"maximum allowed value of a user defined priority is {_LARGEST_PRIORITY}"
        errors.append(forbidden_field("value", text))
    policy = obj.get("preemptionPolicy")
    if policy not in (None, "Never", "PreemptLowerPriority"):
        errors.append(unsupported("preemptionPolicy", policy, ("Never", "PreemptLowerPriority")))
    return errors


def lease_errors(obj: Object) -> list[FieldError]:
    """Durations and counts."""
    spec, errors = obj.get("spec") or {}, []
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        errors.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if transitions is not None and transitions < 0:
        errors.append(invalid("spec.leaseTransitions", transitions, NOT_NEGATIVE))
    return errors
