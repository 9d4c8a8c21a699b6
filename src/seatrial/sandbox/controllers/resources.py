"""The resources that can own others or be owned, and those a namespace holds: what garbage collection looks at.

A cluster tells these by discovery; the sandbox has a known set, to which definitions of custom resources add theirs.
Events are left out of ownership: nobody owns them, and they change all the time.
"""

from collections.abc import Callable, Mapping
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.informer import SharedInformers

DEFINITIONS: Final = "customresourcedefinitions.apiextensions.k8s.io"
_MUTATING: Final = "mutatingwebhookconfigurations.admissionregistration.k8s.io"
_VALIDATING: Final = "validatingwebhookconfigurations.admissionregistration.k8s.io"

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
    ("apps", "ControllerRevision"): "controllerrevisions.apps",
    ("batch", "Job"): "jobs.batch",
    ("batch", "CronJob"): "cronjobs.batch",
    ("discovery.k8s.io", "EndpointSlice"): "endpointslices.discovery.k8s.io",
    ("networking.k8s.io", "Ingress"): "ingresses.networking.k8s.io",
    ("networking.k8s.io", "NetworkPolicy"): "networkpolicies.networking.k8s.io",
    ("policy", "PodDisruptionBudget"): "poddisruptionbudgets.policy",
    ("autoscaling", "HorizontalPodAutoscaler"): "horizontalpodautoscalers.autoscaling",
    ("", "LimitRange"): "limitranges",
    ("", "PodTemplate"): "podtemplates",
    ("", "PersistentVolume"): "persistentvolumes",
    ("storage.k8s.io", "CSIStorageCapacity"): "csistoragecapacities.storage.k8s.io",
    ("storage.k8s.io", "StorageClass"): "storageclasses.storage.k8s.io",
    ("resource.k8s.io", "ResourceClaim"): "resourceclaims.resource.k8s.io",
    ("resource.k8s.io", "ResourceClaimTemplate"): "resourceclaimtemplates.resource.k8s.io",
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _MUTATING,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _VALIDATING,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): DEFINITIONS,
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
        DEFINITIONS,
        _MUTATING,
        _VALIDATING,
        "persistentvolumes",
        "storageclasses.storage.k8s.io",
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


class KnownResources:
    """The resources above, and those that definitions add while the cluster runs.

    A custom resource stays known when its definition goes, since what belonged to its objects has to be found; nobody
    asks for its objects until a definition is there again.

    Args:
        informers: where definitions are heard of.
        added: called with each custom resource when it is first heard of.
    """

    def __init__(self, informers: SharedInformers, added: Callable[[str], None]) -> None:
        self._added = added
        self._custom: dict[tuple[str, str], str] = {}
        self._cluster_wide = set(CLUSTER_WIDE)
        self._informers = informers
        informers.of(DEFINITIONS).add_handler(self._definition_changed)

    def _definition_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            if old is not None and old["metadata"]["name"] in self._custom.values():
                self._informers.of(old["metadata"]["name"]).rest()
            return
        conditions = (new.get("status") or {}).get("conditions") or ()
        if not any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
            return
        spec, name = new["spec"], new["metadata"]["name"]
        self._informers.of(name).resume()
        kind = (spec["group"], spec["names"]["kind"])
        if self._custom.get(kind) == name:
            return
        self._custom[kind] = name
        if spec["scope"] == "Cluster":
            self._cluster_wide.add(name)
        self._added(name)

    def resource_of(self, reference: Object) -> str | None:
        """The resource an ownerReference names; None where its kind isn't known."""
        kind = (group_of(reference["apiVersion"]), reference["kind"])
        return OWNABLE.get(kind) or self._custom.get(kind)

    def is_cluster_wide(self, resource: str) -> bool:
        """Whether the resource's objects are in no namespace."""
        return resource in self._cluster_wide

    def namespaced(self) -> list[str]:
        """What a namespace holds, in the order in which it is emptied."""
        return [*NAMESPACED, *(name for name in self._custom.values() if name not in self._cluster_wide)]


def group_of(api_version: str) -> str:
    """The group of an `apiVersion`, "" for the core group."""
    group, slash, _ = api_version.partition("/")
    return group if slash else ""
