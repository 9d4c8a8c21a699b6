"""The rules of the cluster roles that every cluster has, in a short notation; `bootstrap_roles` makes the objects.

See "Default roles and role bindings" in the Kubernetes documentation. Left out are the roles of the controllers inside
kube-controller-manager (`system:controller:*`): the sandbox's controllers don't come over HTTP.
"""

from seatrial.sandbox.api import Object

GROUP = "rbac.authorization.k8s.io"
_READ = "get list watch"
_WRITE = "create delete deletecollection patch update"
_READ_WRITE = "create delete deletecollection get list patch update watch"


def _rule(verbs: str, group: str, resources: str, *, names: str = "") -> Object:
    """A rule; groups stand separated by `|` (`core` is the empty one), all else by spaces."""
    groups = ["" if name == "core" else name for name in group.split("|")]
    rule: Object = {"verbs": verbs.split(), "apiGroups": groups, "resources": resources.split()}
    return {**rule, "resourceNames": names.split()} if names else rule


def _paths(paths: str) -> Object:
    return {"verbs": ["get"], "nonResourceURLs": paths.split()}


_EVENTS = _rule("create patch update", "core|events.k8s.io", "events")
_REVIEWS = [
    _rule("create", "authentication.k8s.io", "tokenreviews"),
    _rule("create", "authorization.k8s.io", "subjectaccessreviews"),
]

AGGREGATED = ("admin", "edit", "view")
"""Roles whose rules are those of all roles with the label `aggregate-to-NAME`."""

LABELS = {
    "edit": "aggregate-to-admin",
    "view": "aggregate-to-edit",
    "system:aggregate-to-admin": "aggregate-to-admin",
    "system:aggregate-to-edit": "aggregate-to-edit",
    "system:aggregate-to-view": "aggregate-to-view",
}

CLUSTER_ROLES: dict[str, list[Object]] = {
    "cluster-admin": [_rule("*", "*", "*"), {"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "system:aggregate-to-admin": [
        _rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
        _rule(_READ_WRITE, GROUP, "rolebindings roles"),
    ],
    "system:aggregate-to-edit": [
        _rule(_READ, "core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
        _rule("impersonate", "core", "serviceaccounts"),
        _rule(_WRITE, "core", "pods pods/attach pods/exec pods/portforward pods/proxy"),
        _rule("create", "core", "pods/eviction"),
        _rule(
            _WRITE,
            "core",
            "configmaps persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets "
            "serviceaccounts services services/proxy",
        ),
        _rule("create", "core", "serviceaccounts/token"),
        _rule(_WRITE, "core|events.k8s.io", "events"),
        _rule(
            _WRITE,
            "apps",
            "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale "
            "statefulsets statefulsets/scale",
        ),
        _rule(_WRITE, "autoscaling", "horizontalpodautoscalers"),
        _rule(_WRITE, "batch", "cronjobs jobs"),
        _rule(
            _WRITE,
            "extensions",
            "daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets "
            "replicasets/scale replicationcontrollers/scale",
        ),
        _rule(_WRITE, "policy", "poddisruptionbudgets"),
        _rule(_WRITE, "networking.k8s.io", "ingresses networkpolicies"),
        _rule(_READ_WRITE, "coordination.k8s.io", "leases"),
        _rule(_WRITE, "resource.k8s.io", "resourceclaims resourceclaimtemplates"),
    ],
    "system:aggregate-to-view": [
        _rule(
            _READ,
            "core",
            "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers "
            "replicationcontrollers/scale serviceaccounts services services/status",
        ),
        _rule(
            _READ,
            "core",
            "bindings limitranges namespaces/status pods/log pods/status replicationcontrollers/status "
            "resourcequotas resourcequotas/status",
        ),
        _rule(_READ, "core", "namespaces"),
        _rule(_READ, "core|events.k8s.io", "events"),
        _rule(_READ, "discovery.k8s.io", "endpointslices"),
        _rule(
            _READ,
            "apps",
            "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status "
            "replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
        ),
        _rule(_READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
        _rule(_READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
        _rule(
            _READ,
            "extensions",
            "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses "
            "ingresses/status networkpolicies replicasets replicasets/scale replicasets/status "
            "replicationcontrollers/scale",
        ),
        _rule(_READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
        _rule(_READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
        _rule(_READ, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"),
    ],
    "system:auth-delegator": _REVIEWS,
    "system:basic-user": [
        _rule("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
        _rule("create", "authentication.k8s.io", "selfsubjectreviews"),
    ],
    "system:discovery": [
        _paths(
            "/.well-known /.well-known/* /api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz "
            "/version /version/"
        )
    ],
    "system:kube-aggregator": [_rule(_READ, "core", "endpoints services"), *_REVIEWS],
    "system:kube-controller-manager": [
        _EVENTS,
        _rule("create", "coordination.k8s.io", "leases"),
        _rule("get update", "coordination.k8s.io", "leases", names="kube-controller-manager"),
        _rule("create", "core", "secrets serviceaccounts"),
        _rule("delete", "core", "secrets"),
        _rule("get", "core", "configmaps namespaces secrets serviceaccounts"),
        _rule("update", "core", "secrets serviceaccounts"),
        *_REVIEWS,
        _rule("list watch", "*", "*"),
        _rule("create", "core", "serviceaccounts/token"),
    ],
    "system:kube-dns": [_rule("list watch", "core", "endpoints services")],
    "system:kube-scheduler": [
        _EVENTS,
        _rule("create", "coordination.k8s.io", "leases"),
        _rule("get list update watch", "coordination.k8s.io", "leases", names="kube-scheduler"),
        _rule(_READ, "core", "nodes"),
        _rule("delete get list watch", "core", "pods"),
        _rule("create", "core", "bindings pods/binding"),
        _rule("patch update", "core", "pods/status"),
        _rule(_READ, "core", "replicationcontrollers services"),
        _rule(_READ, "apps|extensions", "replicasets"),
        _rule(_READ, "apps", "statefulsets"),
        _rule(_READ, "policy", "poddisruptionbudgets"),
        _rule(_READ, "core", "persistentvolumeclaims persistentvolumes"),
        *_REVIEWS,
        _rule(_READ, "storage.k8s.io", "csinodes csidrivers csistoragecapacities"),
        _rule(_READ, "core", "namespaces"),
    ],
    "system:kubelet-api-admin": [
        _rule(_READ, "core", "nodes"),
        _rule("proxy", "core", "nodes"),
        _rule(
            "*",
            "core",
            "nodes/configz nodes/healthz nodes/log nodes/metrics nodes/pods nodes/proxy nodes/spec nodes/stats",
        ),
    ],
    "system:monitoring": [
        _paths("/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*"),
    ],
    "system:node": [
        *_REVIEWS,
        _rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
        _rule(_READ, "core", "services"),
        _rule("create get list watch", "core", "nodes"),
        _rule("patch update", "core", "nodes/status"),
        _rule("patch update", "core", "nodes"),
        _rule("create patch update", "core|events.k8s.io", "events"),
        _rule(_READ, "core", "pods"),
        _rule("create delete", "core", "pods"),
        _rule("patch update", "core", "pods/status"),
        _rule("create", "core", "pods/eviction"),
        _rule(_READ, "core", "configmaps secrets"),
        _rule("get", "core", "persistentvolumeclaims persistentvolumes"),
        _rule("get", "core", "endpoints"),
        _rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
        _rule("create delete get patch update", "coordination.k8s.io", "leases"),
        _rule("get", "storage.k8s.io", "volumeattachments"),
        _rule("create", "core", "serviceaccounts/token"),
        _rule("get patch update", "core", "persistentvolumeclaims/status"),
        _rule(_READ, "storage.k8s.io", "csidrivers"),
        _rule("create delete get patch update", "storage.k8s.io", "csinodes"),
        _rule(_READ, "node.k8s.io", "runtimeclasses"),
    ],
    "system:node-problem-detector": [
        _rule("get", "core", "nodes"),
        _rule("patch", "core", "nodes/status"),
        _EVENTS,
    ],
    "system:node-proxier": [
        _rule("list watch", "core", "endpoints services"),
        _rule(_READ, "core", "nodes"),
        _EVENTS,
        _rule("list watch", "discovery.k8s.io", "endpointslices"),
    ],
    "system:persistent-volume-provisioner": [
        _rule("create delete get list watch", "core", "persistentvolumes"),
        _rule("get list update watch", "core", "persistentvolumeclaims"),
        _rule(_READ, "storage.k8s.io", "storageclasses"),
        _rule("watch", "core", "events"),
        _EVENTS,
    ],
    "system:public-info-viewer": [_paths("/healthz /livez /readyz /version /version/")],
    "system:service-account-issuer-discovery": [
        _paths("/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/"),
    ],
    "system:volume-scheduler": [
        _rule("get list patch update watch", "core", "persistentvolumes"),
        _rule(_READ, "storage.k8s.io", "storageclasses"),
        _rule("get list patch update watch", "core", "persistentvolumeclaims"),
    ],
}

CLUSTER_ROLE_BINDINGS: dict[str, tuple[str, ...]] = {
    "cluster-admin": ("Group system:masters",),
    "system:basic-user": ("Group system:authenticated",),
    "system:discovery": ("Group system:authenticated",),
    "system:kube-controller-manager": ("User system:kube-controller-manager",),
    "system:kube-dns": ("ServiceAccount kube-system/kube-dns",),
    "system:kube-scheduler": ("User system:kube-scheduler",),
    "system:monitoring": ("Group system:monitoring",),
    "system:node": (),
    "system:node-proxier": ("User system:kube-proxy",),
    "system:public-info-viewer": ("Group system:authenticated", "Group system:unauthenticated"),
    "system:service-account-issuer-discovery": ("Group system:serviceaccounts",),
    "system:volume-scheduler": ("User system:kube-scheduler",),
}
"""To whom a role of the same name is bound."""

ROLES: dict[tuple[str, str], list[Object]] = {
    ("kube-system", "extension-apiserver-authentication-reader"): [
        _rule(_READ, "core", "configmaps", names="extension-apiserver-authentication"),
    ],
    ("kube-system", "system::leader-locking-kube-controller-manager"): [
        _rule("watch", "core", "configmaps"),
        _rule("get update", "core", "configmaps", names="kube-controller-manager"),
    ],
    ("kube-system", "system::leader-locking-kube-scheduler"): [
        _rule("watch", "core", "configmaps"),
        _rule("get update", "core", "configmaps", names="kube-scheduler"),
    ],
}
"""Roles of a namespace."""

ROLE_BINDINGS: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    ("kube-system", "system::extension-apiserver-authentication-reader"): (
        "extension-apiserver-authentication-reader",
        ("User system:kube-controller-manager", "User system:kube-scheduler"),
    ),
    ("kube-system", "system::leader-locking-kube-controller-manager"): (
        "system::leader-locking-kube-controller-manager",
        ("User system:kube-controller-manager", "ServiceAccount kube-system/kube-controller-manager"),
    ),
    ("kube-system", "system::leader-locking-kube-scheduler"): (
        "system::leader-locking-kube-scheduler",
        ("User system:kube-scheduler", "ServiceAccount kube-system/kube-scheduler"),
    ),
}
"""Bindings in a namespace: the role and to whom."""
