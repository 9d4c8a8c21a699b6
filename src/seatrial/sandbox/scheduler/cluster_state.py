"""What the scheduler knows of the cluster: its nodes, what is bound where, what it has just decided, who is expected.

Kept up to date change by change, so that placing a pod among thousands costs no more than among ten.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.objects import is_terminating, labels_of, name_of, uid_of
from seatrial.sandbox.scheduler.node_info import NodeInfo
from seatrial.sandbox.scheduler.pod_info import PodInfo

Nodes = Mapping[str, NodeInfo]


class ClusterState:
    """All nodes and their pods, and how the pods of each family are spread."""

    def __init__(self) -> None:
        self._places: dict[str, NodeInfo] = {}
        self.nodes: dict[str, NodeInfo] = {}
        self._node_of: dict[str, str] = {}
        self._spread: dict[str, Counter[str]] = defaultdict(Counter)
        self._counted: dict[str, tuple[str, str]] = {}
        self._nominated: dict[str, dict[str, PodInfo]] = {}
        self._nomination_of: dict[str, str] = {}
        self.namespace_labels: dict[str, Mapping[str, str]] = {}

    def put_node(self, node: Object) -> NodeInfo:
        """Take a node, or its changed form."""
        place = self._place(name_of(node))
        place.describe(node)
        self.nodes[place.name] = place
        return place

    def remove_node(self, name: str) -> None:
        """A node is gone; pods bound to it are remembered until they are gone too."""
        self.nodes.pop(name, None)
        place = self._places.get(name)
        if place is not None:
            place.describe(None)
            if not place.pods:
                del self._places[name]

    def _place(self, name: str) -> NodeInfo:
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = NodeInfo(name)
        return place

    def put(self, pod: Object, node: str) -> PodInfo | None:
        """Count a pod on a node, or take its changed form; returns how it was known before."""
        uid = uid_of(pod)
        known_node = self._node_of.get(uid)
        known = self._places[known_node].pods.get(uid) if known_node is not None else None
        if known is not None and known_node != node:
            self.remove(pod)
        info = PodInfo.of(pod) if known is None or _differs(known, pod) else _renewed(known, pod)
        self.assume(info, node)
        return known

    def assume(self, info: PodInfo, node: str) -> None:
        """Count a pod on a node, whether or not the API server knows it there."""
        self._node_of[info.uid] = node
        self._place(node).put(info)
        self._count(info, node)
        self.withdraw(info.uid)

    def remove(self, pod: Object) -> str | None:
        """Count a pod no longer; returns the node on which it was counted."""
        uid = uid_of(pod)
        self._uncount(uid)
        node = self._node_of.pop(uid, None)
        if node is None:
            return None
        place = self._places[node]
        place.remove(uid)
        if not place.pods and place.node is None:
            del self._places[node]
        return node

    def counts(self, pod: Object) -> bool:
        """The pod has its place, though the API server may not have said so yet."""
        return uid_of(pod) in self._node_of

    def family(self, info: PodInfo) -> Mapping[str, int]:
        """How many pods of the same family each node has."""
        return self._spread.get(info.family) or {}

    def _count(self, info: PodInfo, node: str) -> None:
        self._uncount(info.uid)
        # A pod on its way out leaves a gap, which its replacement may fill.
        if info.family and info.is_active:
            self._counted[info.uid] = (info.family, node)
            self._spread[info.family][node] += 1

    def _uncount(self, uid: str) -> None:
        family, node = self._counted.pop(uid, ("", ""))
        if not family:
            return
        spread = self._spread[family]
        spread[node] -= 1
        if not spread[node]:
            del spread[node]
        if not spread:
            del self._spread[family]

    # Pods for which others had to go: their room is kept.

    def nominate(self, info: PodInfo, node: str) -> None:
        """Keep room on a node for a pod that isn't bound yet."""
        self.withdraw(info.uid)
        self._nomination_of[info.uid] = node
        self._nominated.setdefault(node, {})[info.uid] = info

    def withdraw(self, uid: str) -> None:
        """Keep no room for a pod any longer."""
        node = self._nomination_of.pop(uid, None)
        if node is not None:
            waiting = self._nominated[node]
            del waiting[uid]
            if not waiting:
                del self._nominated[node]

    def nominated(self, node: str) -> Iterator[PodInfo]:
        """The pods for which room is kept on a node."""
        return iter(self._nominated.get(node, {}).values())


def _differs(known: PodInfo, pod: Object) -> bool:
    """Something changed that the scheduler reads from a pod's spec and labels."""
    if known.kind.labels != labels_of(pod):
        return True
    return bool({**known.pod["spec"], "nodeName": pod["spec"].get("nodeName")} != pod["spec"])


def _renewed(known: PodInfo, pod: Object) -> PodInfo:
    return replace(known, pod=pod, is_terminating=is_terminating(pod))
