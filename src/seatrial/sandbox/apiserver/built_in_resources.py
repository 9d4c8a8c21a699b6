"""The resources that every API server has: the ones that the sandbox acts upon; `resources_stored` has the others."""

from seatrial.sandbox.apiserver.resources import (
    CONNECT,
    NO_COLLECTION,
    READ_WRITE,
    Registry,
    Resource,
    Subresource,
)
from seatrial.sandbox.apiserver.resources_stored import STORED


def _status(kind: str) -> tuple[Subresource, ...]:
    return (Subresource("status", kind),)


def _scalable(kind: str) -> tuple[Subresource, ...]:
    return (Subresource("scale", "Scale", READ_WRITE, "autoscaling", "v1"), Subresource("status", kind))


def _review(plural: str, kind: str, group: str, *, namespaced: bool = False) -> Resource:
    return Resource(plural, kind, group, singular=kind.lower(), namespaced=namespaced, verbs=("create",))


_POD_SUBRESOURCES = (
    Subresource("attach", "PodAttachOptions", ("create", "get")),
    Subresource("binding", "Binding", ("create",)),
    Subresource("ephemeralcontainers", "Pod"),
    Subresource("eviction", "Eviction", ("create",), "policy", "v1"),
    Subresource("exec", "PodExecOptions", ("create", "get")),
    Subresource("log", "Pod", ("get",)),
    Subresource("portforward", "PodPortForwardOptions", ("create", "get")),
    Subresource("proxy", "PodProxyOptions", CONNECT),
    Subresource("resize", "Pod"),
    Subresource("status", "Pod"),
)

_CORE = (
    Resource("bindings", "Binding", singular="binding", verbs=("create",)),
    Resource(
        "componentstatuses",
        "ComponentStatus",
        singular="componentstatus",
        namespaced=False,
        short_names=("cs",),
        verbs=("get", "list"),
    ),
    Resource("configmaps", "ConfigMap", singular="configmap", short_names=("cm",)),
    Resource("endpoints", "Endpoints", singular="endpoints", short_names=("ep",)),
    Resource("events", "Event", singular="event", short_names=("ev",)),
    Resource("limitranges", "LimitRange", singular="limitrange", short_names=("limits",)),
    Resource(
        "namespaces",
        "Namespace",
        singular="namespace",
        namespaced=False,
        short_names=("ns",),
        verbs=NO_COLLECTION,
        subresources=(Subresource("finalize", "Namespace", ("update",)), Subresource("status", "Namespace")),
    ),
    Resource(
        "nodes",
        "Node",
        singular="node",
        namespaced=False,
        short_names=("no",),
        subresources=(Subresource("proxy", "NodeProxyOptions", CONNECT), Subresource("status", "Node")),
    ),
    Resource(
        "persistentvolumeclaims",
        "PersistentVolumeClaim",
        singular="persistentvolumeclaim",
        short_names=("pvc",),
        subresources=_status("PersistentVolumeClaim"),
        returns_deleted=True,
    ),
    Resource(
        "persistentvolumes",
        "PersistentVolume",
        singular="persistentvolume",
        namespaced=False,
        short_names=("pv",),
        subresources=_status("PersistentVolume"),
        returns_deleted=True,
    ),
    Resource(
        "pods",
        "Pod",
        singular="pod",
        short_names=("po",),
        categories=("all",),
        subresources=_POD_SUBRESOURCES,
        has_generation=True,
        returns_deleted=True,
    ),
    Resource("podtemplates", "PodTemplate", singular="podtemplate", has_generation=True, returns_deleted=True),
    Resource(
        "replicationcontrollers",
        "ReplicationController",
        singular="replicationcontroller",
        short_names=("rc",),
        categories=("all",),
        subresources=_scalable("ReplicationController"),
        has_generation=True,
    ),
    Resource(
        "resourcequotas",
        "ResourceQuota",
        singular="resourcequota",
        short_names=("quota",),
        subresources=_status("ResourceQuota"),
        returns_deleted=True,
    ),
    Resource("secrets", "Secret", singular="secret"),
    Resource(
        "serviceaccounts",
        "ServiceAccount",
        singular="serviceaccount",
        short_names=("sa",),
        subresources=(Subresource("token", "TokenRequest", ("create",), "authentication.k8s.io", "v1"),),
        returns_deleted=True,
    ),
    Resource(
        "services",
        "Service",
        singular="service",
        short_names=("svc",),
        categories=("all",),
        subresources=(Subresource("proxy", "ServiceProxyOptions", CONNECT), Subresource("status", "Service")),
        returns_deleted=True,
    ),
)

_APPS = (
    Resource("controllerrevisions", "ControllerRevision", "apps", singular="controllerrevision"),
    Resource(
        "daemonsets",
        "DaemonSet",
        "apps",
        singular="daemonset",
        short_names=("ds",),
        categories=("all",),
        subresources=_status("DaemonSet"),
        has_generation=True,
    ),
    *(
        Resource(
            plural,
            kind,
            "apps",
            singular=kind.lower(),
            short_names=(short,),
            categories=("all",),
            subresources=_scalable(kind),
            has_generation=True,
        )
        for plural, kind, short in (
            ("deployments", "Deployment", "deploy"),
            ("replicasets", "ReplicaSet", "rs"),
            ("statefulsets", "StatefulSet", "sts"),
        )
    ),
)

_REVIEWS = (
    _review("selfsubjectreviews", "SelfSubjectReview", "authentication.k8s.io"),
    _review("tokenreviews", "TokenReview", "authentication.k8s.io"),
    _review("localsubjectaccessreviews", "LocalSubjectAccessReview", "authorization.k8s.io", namespaced=True),
    _review("selfsubjectaccessreviews", "SelfSubjectAccessReview", "authorization.k8s.io"),
    _review("selfsubjectrulesreviews", "SelfSubjectRulesReview", "authorization.k8s.io"),
    _review("subjectaccessreviews", "SubjectAccessReview", "authorization.k8s.io"),
)

_SCALING_AND_BATCH = (
    *(
        Resource(
            "horizontalpodautoscalers",
            "HorizontalPodAutoscaler",
            "autoscaling",
            version,
            singular="horizontalpodautoscaler",
            short_names=("hpa",),
            categories=("all",),
            subresources=_status("HorizontalPodAutoscaler"),
        )
        for version in ("v2", "v1")
    ),
    *(
        Resource(
            plural,
            kind,
            "batch",
            singular=kind.lower(),
            short_names=short_names,
            categories=("all",),
            subresources=_status(kind),
            has_generation=True,
        )
        for plural, kind, short_names in (("cronjobs", "CronJob", ("cj",)), ("jobs", "Job", ()))
    ),
)

_RBAC = tuple(
    Resource(f"{kind.lower()}s", kind, "rbac.authorization.k8s.io", singular=kind.lower(), namespaced=namespaced)
    for kind, namespaced in (
        ("ClusterRoleBinding", False),
        ("ClusterRole", False),
        ("RoleBinding", True),
        ("Role", True),
    )
)

_OTHERS = (
    Resource(
        "ingressclasses",
        "IngressClass",
        "networking.k8s.io",
        singular="ingressclass",
        namespaced=False,
        has_generation=True,
    ),
    Resource(
        "ingresses",
        "Ingress",
        "networking.k8s.io",
        singular="ingress",
        short_names=("ing",),
        subresources=_status("Ingress"),
        has_generation=True,
    ),
    Resource(
        "networkpolicies",
        "NetworkPolicy",
        "networking.k8s.io",
        singular="networkpolicy",
        short_names=("netpol",),
        has_generation=True,
    ),
    Resource(
        "poddisruptionbudgets",
        "PodDisruptionBudget",
        "policy",
        singular="poddisruptionbudget",
        short_names=("pdb",),
        subresources=_status("PodDisruptionBudget"),
        has_generation=True,
    ),
)

_CLUSTER = (
    Resource("csinodes", "CSINode", "storage.k8s.io", singular="csinode", namespaced=False),
    Resource(
        "storageclasses",
        "StorageClass",
        "storage.k8s.io",
        singular="storageclass",
        namespaced=False,
        short_names=("sc",),
    ),
    Resource(
        "customresourcedefinitions",
        "CustomResourceDefinition",
        "apiextensions.k8s.io",
        singular="customresourcedefinition",
        namespaced=False,
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        subresources=_status("CustomResourceDefinition"),
        has_generation=True,
    ),
    Resource(
        "priorityclasses",
        "PriorityClass",
        "scheduling.k8s.io",
        singular="priorityclass",
        namespaced=False,
        short_names=("pc",),
        has_generation=True,
    ),
    Resource("leases", "Lease", "coordination.k8s.io", singular="lease"),
    Resource("runtimeclasses", "RuntimeClass", "node.k8s.io", singular="runtimeclass", namespaced=False),
    Resource("endpointslices", "EndpointSlice", "discovery.k8s.io", singular="endpointslice", has_generation=True),
)

_EVENTS = Resource("events", "Event", "events.k8s.io", singular="event", short_names=("ev",), stored_as="events")


# Answered by `metrics_api`: nothing is stored.
_METRICS = (
    Resource("nodes", "NodeMetrics", "metrics.k8s.io", "v1beta1", namespaced=False, verbs=("get", "list")),
    Resource("pods", "PodMetrics", "metrics.k8s.io", "v1beta1", verbs=("get", "list")),
)


def built_in() -> Registry:
    """The registry of a server that just started."""
    return Registry(
        (
            *_CORE,
            *_APPS,
            _EVENTS,
            *_REVIEWS,
            *_SCALING_AND_BATCH,
            *_OTHERS,
            *_RBAC,
            *_CLUSTER,
            *STORED,
            *_METRICS,
        )
    )
