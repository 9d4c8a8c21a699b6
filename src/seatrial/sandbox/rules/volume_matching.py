"""Which persistent volume suits a claim: what the volume controller and the scheduler both have to know.

Behaviour: Kubernetes documentation, "Persistent Volumes": the smallest volume that is large enough, of the same class
and mode, with all the access modes asked for, matched by the claim's selector, and not spoken for.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from seatrial.kube.selectors import LabelSelector
from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.objects import annotations_of, labels_of, name_of, namespace_of, uid_of
from seatrial.sandbox.rules.node_selection import terms_match
from seatrial.sandbox.rules.pod_resources import amounts_of
from seatrial.sandbox.rules.storage_classes import class_of

SELECTED_NODE: Final = "volume.kubernetes.io/selected-node"
BIND_COMPLETED: Final = "pv.kubernetes.io/bind-completed"


def is_bound(claim: Object) -> bool:
    """The claim has its volume and knows it."""
    return bool(claim["spec"].get("volumeName")) and BIND_COMPLETED in annotations_of(claim)


def belongs_to(volume: Object, claim: Object) -> bool:
    """The volume is this claim's, or was set aside for one of its name."""
    reference = volume["spec"].get("claimRef") or {}
    if (reference.get("namespace"), reference.get("name")) != (namespace_of(claim), name_of(claim)):
        return False
    return not reference.get("uid") or bool(reference["uid"] == uid_of(claim))


def best_volume(claim: Object, volumes: Iterable[Object], *, node: Object | None = None) -> Object | None:
    """The volume to bind: one set aside for the claim, else the smallest that suits; reached from `node`, if given."""
    fitting = [volume for volume in volumes if _suits(volume, claim) and (node is None or reaches(volume, node))]
    reserved = [volume for volume in fitting if volume["spec"].get("claimRef")]
    return min(reserved or fitting, key=lambda volume: (_capacity(volume), name_of(volume)), default=None)


def _suits(volume: Object, claim: Object) -> bool:
    if "deletionTimestamp" in volume["metadata"]:
        return False
    if volume["spec"].get("claimRef"):
        return belongs_to(volume, claim) and _is_large_enough(volume, claim)
    wanted, has = set(claim["spec"].get("accessModes") or ()), set(volume["spec"].get("accessModes") or ())
    if class_of(volume) != class_of(claim) or not wanted <= has or not _is_large_enough(volume, claim):
        return False
    mode = claim["spec"].get("volumeMode") or "Filesystem"
    if (volume["spec"].get("volumeMode") or "Filesystem") != mode:
        return False
    if (volume.get("status") or {}).get("phase") not in (None, "", "Available", "Pending"):
        return False
    selector = claim["spec"].get("selector")
    return selector is None or LabelSelector.from_dict(selector).matches(labels_of(volume))


def _is_large_enough(volume: Object, claim: Object) -> bool:
    wanted = amounts_of((claim["spec"].get("resources") or {}).get("requests")).get("storage")
    return wanted is None or _capacity(volume) >= wanted.value


def _capacity(volume: Object) -> Decimal:
    amount = amounts_of(volume["spec"].get("capacity")).get("storage")
    return amount.value if amount is not None else Decimal(0)


def reaches(volume: Object, node: Object) -> bool:
    """Pods on the node can use the volume."""
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    return required is None or terms_match(required.get("nodeSelectorTerms"), name_of(node), labels_of(node))


def reach_of(key: str, labels: Mapping[str, str]) -> Object | None:
    """The node affinity of a volume made for a node with these labels; None if all nodes reach it."""
    if not key or key not in labels:
        return None
    expression = {"key": key, "operator": "In", "values": [labels[key]]}
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}
