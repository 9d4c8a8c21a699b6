"""Which pod is on which node, as the scheduler counts it: what was bound, and what it has just decided to bind.

Sums are kept as pods come and go, so that placing a pod among thousands costs no more than among ten.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.objects import (
    controller_of,
    is_active,
    labels_of,
    namespace_of,
    uid_of,
)
from seatrial.sandbox.node_room import NodeRoom


class Placements:
    """All nodes' pods, and how the pods of each owner are spread."""

    def __init__(self) -> None:
        self._rooms: dict[str, NodeRoom] = {}
        self._node_of: dict[str, str] = {}
        self._spread: dict[str, Counter[str]] = defaultdict(Counter)
        self._counted: dict[str, tuple[str, str]] = {}

    @property
    def rooms(self) -> Mapping[str, NodeRoom]:
        """What is on each node that has or had a pod."""
        return self._rooms

    def room(self, node: str) -> NodeRoom:
        """What is on one node."""
        return self._rooms.setdefault(node, NodeRoom())

    def put(self, pod: Object, node: str) -> None:
        """Count a pod on a node, or take its changed object."""
        known = self._node_of.get(uid_of(pod))
        if known is not None and known != node:
            self.remove(pod)
        self._node_of[uid_of(pod)] = node
        self.room(node).put(pod)
        self._count(pod, node)

    def remove(self, pod: Object) -> bool:
        """Count a pod no longer; return whether it was counted."""
        self._uncount(uid_of(pod))
        node = self._node_of.pop(uid_of(pod), None)
        return node is not None and self.room(node).remove(uid_of(pod))

    def siblings(self, pod: Object) -> Counter[str]:
        """How many pods of the same owner each node has."""
        owner = _owner_key(pod)
        return self._spread.get(owner) or Counter()

    def _count(self, pod: Object, node: str) -> None:
        # A pod on its way out leaves a gap, which its replacement may fill.
        self._uncount(uid_of(pod))
        owner = _owner_key(pod)
        if owner and is_active(pod):
            self._counted[uid_of(pod)] = (owner, node)
            self._spread[owner][node] += 1

    def _uncount(self, uid: str) -> None:
        owner, node = self._counted.pop(uid, ("", ""))
        if not owner:
            return
        spread = self._spread[owner]
        spread[node] -= 1
        if not spread[node]:
            del spread[node]
        if not spread:
            del self._spread[owner]


def _owner_key(pod: Object) -> str:
    """Pods to spread: those of one controller; pods that nobody owns spread by their labels."""
    owner = controller_of(pod)
    if owner is not None:
        return str(owner["uid"])
    labels = labels_of(pod)
    return f"{namespace_of(pod)}/{sorted(labels.items())}" if labels else ""
