"""The resources that can own others or be owned, and those a namespace holds: what garbage collection looks at.

A cluster tells these by discovery; the sandbox serves a known set. Events are left out of ownership: nobody owns them,
and they change all the time.
"""

from collections.abc import Mapping
from typing import Final

# (API group, kind) -> resource. Everything here may stand in an ownerReference or have one.
OWNABLE: Final[Mapping[tuple[str, str], str]] = {
    ("", "Pod"): "pods",
    ("", "Service"): "services",
    ("", "Endpoints"): "endpoints",
    ("", "ConfigMap"): "configmaps",
    ("", "Secret"): "secrets",
    ("", "ServiceAccount"): "serviceaccounts",
    ("", "ReplicationController"): "replicationcontrollers",
    ("", "PersistentVolumeClaim"): "persistentvolumeclaims",
    ("", "Node"): "nodes",
    ("", "Namespace"): "namespaces",
    ("apps", "Deployment"): "deployments.apps",
    ("apps", "ReplicaSet"): "replicasets.apps",
    ("apps", "StatefulSet"): "statefulsets.apps",
    ("apps", "DaemonSet"): "daemonsets.apps",
    ("batch", "Job"): "jobs.batch",
    ("batch", "CronJob"): "cronjobs.batch",
    ("discovery.k8s.io", "EndpointSlice"): "endpointslices.discovery.k8s.io",
    ("networking.k8s.io", "Ingress"): "ingresses.networking.k8s.io",
    ("networking.k8s.io", "NetworkPolicy"): "networkpolicies.networking.k8s.io",
    ("policy", "PodDisruptionBudget"): "poddisruptionbudgets.policy",
    ("autoscaling", "HorizontalPodAutoscaler"): "horizontalpodautoscalers.autoscaling",
    ("", "LimitRange"): "limitranges",
    ("", "ResourceQuota"): "resourcequotas",
    ("coordination.k8s.io", "Lease"): "leases.coordination.k8s.io",
    ("rbac.authorization.k8s.io", "Role"): "roles.rbac.authorization.k8s.io",
    ("rbac.authorization.k8s.io", "RoleBinding"): "rolebindings.rbac.authorization.k8s.io",
    ("rbac.authorization.k8s.io", "ClusterRole"): "clusterroles.rbac.authorization.k8s.io",
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): "clusterrolebindings.rbac.authorization.k8s.io",
    ("scheduling.k8s.io", "PriorityClass"): "priorityclasses.scheduling.k8s.io",
}

CLUSTER_WIDE: Final = frozenset(
    {
        "clusterrolebindings.rbac.authorization.k8s.io",
        "clusterroles.rbac.authorization.k8s.io",
        "namespaces",
        "nodes",
        "priorityclasses.scheduling.k8s.io",
    }
)

# What a namespace holds, in the order in which it is emptied: pods first, since they take their time.
NAMESPACED: Final = (
    "pods",
    *(resource for resource in OWNABLE.values() if resource not in CLUSTER_WIDE and resource != "pods"),
    "events",
)


def group_of(api_version: str) -> str:
    """The group of an `apiVersion`, "" for the core group."""
    group, slash, _ = api_version.partition("/")
    return group if slash else ""
