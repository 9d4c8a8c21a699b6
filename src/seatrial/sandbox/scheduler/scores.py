"""Which of the nodes that can take a pod is the best: Kubernetes' default scores, each 0 to 100, with its weights.

Spread over zones and nodes, the pod's preferences for nodes and neighbours, taints that it would rather avoid, room
left, and cpu and memory used in balance. Of equals the one with the fewest pods is taken, then by name: Kubernetes
throws a die, but a sandbox is easier to understand when it does the same thing twice.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from seatrial.sandbox.controllers.tolerations import untolerated
from seatrial.sandbox.rules.node_selection import term_matches
from seatrial.sandbox.scheduler.cluster_state import ClusterState
from seatrial.sandbox.scheduler.node_info import NodeInfo
from seatrial.sandbox.scheduler.pod_affinity import affinity_scores
from seatrial.sandbox.scheduler.pod_info import PodInfo
from seatrial.sandbox.scheduler.topology_spread import spread_scores

_TAINT_WEIGHT: Final = 3
_NODE_AFFINITY_WEIGHT: Final = 2
_SPREAD_WEIGHT: Final = 2
_POD_AFFINITY_WEIGHT: Final = 2


def best_node(info: PodInfo, candidates: Sequence[NodeInfo], state: ClusterState) -> NodeInfo:
    """The candidate with the highest score."""
    if len(candidates) == 1:
        return candidates[0]
    totals = {node.name: _room_score(info, node) for node in candidates}
    _add(totals, spread_scores(info, candidates, state.nodes, state.family(info)), _SPREAD_WEIGHT)
    if info.preferred_node_terms:
        _add(totals, _node_affinity_scores(info, candidates), _NODE_AFFINITY_WEIGHT)
    if any(node.soft_taints for node in candidates):
        _add(totals, _taint_scores(info, candidates), _TAINT_WEIGHT)
    if info.prefers_near or info.prefers_apart or any(node.opinions for node in state.nodes.values()):
        scores = affinity_scores(info, candidates, state.nodes, state.namespace_labels)
        _add(totals, scores, _POD_AFFINITY_WEIGHT)
    return min(candidates, key=lambda node: (-totals[node.name], len(node.pods), node.name))


def _add(totals: dict[str, float], scores: dict[str, float], weight: int) -> None:
    for name, score in scores.items():
        totals[name] += int(score) * weight


def _room_score(info: PodInfo, node: NodeInfo) -> float:
    """Room left, and balance between the two resources where the pod asks for any."""
    cpu, memory = node.allocatable.get("cpu", 0), node.allocatable.get("memory", 0)
    if not cpu or not memory:
        return 0.0
    mine, taken = info.request.assumed, node.assumed
    cpu_left = cpu - taken["cpu"] - mine["cpu"]
    memory_left = memory - taken["memory"] - mine["memory"]
    room = (max(0, cpu_left * 100 // cpu) + max(0, memory_left * 100 // memory)) // 2
    wanted = info.request.amounts
    if not wanted.get("cpu") and not wanted.get("memory"):
        return room
    cpu_share = (node.requested.get("cpu", 0) + wanted.get("cpu", 0)) / cpu
    memory_share = (node.requested.get("memory", 0) + wanted.get("memory", 0)) / memory
    return room + int((1 - abs(min(1.0, cpu_share) - min(1.0, memory_share)) / 2) * 100)


def _node_affinity_scores(info: PodInfo, candidates: Iterable[NodeInfo]) -> dict[str, float]:
    sums = {
        node.name: sum(
            weight for weight, term in info.preferred_node_terms if term_matches(term, node.name, node.labels)
        )
        for node in candidates
    }
    most = max(sums.values())
    return {name: 100 * value / most for name, value in sums.items()} if most else {}


def _taint_scores(info: PodInfo, candidates: Iterable[NodeInfo]) -> dict[str, float]:
    counts = {
        node.name: sum(untolerated((taint,), info.tolerations) is not None for taint in node.soft_taints)
        for node in candidates
    }
    most = max(counts.values())
    return {name: 100 - 100 * value / most for name, value in counts.items()} if most else {}
