"""Which controllers replace a pod that is gone."""

from seatrial.kube.objects import Pod

REPLACING_KINDS = frozenset({"ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController"})
"""Controllers that replace a pod whenever one is missing (a Job does so only while it isn't complete)."""


def is_replaced(pod: Pod) -> bool:
    """Whether the pod's controller replaces it, so that a recovery can be measured."""
    owner = pod.metadata.controller
    return owner is not None and owner.kind in REPLACING_KINDS
