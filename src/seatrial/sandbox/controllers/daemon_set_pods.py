"""The pods of a DaemonSet and the nodes they belong on.

Pure functions over JSON. A DaemonSet's pod is bound to its node by an affinity to the node's name, so that the
scheduler places it, and it tolerates what a node's troubles taint it with. Behaviour: Kubernetes documentation,
"DaemonSet".
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.objects import annotations_of, by_age, labels_of, name_of
from seatrial.sandbox.controllers.tolerations import untolerated
from seatrial.sandbox.rules.node_selection import named_nodes, terms_match

HASH: Final = "controller-revision-hash"
GENERATION: Final = "pod-template-generation"
_GENERATION_ANNOTATION: Final = "deprecated.daemonset.template.generation"
_TOLERATED: Final = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_NETWORK: Final = ("node.kubernetes.io/network-unavailable", "NoSchedule")
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"


def tolerations_of(daemon_set: Object) -> list[Object]:
    """The template's tolerations and those that every DaemonSet's pod has."""
    spec = daemon_set["spec"]["template"]["spec"]
    added = [*_TOLERATED, *([_NETWORK] if spec.get("hostNetwork") else [])]
    tolerations = list(spec.get("tolerations") or ())
    for key, effect in added:
        wanted = {"key": key, "operator": "Exists", "effect": effect}
        same = [each for each in tolerations if (each.get("key"), each.get("effect")) == (key, effect)]
        tolerations = [wanted if each in same[:1] else each for each in tolerations]
        if not same:
            tolerations.append(wanted)
    return tolerations


def new_pod(blank: Object, daemon_set: Object, *, node: str, revision_hash: str) -> Object:
    """The pod for a node.

    Args:
        blank: made of the template, with its owner.
        daemon_set: whose.
        node: its node's name.
        revision_hash: of the template.
    """
    pod = copy.deepcopy(blank)
    labels = {**(pod["metadata"].get("labels") or {}), HASH: revision_hash}
    generation = annotations_of(daemon_set).get(_GENERATION_ANNOTATION)
    if generation:
        labels[GENERATION] = generation
    pod["metadata"]["labels"] = labels
    pod["spec"]["tolerations"] = copy.deepcopy(tolerations_of(daemon_set))
    affinity = pod["spec"].setdefault("affinity", {}).setdefault("nodeAffinity", {})
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    affinity[_REQUIRED] = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return pod


def node_of(pod: Object) -> str | None:
    """The node that the pod runs on or is meant for; None if it says neither."""
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    names = named_nodes((affinity.get(_REQUIRED) or {}).get("nodeSelectorTerms"))
    return next(iter(names)) if names is not None and len(names) == 1 else None


def by_node(pods: Iterable[Object]) -> dict[str, list[Object]]:
    """The pods of each node, the oldest first."""
    found: dict[str, list[Object]] = {}
    for pod in sorted(pods, key=by_age):
        node = node_of(pod)
        if node is not None:
            found.setdefault(node, []).append(pod)
    return found


def belongs_on(daemon_set: Object, node: Object) -> tuple[bool, bool]:
    """Whether a pod should be started on the node, and whether one that is there may stay."""
    spec = daemon_set["spec"]["template"]["spec"]
    if spec.get("nodeName") and spec["nodeName"] != name_of(node):
        return False, False
    if not _is_selected(spec, name_of(node), labels_of(node)):
        return False, False
    taints = node["spec"].get("taints") or ()
    tolerations = tolerations_of(daemon_set)
    strict = [taint for taint in taints if taint["effect"] in {"NoSchedule", "NoExecute"}]
    if untolerated(strict, tolerations) is None:
        return True, True
    return False, untolerated([taint for taint in taints if taint["effect"] == "NoExecute"], tolerations) is None


def _is_selected(spec: Object, node: str, labels: Mapping[str, str]) -> bool:
    if not (spec.get("nodeSelector") or {}).items() <= labels.items():
        return False
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED)
    return required is None or terms_match(required.get("nodeSelectorTerms"), node, labels)


def is_updated(pod: Object, revision_hash: str) -> bool:
    """The pod was made of the present template."""
    return labels_of(pod).get(HASH) == revision_hash


def oldest(pods: Sequence[Object]) -> Object | None:
    """The first of pods that are sorted by age."""
    return pods[0] if pods else None
