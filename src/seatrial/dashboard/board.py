"""Which pods run on which nodes in which zones: what the board draws, kept up to date change by change.

A cluster of 10,000 pods changes all the time. So a change touches its node alone, and what was sorted stays so.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from seatrial.by_hand.live.cluster import LiveCluster
from seatrial.by_hand.live.kind import Change
from seatrial.by_hand.live.nodes import LiveNode
from seatrial.by_hand.live.pods import LivePod
from seatrial.dashboard.cells import PodState, state_of
from seatrial.kube.errors import Forbidden

UNSCHEDULED = ""
"""What stands for the node of pods that have none."""

PodKey = tuple[str, str]


class Shown(msgspec.Struct, frozen=True):
    """A pod on the board, with its state."""

    pod: LivePod
    state: PodState

    @property
    def key(self) -> PodKey:
        """Namespace and name."""
        return self.pod.namespace, self.pod.name


class ZoneRow(msgspec.Struct, frozen=True):
    """The heading of a zone: how many nodes it has, how many are Ready."""

    zone: str
    nodes: int
    ready: int


class NodeRow(msgspec.Struct, frozen=True):
    """A node and the pods on it that are to be seen; `node` is None for pods whose node is not there (yet)."""

    name: str
    node: LiveNode | None
    pods: Sequence[Shown]


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be seen: pods of one namespace, pods or nodes whose names have a text in them; empty means all."""

    namespace: str = ""
    text: str = ""

    def takes(self, pod: LivePod, *, node: str) -> bool:
        """Whether a pod is to be seen."""
        if self.namespace and pod.namespace != self.namespace:
            return False
        return not self.text or self.text in node or self.text in f"{pod.namespace}/{pod.name}"


class Board:
    """Nodes by zone, and the pods on each."""

    def __init__(self, live: LiveCluster, *, on_change: Callable[[], None]) -> None:
        """`on_change` is called for each change, often many times in a second."""
        self._live = live
        self._on_change = on_change
        self.wanted = Filter()
        """What is to be seen."""
        self._pods: dict[str, dict[PodKey, Shown]] = {}
        self._sorted: dict[str, Sequence[Shown]] = {}
        self._ends: list[Callable[[], None]] = []

    async def open(self) -> None:
        """Take in what is there, and follow it from then on; it may be asked again, for another namespace.

        Who may not see nodes has their names from the pods.

        Raises:
            ClusterError: pods may not be listed.
        """
        if not self._ends:
            self._ends = [self._live.pods.subscribe(self._see_pod), self._live.nodes.subscribe(self._see_node)]
            for pod in self._live.pods.all():
                self._put(pod)
        with contextlib.suppress(Forbidden):
            await self._live.nodes.ready()
        await self._live.pods.ready(self.wanted.namespace)
        self._on_change()

    @property
    def problem(self) -> str:
        """Why not everything is to be seen, or is as of a while ago; empty if there is no problem."""
        return self._live.nodes.problem or self._live.pods.problem

    def close(self) -> None:
        """Follow nothing any more."""
        while self._ends:
            self._ends.pop()()

    def look_at(self, wanted: Filter) -> None:
        """Show what is wanted from here on."""
        self.wanted = wanted
        self._sorted.clear()
        self._on_change()

    def rows(self) -> Sequence[ZoneRow | NodeRow]:
        """All that is to be drawn, zone by zone; at the end pods that are on no node."""
        zones: dict[str, list[NodeRow]] = {}
        nodes = {node.name: node for node in self._live.nodes.all()}
        for node in nodes.values():
            if (row := self._row(node.name, node)) is not None:
                zones.setdefault(node.zone, []).append(row)
        rows = [row for zone in sorted(zones) for row in _of_zone(zone, zones[zone])]
        strays = (self._row(name, None) for name in sorted(self._pods) if name not in nodes)
        return rows + [row for row in strays if row is not None and row.pods]

    def counts(self) -> Counter[PodState]:
        """How many of the pods that are to be seen are in each state."""
        return Counter(shown.state for name in self._pods for shown in self._pods_on(name))

    def _row(self, name: str, node: LiveNode | None) -> NodeRow | None:
        pods = self._pods_on(name)
        wanted = self.wanted.text
        return NodeRow(name, node, pods) if not wanted or pods or wanted in name else None

    def _pods_on(self, name: str) -> Sequence[Shown]:
        if name not in self._sorted:
            there = self._pods.get(name, {}).values()
            taken = (each for each in there if self.wanted.takes(each.pod, node=name))
            self._sorted[name] = sorted(taken, key=lambda each: each.key)
        return self._sorted[name]

    def _see_pod(self, change: Change[LivePod]) -> None:
        self._drop(change.earlier or change.object)
        if change.type != "DELETED":
            self._put(change.object)
        self._on_change()

    def _see_node(self, change: Change[LiveNode]) -> None:  # noqa: ARG002 -- the live view has what is there
        self._on_change()

    def _put(self, pod: LivePod) -> None:
        self._pods.setdefault(pod.node, {})[pod.namespace, pod.name] = Shown(pod, state_of(pod))
        self._sorted.pop(pod.node, None)

    def _drop(self, pod: LivePod) -> None:
        there = self._pods.get(pod.node, {})
        there.pop((pod.namespace, pod.name), None)
        if not there:
            self._pods.pop(pod.node, None)
        self._sorted.pop(pod.node, None)


def _of_zone(zone: str, rows: Sequence[NodeRow]) -> Iterator[ZoneRow | NodeRow]:
    nodes = [row.node for row in rows if row.node is not None]
    yield ZoneRow(zone, len(nodes), sum(node.is_ready for node in nodes))
    yield from sorted(rows, key=lambda row: row.name)
