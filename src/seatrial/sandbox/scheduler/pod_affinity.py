"""Affinity and anti-affinity between pods: counted once per pod to place, by topology value, then asked node by node.

Behaviour: Kubernetes documentation, "Inter-pod affinity and anti-affinity".
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from seatrial.sandbox.scheduler.cluster_state import Nodes
from seatrial.sandbox.scheduler.node_info import NodeInfo
from seatrial.sandbox.scheduler.pod_info import AffinityTerm, PodInfo

NamespaceLabels = Mapping[str, Mapping[str, str]]
# (topology key, value) -> how many pods a term selects there.
_Places = Counter[tuple[str, str]]


class AffinityCounts:
    """Where the pods are that required terms speak of.

    Args:
        info: the pod to place.
        nodes: where pods are.
        namespace_labels: for terms that select namespaces.
    """

    def __init__(self, info: PodInfo, nodes: Nodes, namespace_labels: NamespaceLabels) -> None:
        self._info = info
        self._near = [_places_of(term, nodes, namespace_labels) for term in info.near]
        self._apart = [_places_of(term, nodes, namespace_labels) for term in info.apart]
        self._kept_from = _kept_from(info, nodes, namespace_labels)
        # The first of its kind may go anywhere: else none of pods that want to be together could ever start.
        self._is_first = not any(self._near) and all(term.selects(info.kind, namespace_labels) for term in info.near)

    def reason_against(self, node: NodeInfo) -> tuple[str, bool]:
        """What a rule says against the node ("" for nothing), and whether the going of pods could change it."""
        if self._near and not self._is_near(node):
            return "node(s) didn't match pod affinity rules", False
        if any(
            term.topology_key in node.labels and places[term.topology_key, node.labels[term.topology_key]]
            for term, places in zip(self._info.apart, self._apart, strict=True)
        ):
            return "node(s) didn't match pod anti-affinity rules", True
        if any(node.labels.get(key) == value for key, value in self._kept_from):
            return "node(s) didn't satisfy existing pods anti-affinity rules", True
        return "", True

    def _is_near(self, node: NodeInfo) -> bool:
        for term, places in zip(self._info.near, self._near, strict=True):
            value = node.labels.get(term.topology_key)
            if value is None:
                return False
            if not places[term.topology_key, value] and not self._is_first:
                return False
        return True


def _places_of(term: AffinityTerm, nodes: Nodes, namespace_labels: NamespaceLabels) -> _Places:
    places: _Places = Counter()
    for node in nodes.values():
        value = node.labels.get(term.topology_key)
        if value is None:
            continue
        count = sum(number for kind, number in node.kinds.items() if term.selects(kind, namespace_labels))
        if count:
            places[term.topology_key, value] += count
    return places


def _kept_from(info: PodInfo, nodes: Nodes, namespace_labels: NamespaceLabels) -> set[tuple[str, str]]:
    """The places where a pod that is there wants no such pod near it."""
    return {
        (term.topology_key, node.labels[term.topology_key])
        for node in nodes.values()
        for term in node.guards
        if term.topology_key in node.labels and term.selects(info.kind, namespace_labels)
    }


def affinity_scores(
    info: PodInfo, candidates: Iterable[NodeInfo], nodes: Nodes, namespace_labels: NamespaceLabels
) -> dict[str, float]:
    """Node -> 0 to 100, by preferences of the pod and of those that are there; empty if nobody has any."""
    weights: defaultdict[tuple[str, str], int] = defaultdict(int)
    own = [(term, term.weight) for term in info.prefers_near]
    own += [(term, -term.weight) for term in info.prefers_apart]
    for node in nodes.values():
        for term, weight in own:
            if term.topology_key in node.labels:
                count = sum(number for kind, number in node.kinds.items() if term.selects(kind, namespace_labels))
                weights[term.topology_key, node.labels[term.topology_key]] += weight * count
        for (term, weight), number in node.opinions.items():
            if term.topology_key in node.labels and term.selects(info.kind, namespace_labels):
                weights[term.topology_key, node.labels[term.topology_key]] += weight * number
    if not weights:
        return {}
    sums = {
        node.name: sum(weight for (key, value), weight in weights.items() if node.labels.get(key) == value)
        for node in candidates
    }
    least, most = min(sums.values()), max(sums.values())
    span = most - least
    return {name: 100 * (value - least) / span if span else 0.0 for name, value in sums.items()}
