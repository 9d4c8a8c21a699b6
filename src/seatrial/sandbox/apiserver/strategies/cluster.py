"""The small kinds: namespaces, configuration, events, budgets, RBAC, autoscalers, network, leases."""

import base64

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.decoding import copy_json
from seatrial.sandbox.apiserver.statuses import FieldError, forbidden_field, invalid, required, unsupported
from seatrial.sandbox.apiserver.strategies.base import Strategy, fill
from seatrial.sandbox.apiserver.strategies.event_validation import event_errors
from seatrial.sandbox.apiserver.strategies.workloads import share_errors

RBAC_GROUP = "rbac.authorization.k8s.io"


def _namespace_defaults(obj: Object) -> None:
    labels = obj["metadata"].setdefault("labels", {})
    name = obj["metadata"].get("name")
    if name:
        labels["kubernetes.io/metadata.name"] = name
    if not labels:
        del obj["metadata"]["labels"]


def _prepare_namespace(obj: Object) -> None:
    _namespace_defaults(obj)
    spec = obj.setdefault("spec", {})
    finalizers = spec.setdefault("finalizers", [])
    if "kubernetes" not in finalizers:
        finalizers.append("kubernetes")
    obj["status"] = {"phase": "Active"}


def _keep_namespace_spec(new: Object, old: Object) -> None:
    _namespace_defaults(new)
    new["spec"] = copy_json(old.get("spec", {}))


def _endpoints(obj: Object) -> None:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            fill(port, protocol="TCP")


def _endpoint_slice(obj: Object) -> None:
    for port in obj.get("ports") or ():
        fill(port, name="", protocol="TCP")
    for endpoint in obj.get("endpoints") or ():
        fill(endpoint, conditions={})


def _secret(obj: Object) -> None:
    fill(obj, type="Opaque")
    for key, text in (obj.pop("stringData", None) or {}).items():
        obj.setdefault("data", {})[key] = base64.b64encode(text.encode()).decode()


_SECRET_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def _secret_errors(obj: Object) -> list[FieldError]:
    data = obj.get("data") or {}
    return [required(f"data[{key}]") for key in _SECRET_KEYS.get(obj.get("type", ""), ()) if key not in data]


def _config_map_errors(obj: Object) -> list[FieldError]:
    binary = obj.get("binaryData") or {}
    return [
        invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
        for key in obj.get("data") or {}
        if key in binary
    ]


def _immutable_update(new: Object, old: Object) -> list[FieldError]:
    rule = "field is immutable when `immutable` is set"
    errors = []
    if old.get("immutable"):
        if not new.get("immutable"):
            errors.append(forbidden_field("immutable", rule))
        errors += [
            forbidden_field(key, rule) for key in ("data", "binaryData") if (new.get(key) or {}) != (old.get(key) or {})
        ]
    return errors


def _secret_update(new: Object, old: Object) -> list[FieldError]:
    errors = _immutable_update(new, old)
    if new.get("type") != old.get("type"):
        errors.insert(0, invalid("type", new.get("type"), "field is immutable"))
    return errors


def _role(obj: Object) -> None:
    obj.setdefault("rules", None)


def _role_errors(obj: Object) -> list[FieldError]:
    errors = []
    for index, rule in enumerate(obj.get("rules") or ()):
        where = f"rules[{index}]"
        if not rule.get("verbs"):
            errors.append(required(f"{where}.verbs", "verbs must contain at least one value"))
        if rule.get("nonResourceURLs"):
            if obj["kind"] == "Role":
                text = "namespaced rules cannot apply to non-resource URLs"
                errors.append(invalid(f"{where}.nonResourceURLs", rule["nonResourceURLs"], text))
            continue
        if not rule.get("apiGroups"):
            errors.append(required(f"{where}.apiGroups", "resource rules must supply at least one api group"))
        if not rule.get("resources"):
            errors.append(required(f"{where}.resources", "resource rules must supply at least one resource"))
    return errors


def _binding(obj: Object) -> None:
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            fill(subject, apiGroup=RBAC_GROUP)
    if obj.get("roleRef"):
        fill(obj["roleRef"], apiGroup=RBAC_GROUP)


def _binding_errors(obj: Object) -> list[FieldError]:
    reference = obj.get("roleRef") or {}
    errors = []
    if reference.get("kind") not in ("Role", "ClusterRole"):
        errors.append(unsupported("roleRef.kind", reference.get("kind", ""), ("Role", "ClusterRole")))
    if not reference.get("name"):
        errors.append(required("roleRef.name"))
    return errors


def _binding_update(new: Object, old: Object) -> list[FieldError]:
    if new.get("roleRef") == old.get("roleRef"):
        return []
    return [invalid("roleRef", new.get("roleRef"), "cannot change roleRef")]


def _budget_errors(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = []
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        rule = "minAvailable and maxUnavailable cannot be both set"
        errors.append(invalid("spec", spec, rule))
    for key in ("minAvailable", "maxUnavailable"):
        if spec.get(key) is not None:
            errors += share_errors(spec[key], f"spec.{key}", most=100)
    return errors


def _autoscaler(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, minReplicas=1)
    if obj["apiVersion"].endswith("v2") and not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    elif obj["apiVersion"].endswith("v1"):
        fill(spec, targetCPUUtilizationPercentage=80)


def _network_policy(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for rule in (*(spec.get("ingress") or ()), *(spec.get("egress") or ())):
        for port in rule.get("ports") or ():
            fill(port, protocol="TCP")


def _ingress(obj: Object) -> None:
    obj.setdefault("spec", {})


def _claim(obj: Object) -> None:
    fill(obj.setdefault("spec", {}), volumeMode="Filesystem")


def _priority_class(obj: Object) -> None:
    fill(obj, preemptionPolicy="PreemptLowerPriority")
    obj.setdefault("value", 0)


def _priority_class_update(new: Object, old: Object) -> list[FieldError]:
    if new.get("value") == old.get("value"):
        return []
    return [forbidden_field("value", "may not be changed in an update.")]


def _limit_range(obj: Object) -> None:
    for item in obj.setdefault("spec", {}).get("limits") or ():
        if item.get("type") == "Container":
            # What isn't said follows from what is: the default limit from the most, the default request from either.
            limits = {**(item.get("max") or {}), **(item.get("default") or {})}
            requests = {**(item.get("min") or {}), **limits, **(item.get("defaultRequest") or {})}
            item.update({key: value for key, value in (("default", limits), ("defaultRequest", requests)) if value})


NAMESPACE = Strategy(
    defaults=_namespace_defaults,
    prepare_create=_prepare_namespace,
    prepare_update=_keep_namespace_spec,
    name_rule="label",
)
STRATEGIES: dict[str, Strategy] = {
    "namespaces": NAMESPACE,
    "endpoints": Strategy(defaults=_endpoints),
    "endpointslices.discovery.k8s.io": Strategy(defaults=_endpoint_slice),
    "secrets": Strategy(defaults=_secret, validate=_secret_errors, validate_update=_secret_update),
    "configmaps": Strategy(validate=_config_map_errors, validate_update=_immutable_update),
    "events": Strategy(validate=event_errors),
    "roles.rbac.authorization.k8s.io": Strategy(defaults=_role, validate=_role_errors, name_rule="path"),
    "clusterroles.rbac.authorization.k8s.io": Strategy(defaults=_role, validate=_role_errors, name_rule="path"),
    "rolebindings.rbac.authorization.k8s.io": Strategy(
        defaults=_binding, validate=_binding_errors, validate_update=_binding_update, name_rule="path"
    ),
    "clusterrolebindings.rbac.authorization.k8s.io": Strategy(
        defaults=_binding, validate=_binding_errors, validate_update=_binding_update, name_rule="path"
    ),
    "poddisruptionbudgets.policy": Strategy(
        validate=_budget_errors,
        empty_status={"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
    ),
    "horizontalpodautoscalers.autoscaling": Strategy(
        defaults=_autoscaler, empty_status={"desiredReplicas": 0, "currentMetrics": None}
    ),
    "networkpolicies.networking.k8s.io": Strategy(defaults=_network_policy),
    "ingresses.networking.k8s.io": Strategy(defaults=_ingress, empty_status={"loadBalancer": {}}),
    "persistentvolumeclaims": Strategy(defaults=_claim, empty_status={"phase": "Pending"}),
    "persistentvolumes": Strategy(empty_status={"phase": "Pending"}),
    "resourcequotas": Strategy(empty_status={}),
    "limitranges": Strategy(defaults=_limit_range),
    "priorityclasses.scheduling.k8s.io": Strategy(defaults=_priority_class, validate_update=_priority_class_update),
}
