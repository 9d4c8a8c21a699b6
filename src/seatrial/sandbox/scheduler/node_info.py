"""A node as the scheduler sees it: what it offers, which pods are on it, and the sums of what they ask for."""

from collections import Counter
from collections.abc import Mapping
from typing import Final, TypeVar

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.objects import labels_of, name_of
from seatrial.sandbox.scheduler.pod_info import AffinityTerm, PodInfo, PodKind
from seatrial.sandbox.scheduler.resource_request import Sums, allocatable_of

T = TypeVar("T")
_HARD: Final = frozenset({"NoSchedule", "NoExecute"})


class NodeInfo:
    """One node and its pods. Sums are kept as pods come and go, so that asking a node costs the same for any number.

    `kinds` counts pods that selectors can't tell apart, `staying` those of them that aren't on their way out; `guards`
    are the terms that keep others away, `opinions` what pods that are there would have near them.
    """

    __slots__ = (
        "allocatable", "assumed", "guards", "hard_taints", "kinds", "labels", "name", "node", "opinions", "pods",
        "ports", "requested", "soft_taints", "staying", "unschedulable",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.node: Object | None = None
        self.labels: Mapping[str, str] = {}
        self.allocatable: Sums = {}
        self.hard_taints: list[Object] = []
        self.soft_taints: list[Object] = []
        self.unschedulable = False
        self.pods: dict[str, PodInfo] = {}
        self.requested: Sums = {}
        self.assumed: Sums = {"cpu": 0, "memory": 0}
        self.kinds: Counter[PodKind] = Counter()
        self.staying: Counter[PodKind] = Counter()
        self.guards: Counter[AffinityTerm] = Counter()
        self.opinions: Counter[tuple[AffinityTerm, int]] = Counter()
        self.ports: dict[str, PodInfo] = {}

    def describe(self, node: Object | None) -> None:
        """Take the node's object; None when it is gone, though pods may still be bound to it."""
        self.node = node
        if node is None:
            return
        taints = node["spec"].get("taints") or ()
        self.name = name_of(node)
        self.labels = labels_of(node)
        self.allocatable = allocatable_of(node)
        self.hard_taints = [taint for taint in taints if taint["effect"] in _HARD]
        self.soft_taints = [taint for taint in taints if taint["effect"] == "PreferNoSchedule"]
        self.unschedulable = bool(node["spec"].get("unschedulable"))

    def put(self, info: PodInfo) -> None:
        """Count a pod, or take its changed form."""
        self.remove(info.uid)
        self.pods[info.uid] = info
        if info.request.host_ports:
            self.ports[info.uid] = info
        self._count(info, 1)

    def remove(self, uid: str) -> PodInfo | None:
        """Count a pod no longer; returns what was counted."""
        known = self.pods.pop(uid, None)
        if known is not None:
            self.ports.pop(uid, None)
            self._count(known, -1)
        return known

    def _count(self, info: PodInfo, sign: int) -> None:
        _count(self.kinds, info.kind, sign)
        if not info.is_terminating:
            _count(self.staying, info.kind, sign)
        for term in info.apart:
            _count(self.guards, term, sign)
        for opinion in info.opinions:
            _count(self.opinions, opinion, sign)
        requested, assumed = self.requested, self.assumed
        for name, amount in info.request.amounts.items():
            requested[name] = requested.get(name, 0) + sign * amount
        for name, amount in info.request.assumed.items():
            assumed[name] += sign * amount

    def lacking(self, amounts: Sums) -> list[str]:
        """The resources of which too little is left."""
        have, taken = self.allocatable, self.requested
        return [name for name, amount in amounts.items() if amount and taken.get(name, 0) + amount > have.get(name, 0)]

    def clone(self) -> "NodeInfo":
        """A copy to try things on."""
        copy = NodeInfo(self.name)
        copy.describe(self.node)
        copy.pods = dict(self.pods)
        copy.requested = dict(self.requested)
        copy.assumed = dict(self.assumed)
        copy.kinds, copy.staying = self.kinds.copy(), self.staying.copy()
        copy.guards, copy.opinions = self.guards.copy(), self.opinions.copy()
        copy.ports = dict(self.ports)
        return copy


def _count(counter: Counter[T], item: T, sign: int) -> None:
    counter[item] += sign
    if not counter[item]:
        del counter[item]
