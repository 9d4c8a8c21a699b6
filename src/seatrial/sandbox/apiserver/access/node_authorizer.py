"""What a kubelet may do: Kubernetes' node authorizer ("Using Node Authorization" in its documentation).

The rules of the role `system:node`, and of configuration only what pods of that very node refer to: a node that is
broken into gives away its own pods' secrets and no others. What a kubelet may change is NodeRestriction's part.
"""

from collections.abc import Iterator
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.calls import User
from seatrial.sandbox.apiserver.store import Change, Store

_PREFIX: Final = "system:node:"
_GROUP: Final = "system:nodes"
_READ: Final = frozenset({"get", "list", "watch"})
_LEASES: Final = "leases.coordination.k8s.io"
# resource (with its subresource) -> what every kubelet may do with it.
_RULES: Final[dict[str, frozenset[str]]] = {
    "nodes": _READ | {"create", "update", "patch"},
    "nodes/status": frozenset({"get", "update", "patch"}),
    "pods": _READ | {"create", "delete"},
    "pods/status": frozenset({"get", "update", "patch"}),
    "pods/eviction": frozenset({"create"}),
    "services": _READ,
    "events": frozenset({"create", "update", "patch"}),
    "events.events.k8s.io": frozenset({"create", "update", "patch"}),
    "endpoints": frozenset({"get"}),
    "tokenreviews.authentication.k8s.io": frozenset({"create"}),
    "subjectaccessreviews.authorization.k8s.io": frozenset({"create"}),
    "localsubjectaccessreviews.authorization.k8s.io": frozenset({"create"}),
    "certificatesigningrequests.certificates.k8s.io": frozenset({"create", "get", "list", "watch"}),
    "csidrivers.storage.k8s.io": _READ,
    "runtimeclasses.node.k8s.io": _READ,
    "persistentvolumeclaims/status": frozenset({"get", "update", "patch"}),
}
_OF_PODS: Final = frozenset({"secrets", "configmaps", "persistentvolumeclaims", "persistentvolumes"})


def node_of(user: User) -> str | None:
    """The node whose kubelet a user is; None for everyone else."""
    if user.name.startswith(_PREFIX) and _GROUP in user.groups:
        return user.name.removeprefix(_PREFIX)
    return None


class NodeAuthorizer:
    """Decides for kubelets.

    Args:
        store: where pods are; which of them are on which node is kept up to date as they change.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pods: dict[str, dict[tuple[str, str], Object]] = {}
        store.listen("pods", self._pod_changed)

    def refusal(
        self, node: str, *, verb: str, resource: str, subresource: str, namespace: str, name: str
    ) -> str | None:
        """None if the node's kubelet may, else why not; `resource` is written with its group, as in RBAC."""
        full = f"{resource}/{subresource}" if subresource else resource
        if full in _OF_PODS:
            return self._refusal_of_configuration(node, verb, resource, namespace, name)
        if full == "serviceaccounts/token":
            return None if verb == "create" and self._runs_as(node, namespace, name) else _no_relation(node)
        if full == _LEASES:
            allowed = verb in {"get", "create", "update", "patch", "delete"} and namespace == "kube-node-lease"
            own = name in ("", node) if verb == "create" else name == node
            return None if allowed and own else "can only access node lease with the same name as the requesting node"
        if full == "csinodes.storage.k8s.io":
            return None if name in ("", node) else "can only access CSINode with the same name as the requesting node"
        return None if verb in _RULES.get(full, ()) else ""

    def _refusal_of_configuration(self, node: str, verb: str, resource: str, namespace: str, name: str) -> str | None:
        if verb not in _READ:
            return "can only read resources of this type"
        if not name:
            return "No Object name found"
        return None if self._refers_to(node, resource, namespace, name) else _no_relation(node)

    def _refers_to(self, node: str, resource: str, namespace: str, name: str) -> bool:
        if resource == "persistentvolumes":
            claims = (
                self._store.get("persistentvolumeclaims", pod["metadata"]["namespace"], claim)
                for pod in self._pods.get(node, {}).values()
                for kind, claim in references_of(pod)
                if kind == "persistentvolumeclaims"
            )
            return any(found is not None and found.object["spec"].get("volumeName") == name for found in claims)
        return any(
            (resource, name) == reference
            for (where, _), pod in self._pods.get(node, {}).items()
            if where == namespace
            for reference in references_of(pod)
        )

    def _runs_as(self, node: str, namespace: str, account: str) -> bool:
        return any(
            where == namespace and pod["spec"].get("serviceAccountName") == account
            for (where, _), pod in self._pods.get(node, {}).items()
        )

    def _pod_changed(self, change: Change) -> None:
        record = change.record
        node = record.object["spec"].get("nodeName")
        if not node:
            return
        key = (record.namespace, record.name)
        if change.type == "DELETED":
            self._pods.get(node, {}).pop(key, None)
        else:
            self._pods.setdefault(node, {})[key] = record.object


def _no_relation(node: str) -> str:
    return f"no relationship found between node '{node}' and this object"


def references_of(pod: Object) -> Iterator[tuple[str, str]]:
    """The configuration and claims that a pod refers to, as (resource, name)."""
    spec = pod["spec"]
    yield from (("secrets", secret["name"]) for secret in spec.get("imagePullSecrets") or () if secret.get("name"))
    for volume in spec.get("volumes") or ():
        yield from _of_volume(pod, volume)
    for key in ("containers", "initContainers", "ephemeralContainers"):
        for container in spec.get(key) or ():
            yield from _of_environment(container)


def _of_volume(pod: Object, volume: Object) -> Iterator[tuple[str, str]]:
    if "secret" in volume:
        yield "secrets", volume["secret"].get("secretName", "")
    elif "configMap" in volume:
        yield "configmaps", volume["configMap"].get("name", "")
    elif "persistentVolumeClaim" in volume:
        yield "persistentvolumeclaims", volume["persistentVolumeClaim"].get("claimName", "")
    elif "ephemeral" in volume:
        yield "persistentvolumeclaims", f"{pod['metadata']['name']}-{volume['name']}"
    for source in (volume.get("projected") or {}).get("sources") or ():
        if "secret" in source:
            yield "secrets", source["secret"].get("name", "")
        if "configMap" in source:
            yield "configmaps", source["configMap"].get("name", "")


def _of_environment(container: Object) -> Iterator[tuple[str, str]]:
    for source in container.get("envFrom") or ():
        if "secretRef" in source:
            yield "secrets", source["secretRef"].get("name", "")
        if "configMapRef" in source:
            yield "configmaps", source["configMapRef"].get("name", "")
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        if "secretKeyRef" in source:
            yield "secrets", source["secretKeyRef"].get("name", "")
        if "configMapKeyRef" in source:
            yield "configmaps", source["configMapKeyRef"].get("name", "")
