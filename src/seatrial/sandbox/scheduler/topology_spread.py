"""Topology spread constraints: pods of a kind in even numbers over zones, nodes or whatever a label tells apart.

Behaviour: Kubernetes documentation, "Pod Topology Spread Constraints". Pods that set none are spread over nodes and
zones all the same, as the documentation's "Built-in default constraints" have it.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from seatrial.sandbox.controllers.tolerations import untolerated
from seatrial.sandbox.rules.node_selection import terms_match
from seatrial.sandbox.scheduler.cluster_state import Nodes
from seatrial.sandbox.scheduler.node_info import NodeInfo
from seatrial.sandbox.scheduler.pod_info import PodInfo, SpreadConstraint

_MISMATCH: Final = "node(s) didn't match pod topology spread constraints"
_HOSTNAME: Final = "kubernetes.io/hostname"
_ZONE: Final = "topology.kubernetes.io/zone"
# Topology key and the skew that is borne, of pods that set no constraints.
_DEFAULTS: Final = ((_HOSTNAME, 3), (_ZONE, 5))


class SpreadCounts:
    """How many pods each constraint that must hold finds in each domain.

    Args:
        info: the pod to place.
        nodes: where pods are.
    """

    def __init__(self, info: PodInfo, nodes: Nodes) -> None:
        self._info = info
        keys = [constraint.topology_key for constraint in info.spread]
        whole = [node for node in nodes.values() if node.node is not None and all(key in node.labels for key in keys)]
        self._counts = [_domains(constraint, info, whole) for constraint in info.spread]
        self._least = [
            min(counts.values(), default=0) if len(counts) >= constraint.min_domains else 0
            for constraint, counts in zip(info.spread, self._counts, strict=True)
        ]

    def reason_against(self, node: NodeInfo) -> tuple[str, bool]:
        """What a constraint says against the node ("" for nothing), and whether the going of pods could change it."""
        for constraint, counts, least in zip(self._info.spread, self._counts, self._least, strict=True):
            value = node.labels.get(constraint.topology_key)
            if value is None:
                return f"{_MISMATCH} (missing required label)", False
            itself = constraint.selector.matches(self._info.kind.labels)
            if counts.get(value, 0) + itself - least > constraint.max_skew:
                return _MISMATCH, True
        return "", True


def _domains(constraint: SpreadConstraint, info: PodInfo, nodes: Sequence[NodeInfo]) -> dict[str, int]:
    """Domain -> pods that the constraint selects there, for the domains that count."""
    counts: dict[str, int] = {}
    for node in nodes:
        if _counts(constraint, info, node):
            value = node.labels[constraint.topology_key]
            counts[value] = counts.get(value, 0) + _selected(constraint, info, node)
    return counts


def _counts(constraint: SpreadConstraint, info: PodInfo, node: NodeInfo) -> bool:
    if constraint.honors_taints and untolerated(node.hard_taints, info.tolerations) is not None:
        return False
    if not constraint.honors_affinity:
        return True
    if any(node.labels.get(key) != value for key, value in info.node_selector.items()):
        return False
    return info.node_terms is None or terms_match(info.node_terms, node.name, node.labels)


def _selected(constraint: SpreadConstraint, info: PodInfo, node: NodeInfo) -> int:
    return sum(
        number
        for kind, number in node.staying.items()
        if kind.namespace == info.kind.namespace and constraint.selector.matches(kind.labels)
    )


def spread_scores(
    info: PodInfo, candidates: Sequence[NodeInfo], nodes: Nodes, family: Mapping[str, int]
) -> dict[str, float]:
    """Node -> 0 to 100, higher where fewer pods of the kind are; empty if the pod has no kind.

    Args:
        info: the pod to place.
        candidates: the nodes to compare.
        nodes: all nodes, whose pods count.
        family: node -> pods of the same owner, which count for pods without constraints of their own.
    """
    if info.prefers_spread:
        return _by_constraints(info, candidates, nodes)
    if info.spread or not info.family:
        return {}
    return _by_family(candidates, nodes, family)


def _by_constraints(info: PodInfo, candidates: Sequence[NodeInfo], nodes: Nodes) -> dict[str, float]:
    keys = [constraint.topology_key for constraint in info.prefers_spread]
    able = [node for node in candidates if all(key in node.labels for key in keys)]
    sums: dict[str, float] = {node.name: 0.0 for node in able}
    whole = [node for node in nodes.values() if node.node is not None and all(key in node.labels for key in keys)]
    for constraint in info.prefers_spread:
        counts = _domains(constraint, info, whole)
        weight = math.log(len({node.labels[constraint.topology_key] for node in able}) + 2)
        for node in able:
            count = counts.get(node.labels[constraint.topology_key], 0)
            sums[node.name] += count * weight + constraint.max_skew - 1
    return {node.name: 0.0 for node in candidates} | _reversed(sums)


def _by_family(candidates: Sequence[NodeInfo], nodes: Nodes, family: Mapping[str, int]) -> dict[str, float]:
    in_zone: Counter[str] = Counter()
    for name, count in family.items():
        node = nodes.get(name)
        if node is not None and _ZONE in node.labels:
            in_zone[node.labels[_ZONE]] += count
    zones = len({node.labels[_ZONE] for node in candidates if _ZONE in node.labels})
    (_, node_skew), (_, zone_skew) = _DEFAULTS
    node_weight, zone_weight = math.log(len(candidates) + 2), math.log(zones + 2)
    sums: dict[str, float] = {}
    for node in candidates:
        total = family.get(node.name, 0) * node_weight + node_skew - 1
        if _ZONE in node.labels:
            total += in_zone[node.labels[_ZONE]] * zone_weight + zone_skew - 1
        sums[node.name] = total
    return _reversed(sums)


def _reversed(sums: Mapping[str, float]) -> dict[str, float]:
    """The fewest become the best."""
    if not sums:
        return {}
    rounded = {name: round(value) for name, value in sums.items()}
    least, most = min(rounded.values()), max(rounded.values())
    if not most:
        return dict.fromkeys(rounded, 100.0)
    return {name: 100.0 * (most + least - value) / most for name, value in rounded.items()}
