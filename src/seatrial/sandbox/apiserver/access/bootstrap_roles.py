"""Makes the roles and bindings that every cluster has, from `bootstrap_policy`."""

from collections.abc import Iterable

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.access.bootstrap_policy import (
    AGGREGATED,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    GROUP,
    LABELS,
    ROLE_BINDINGS,
    ROLES,
)
from seatrial.sandbox.apiserver.calls import Call
from seatrial.sandbox.apiserver.operations import Operations
from seatrial.sandbox.apiserver.patching.apply import Applied
from seatrial.sandbox.rules.role_aggregation import aggregated_rules

_AGGREGATOR = "clusterrole-aggregation-controller"
_API_VERSION = f"{GROUP}/v1"


def furnish_roles(operations: Operations) -> None:
    """Make the roles and bindings."""
    for name in AGGREGATED:
        selectors = [{"matchLabels": {f"{GROUP}/aggregate-to-{name}": "true"}}]
        _create(operations, "clusterroles", None, name, {"aggregationRule": {"clusterRoleSelectors": selectors}})
    for name, rules in CLUSTER_ROLES.items():
        _create(operations, "clusterroles", None, name, {"rules": rules})
    # Each takes in the one after it.
    for name in reversed(AGGREGATED):
        _aggregate(operations, name)
    for name, subjects in CLUSTER_ROLE_BINDINGS.items():
        _create(operations, "clusterrolebindings", None, name, _binding("ClusterRole", name, subjects))
    for (namespace, name), rules in ROLES.items():
        _create(operations, "roles", namespace, name, {"rules": rules})
    for (namespace, name), (role, subjects) in ROLE_BINDINGS.items():
        _create(operations, "rolebindings", namespace, name, _binding("Role", role, subjects))


def _create(operations: Operations, plural: str, namespace: str | None, name: str, body: Object) -> None:
    labels = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    if plural == "clusterroles" and name in LABELS:
        labels[f"{GROUP}/{LABELS[name]}"] = "true"
    annotations = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
    resource = operations.registry.of(f"{plural}.{GROUP}")
    metadata = {"name": name, "labels": labels, "annotations": annotations}
    operations.create(resource, namespace, {"metadata": metadata, **body}, Call(manager="kube-apiserver"))


def _binding(kind: str, role: str, subjects: Iterable[str]) -> Object:
    found = [_subject(text) for text in subjects]
    body: Object = {"roleRef": {"apiGroup": GROUP, "kind": kind, "name": role}}
    return {**body, "subjects": found} if found else body


def _subject(text: str) -> Object:
    """`Group system:masters`, `ServiceAccount kube-system/kube-dns`."""
    kind, _, name = text.partition(" ")
    if kind != "ServiceAccount":
        return {"apiGroup": GROUP, "kind": kind, "name": name}
    namespace, _, account = name.partition("/")
    return {"kind": kind, "name": account, "namespace": namespace}


def _aggregate(operations: Operations, name: str) -> None:
    """Give a role the rules of those it takes in, as the controller that keeps it so does."""
    resource = operations.registry.of(f"clusterroles.{GROUP}")
    role = operations.record(resource, None, name).object
    rules = aggregated_rules(role, operations.objects(resource.table))
    config = {"kind": resource.kind, "apiVersion": _API_VERSION, "metadata": {"name": name}, "rules": rules}
    applied = Applied(config, manager=_AGGREGATOR, subresource="", force=True)
    operations.update(resource, None, name, applied.merge, Call(manager=_AGGREGATOR), track=applied.track)
