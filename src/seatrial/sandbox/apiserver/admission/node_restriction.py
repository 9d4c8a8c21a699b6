"""NodeRestriction: a kubelet changes its own node, its own pods and its own lease, and nothing of other nodes.

Together with the node authorizer this is what keeps a node that was broken into from taking the cluster.
"""

from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.access.node_authorizer import node_of
from seatrial.sandbox.apiserver.admission.attempt import Attempt
from seatrial.sandbox.apiserver.strategies.base import Surroundings

_LEASES: Final = "kube-node-lease"
_RESTRICTED: Final = "node-restriction.kubernetes.io"
_MIRROR: Final = "kubernetes.io/config.mirror"
# Labels of Kubernetes' own domains that a kubelet may give its node.
_OWN_LABELS: Final = frozenset(
    {
        "kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch", "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch", "beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/zone", "topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
    }
)  # fmt: skip
_OWN_LABEL_DOMAINS: Final = ("kubelet.kubernetes.io", "node.kubernetes.io")


def check(attempt: Attempt, around: Surroundings) -> None:
    """403 when a kubelet oversteps; everyone else passes."""
    node = node_of(attempt.call.user)
    if node is None:
        return
    match attempt.resource.key:
        case "nodes":
            _check_node(attempt, node)
        case "pods":
            _check_pod(attempt, node, around)
        case "serviceaccounts" if attempt.subresource == "token":
            _check_token(attempt, node, around)
        case "leases.coordination.k8s.io":
            _check_lease(attempt, node)
        case "csinodes.storage.k8s.io":
            if attempt.name != node:
                raise attempt.refusal("can only access CSINode with the same name as the requesting node")


def _check_node(attempt: Attempt, node: str) -> None:
    if attempt.name != node:
        raise attempt.refusal(f'node "{node}" is not allowed to modify node "{attempt.name}"')
    if attempt.verb == "delete":
        return
    old = attempt.old or {"metadata": {}, "spec": {}}
    if attempt.old is not None:
        before, after = old.get("spec", {}).get("taints"), attempt.new.get("spec", {}).get("taints")
        if (before or []) != (after or []):
            raise attempt.refusal(f'node "{node}" is not allowed to modify taints')
    refused = _refused_labels(attempt.new["metadata"].get("labels") or {}, old["metadata"].get("labels") or {})
    if refused:
        verb = "set the following labels" if attempt.old is None else "modify labels"
        subject = f'node "{node}" ' if attempt.old is None else ""
        raise attempt.refusal(f"{subject}is not allowed to {verb}: {', '.join(refused)}")


def _refused_labels(new: dict[str, str], old: dict[str, str]) -> list[str]:
    changed = sorted(key for key in {*new, *old} if new.get(key) != old.get(key))
    return [key for key in changed if not _may_set(key)]


def _may_set(label: str) -> bool:
    domain = label.partition("/")[0] if "/" in label else ""
    if _is_in(domain, _RESTRICTED):
        return False
    if not _is_in(domain, "kubernetes.io") and not _is_in(domain, "k8s.io"):
        return True
    return label in _OWN_LABELS or any(_is_in(domain, own) for own in _OWN_LABEL_DOMAINS)


def _is_in(domain: str, parent: str) -> bool:
    return domain == parent or domain.endswith(f".{parent}")


def _check_pod(attempt: Attempt, node: str, around: Surroundings) -> None:
    pod = attempt.old or around.lookup("pods", attempt.namespace, attempt.name)
    is_own = pod is not None and pod["spec"].get("nodeName") == node
    match attempt.verb, attempt.subresource:
        case "create", "":
            _check_mirror_pod(attempt, node)
        case "delete", "":
            if not is_own:
                raise attempt.refusal(f'node "{node}" can only delete pods with spec.nodeName set to itself')
        case "update", "status":
            _check_pod_status(attempt, node, is_own=is_own)
        case "create", "eviction":
            if not is_own:
                raise attempt.refusal(f"node {node} can only evict pods with spec.nodeName set to itself")
        case _, subresource:
            shown = f'"{subresource}"' if subresource else '""'
            raise attempt.refusal(f"unexpected pod subresource {shown}, only 'status' and 'eviction' are allowed")


def _check_mirror_pod(attempt: Attempt, node: str) -> None:
    pod = attempt.new
    if _MIRROR not in (pod["metadata"].get("annotations") or {}):
        raise attempt.refusal(f'pod does not have "{_MIRROR}" annotation, node "{node}" can only create mirror pods')
    if pod["spec"].get("nodeName") != node:
        raise attempt.refusal(f'node "{node}" can only create pods with spec.nodeName set to itself')
    if pod["spec"].get("serviceAccountName"):
        raise attempt.refusal(f'node "{node}" can not create pods that reference a service account')


def _check_pod_status(attempt: Attempt, node: str, *, is_own: bool) -> None:
    if not is_own:
        rule = "can only update pod status for pods with spec.nodeName set to itself"
        raise attempt.refusal(f'node "{node}" {rule}')
    before = ((attempt.old or {}).get("metadata") or {}).get("labels") or {}
    if (attempt.new["metadata"].get("labels") or {}) != before:
        raise attempt.refusal(f'node "{node}" cannot update labels through pod status')


def _check_token(attempt: Attempt, node: str, around: Surroundings) -> None:
    bound: Object = (attempt.new.get("spec") or {}).get("boundObjectRef") or {}
    if bound.get("kind") != "Pod" or not bound.get("name"):
        raise attempt.refusal("node requested token not bound to a pod")
    if not bound.get("uid"):
        raise attempt.refusal("node requested token with a pod binding without a uid")
    pod = around.lookup("pods", attempt.namespace, bound["name"])
    if pod is None:
        raise statuses.not_found("", "pods", bound["name"])
    if pod["metadata"]["uid"] != bound["uid"]:
        why = f"the UID in the bound object reference ({bound['uid']}) does not match the UID in record. "
        raise attempt.refusal(f"{why}The object might have been deleted and then recreated")
    if pod["spec"].get("nodeName") != node:
        raise attempt.refusal("node requested token bound to a pod scheduled on a different node")


def _check_lease(attempt: Attempt, node: str) -> None:
    if attempt.namespace != _LEASES:
        raise attempt.refusal(f'can only access leases in the "{_LEASES}" system namespace')
    if attempt.name != node:
        raise attempt.refusal("can only access node lease with the same name as the requesting node")
