"""Why a pod can't run on a node, in the words of Kubernetes' scheduler (they stand in Events and scripts read them).

One `Evaluator` looks at the cluster for one pod. The first filter that objects decides: cordons, taints, node
affinity, host ports, resources, volumes, topology spread, affinity to pods, in Kubernetes' order. Behaviour:
Kubernetes documentation, "Assigning Pods to Nodes".
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from seatrial.sandbox.controllers.tolerations import untolerated
from seatrial.sandbox.rules.node_selection import terms_match
from seatrial.sandbox.scheduler.cluster_state import Nodes
from seatrial.sandbox.scheduler.node_info import NodeInfo
from seatrial.sandbox.scheduler.pod_affinity import AffinityCounts
from seatrial.sandbox.scheduler.pod_info import PodInfo
from seatrial.sandbox.scheduler.resource_request import PODS, collide
from seatrial.sandbox.scheduler.topology_spread import SpreadCounts
from seatrial.sandbox.scheduler.volumes import VolumeNeeds

_UNSCHEDULABLE_TAINT: Final = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


class Objection(NamedTuple):
    """Why not, and whether the going of pods from the node could change that."""

    reasons: list[str]
    is_curable: bool


class Evaluator:
    """Asks nodes about one pod.

    Args:
        info: the pod.
        nodes: the cluster as it is, or as it would be.
        namespace_labels: of all namespaces, for affinity that selects them.
        needs: what its volumes ask of a node.
    """

    def __init__(
        self,
        info: PodInfo,
        nodes: Nodes,
        namespace_labels: Mapping[str, Mapping[str, str]],
        needs: VolumeNeeds,
    ) -> None:
        self._info = info
        self._needs = needs
        self._spread = SpreadCounts(info, nodes) if info.spread else None
        guarded = any(node.guards for node in nodes.values())
        counts = guarded or info.near or info.apart
        self._affinity = AffinityCounts(info, nodes, namespace_labels) if counts else None

    def objection(self, node: NodeInfo) -> Objection | None:
        """What stands against the node; None if nothing does."""
        against = _fixed(self._info, node)
        if against is not None:
            return against
        if node.ports and self._info.request.host_ports and _ports_taken(self._info, node):
            return Objection(["node(s) didn't have free ports for the requested pod ports"], is_curable=True)
        lacking = node.lacking(self._info.request.amounts)
        if lacking:
            return _shortage(self._info, node, lacking)
        reasons = self._needs.reasons_against(node)
        if reasons:
            return Objection(reasons, is_curable=False)
        if self._spread is not None:
            reason, is_curable = self._spread.reason_against(node)
            if reason:
                return Objection([reason], is_curable)
        if self._affinity is not None:
            reason, is_curable = self._affinity.reason_against(node)
            if reason:
                return Objection([reason], is_curable)
        return None


def _fixed(info: PodInfo, node: NodeInfo) -> Objection | None:
    """What no going of pods could change."""
    if info.named_nodes is not None and node.name not in info.named_nodes:
        return Objection(["node(s) didn't satisfy plugin(s) [NodeAffinity]"], is_curable=False)
    if node.unschedulable and untolerated((_UNSCHEDULABLE_TAINT,), info.tolerations):
        return Objection(["node(s) were unschedulable"], is_curable=False)
    if node.hard_taints and untolerated(node.hard_taints, info.tolerations) is not None:
        return Objection(["node(s) had untolerated taint(s)"], is_curable=False)
    if (info.node_selector or info.node_terms is not None) and not _is_selected(info, node):
        return Objection(["node(s) didn't match Pod's node affinity/selector"], is_curable=False)
    return None


def could_take(info: PodInfo, node: NodeInfo) -> bool:
    """Whether, by what is quickly told, the node is worth another look."""
    return _fixed(info, node) is None and not node.lacking(info.request.amounts)


def _is_selected(info: PodInfo, node: NodeInfo) -> bool:
    """The node is one of those that the pod's selector and required node affinity allow."""
    labels = node.labels
    if any(labels.get(key) != value for key, value in info.node_selector.items()):
        return False
    return info.node_terms is None or terms_match(info.node_terms, node.name, labels)


def _ports_taken(info: PodInfo, node: NodeInfo) -> bool:
    return any(
        collide(wanted, taken)
        for wanted in info.request.host_ports
        for other in node.ports.values()
        for taken in other.request.host_ports
    )


def _shortage(info: PodInfo, node: NodeInfo, lacking: Iterable[str]) -> Objection:
    amounts = info.request.amounts
    reasons = ["Too many pods" if name == PODS else f"Insufficient {name}" for name in lacking]
    # More than the whole node has: nobody's going would help.
    is_curable = all(amounts[name] <= node.allocatable.get(name, 0) for name in lacking)
    return Objection(reasons, is_curable)
