"""The roles and bindings that every cluster has, as far as the sandbox's users and parts need them.

See "Default roles and role bindings" in the Kubernetes documentation.
"""

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.calls import Call
from seatrial.sandbox.apiserver.operations import Operations

_GROUP = "rbac.authorization.k8s.io"
_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_CORE_VIEW = [
    "configmaps", "endpoints", "events", "limitranges", "namespaces", "persistentvolumeclaims", "pods", "pods/log",
    "pods/status", "replicationcontrollers", "replicationcontrollers/scale", "resourcequotas", "serviceaccounts",
    "services",
]  # fmt: skip
_CORE_EDIT = [
    "configmaps", "endpoints", "events", "persistentvolumeclaims", "pods", "pods/attach", "pods/eviction", "pods/exec",
    "pods/portforward", "pods/proxy", "replicationcontrollers", "replicationcontrollers/scale", "secrets",
    "serviceaccounts", "serviceaccounts/token", "services", "services/proxy",
]  # fmt: skip
_GROUPS = ["apps", "autoscaling", "batch", "discovery.k8s.io", "networking.k8s.io", "policy"]


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


def _paths(paths: list[str]) -> Object:
    return {"nonResourceURLs": paths, "verbs": ["get"]}


_VIEW = [_rule([""], _CORE_VIEW, _READ), _rule(_GROUPS, ["*"], _READ)]
_EDIT = [
    *_VIEW,
    _rule([""], _CORE_EDIT, [*_READ, *_WRITE]),
    _rule(_GROUPS, ["*"], _WRITE),
    _rule(["coordination.k8s.io"], ["leases"], [*_READ, *_WRITE]),
]
_DISCOVERY = [
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
]
_SELF_REVIEWS = ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]
_NODE = [
    _rule([""], ["nodes", "nodes/status"], ["create", "get", "list", "patch", "update", "watch"]),
    _rule([""], ["pods"], [*_READ, "create", "delete"]),
    _rule([""], ["pods/status"], ["get", "patch", "update"]),
    _rule([""], ["pods/eviction", "serviceaccounts/token"], ["create"]),
    _rule([""], ["configmaps", "secrets", "services", "serviceaccounts", "persistentvolumeclaims", "endpoints"], _READ),
    _rule(["", "events.k8s.io"], ["events"], ["create", "patch", "update"]),
    _rule(["coordination.k8s.io"], ["leases"], ["create", "delete", "get", "patch", "update"]),
    _rule(["authentication.k8s.io"], ["tokenreviews"], ["create"]),
    _rule(["authorization.k8s.io"], ["localsubjectaccessreviews", "subjectaccessreviews"], ["create"]),
    _rule(["node.k8s.io", "storage.k8s.io"], ["runtimeclasses", "csinodes"], _READ),
]

ROLES: dict[str, list[Object]] = {
    "cluster-admin": [_rule(["*"], ["*"], ["*"]), {"nonResourceURLs": ["*"], "verbs": ["*"]}],
    "admin": [
        *_EDIT,
        _rule([_GROUP], ["rolebindings", "roles"], [*_READ, *_WRITE]),
        _rule(["authorization.k8s.io"], ["localsubjectaccessreviews"], ["create"]),
    ],
    "edit": _EDIT,
    "view": _VIEW,
    "system:basic-user": [
        _rule(["authorization.k8s.io"], _SELF_REVIEWS, ["create"]),
        _rule(["authentication.k8s.io"], ["selfsubjectreviews"], ["create"]),
    ],
    "system:discovery": [_paths(_DISCOVERY)],
    "system:public-info-viewer": [_paths(["/healthz", "/livez", "/readyz", "/version", "/version/"])],
    "system:node": _NODE,
    "system:kube-scheduler": [
        _rule([""], ["pods", "nodes", "services", "namespaces"], _READ),
        _rule([""], ["pods/binding", "bindings"], ["create"]),
        _rule([""], ["pods/status"], ["patch", "update"]),
    ],
}
BINDINGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "cluster-admin": ("cluster-admin", ("system:masters",)),
    "system:basic-user": ("system:basic-user", ("system:authenticated",)),
    "system:discovery": ("system:discovery", ("system:authenticated",)),
    "system:public-info-viewer": ("system:public-info-viewer", ("system:authenticated", "system:unauthenticated")),
    "system:node": ("system:node", ("system:nodes",)),
}


def furnish_roles(operations: Operations) -> None:
    """Make the roles and bindings."""
    call = Call(manager="kube-apiserver")
    labels = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    for name, rules in ROLES.items():
        body: Object = {"metadata": {"name": name, "labels": labels}, "rules": rules}
        operations.create(operations.registry.of(f"clusterroles.{_GROUP}"), None, body, call)
    for name, (role, groups) in BINDINGS.items():
        body = {
            "metadata": {"name": name, "labels": labels},
            "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": _GROUP, "kind": "Group", "name": group} for group in groups],
        }
        operations.create(operations.registry.of(f"clusterrolebindings.{_GROUP}"), None, body, call)
