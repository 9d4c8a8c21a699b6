"""In which order groups are listed by discovery, and so which of two resources of one name kubectl means.

Kubernetes sorts by the `groupPriorityMinimum` of APIServices, then by name. The figures are those of its aggregator; a
group of custom resources has 1000.
"""

_PRIORITIES = {
    "": 18000,
    "apiregistration.k8s.io": 20000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "admissionregistration.k8s.io": 16700,
    "apiextensions.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "resource.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
    "metrics.k8s.io": 100,
}
_CUSTOM = 1000


def priority_of(group: str) -> int:
    """The group's priority; the highest comes first."""
    return _PRIORITIES.get(group, _CUSTOM)


def is_known(group: str) -> bool:
    """Whether the sandbox serves the group without any definition."""
    return group in _PRIORITIES
