"""The pod through which commands get to a node: what it looks like, and what its status says of why it doesn't start.

It is privileged and sees the processes of the node, so that `nsenter` can enter the namespaces of process 1. It is
bound to its node (no scheduler), tolerates every taint, needs no network plugin (`hostNetwork`) and no token, and ends
by itself after two hours, whatever becomes of us. Sources: Kubernetes documentation, "Pod Lifecycle",
"Assigning Pods to Nodes" (nodeName), "Taints and Tolerations", "Pod Security Standards".
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Self

import msgspec

from seatrial.kube.objects import Pod

EXECUTOR_NAME = "node-shell"
CONTAINER = "shell"
LIFETIME_SECONDS = 2 * 60 * 60
OWN_LABELS = {"app.kubernetes.io/managed-by": "seatrial", "app.kubernetes.io/component": "node-shell"}

Object = dict[str, Any]

# Waiting for these to pass takes longer than finding out what is wrong.
_HOPELESS = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RegistryUnavailable",
        "RunContainerError",
        "SignatureValidationFailed",
    }
)


class ShellSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a user can say about these pods."""

    namespace: str = "kube-system"
    image: str = "busybox:1.36"
    pull_secret: str = ""
    service_account: str = ""

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Self:
        """What stands in environment variables, or in the flags of the same names."""
        given = {field: settings.get(f"NODE_SHELL_{field.upper()}", "") for field in cls.__struct_fields__}
        return cls(**{field: value for field, value in given.items() if value})


def pod_name(node: str, run_id: str) -> str:
    """The same for every process that cleans up after a run; short, since it becomes a label's value in places."""
    return f"seatrial-shell-{run_id}-{hashlib.sha256(node.encode()).hexdigest()[:8]}"


def shell_pod(
    node: str, settings: ShellSettings, *, name: str = "seatrial-shell", labels: Mapping[str, str] | None = None
) -> Object:
    """The manifest for a node; without a node, what is good for asking whether such a pod may be made."""
    container = {
        "name": CONTAINER,
        "image": settings.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", str(LIFETIME_SECONDS)],
        "securityContext": {"privileged": True, "runAsUser": 0},
        "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}},
    }
    spec = {
        "nodeName": node,
        "hostPID": True,
        "hostNetwork": True,
        "restartPolicy": "Never",
        "activeDeadlineSeconds": LIFETIME_SECONDS,
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "serviceAccountName": settings.service_account,
        "imagePullSecrets": [{"name": settings.pull_secret}] if settings.pull_secret else [],
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": settings.namespace,
            "labels": {**OWN_LABELS, **(labels or {})},
        },
        "spec": {key: value for key, value in spec.items() if value not in ("", [])},
    }


def is_shell_pod(labels: Mapping[str, str] | None) -> bool:
    """Whether these are the labels of such a pod, of whatever run."""
    return OWN_LABELS.items() <= (labels or {}).items()


def is_open(pod: Pod) -> bool:
    """Whether commands can be run in it."""
    running = any(each.name == CONTAINER and each.state.running for each in pod.status.container_statuses)
    return pod.status.phase == "Running" and running and not pod.is_terminating


def is_over(pod: Pod) -> bool:
    """Whether no command will ever be run in it again."""
    return pod.is_finished or pod.is_terminating


def why_closed(pod: Pod) -> str:
    """Why it will not start, in the cluster's words; empty while it still may."""
    if is_over(pod):
        ends = [each.state.terminated for each in pod.status.container_statuses if each.state.terminated]
        said = [(pod.status.reason, pod.status.message), *((end.reason, end.message) for end in ends)]
        words = ": ".join(" ".join(part.split()) for pair in said for part in pair if part)
        return words or ("it is being deleted" if pod.is_terminating else "its container ended")
    for each in pod.status.container_statuses:
        waiting = each.state.waiting
        if waiting and waiting.reason in _HOPELESS:
            return f"{waiting.reason}: {waiting.message}" if waiting.message else waiting.reason
    return ""


def progress_of(pod: Pod | None) -> str:
    """How far it has got, for who has waited in vain."""
    if pod is None:
        return "it is not there"
    reasons = [each.state.waiting.reason for each in pod.status.container_statuses if each.state.waiting]
    return ", ".join(filter(None, (pod.status.phase, *reasons))) or "the kubelet has not looked at it"
