"""Network partitions between zones, and what machines' firewalls add to them: who can't reach whom.

The control plane stands in the first zone. Every place in the sandbox that carries traffic between zones asks here: the
API server (requests of kubelets and pods, connections to kubelets), and the service proxy and the pods' forwarders
(connections between pods). What is cut is not refused but silent, as packets are lost: it waits until the partition
is healed or the one who waits gives up. Clients outside the cluster are in no zone and reach everything.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from seatrial.errors import SandboxError
from seatrial.sandbox.network.reachability import Reachability

_LOOK_AGAIN_SECONDS: Final = 0.2

OUTSIDE: Final = ""
"""The place of what belongs to no zone."""


class UnknownZoneError(SandboxError):
    """There is no zone of that name."""


@dataclass(frozen=True)
class Partition:
    """A zone that can't reach some others, in neither direction."""

    zone: str
    others: tuple[str, ...]


class Partitions:
    """The partitions there are.

    Args:
        node_zones: the zone of each node, in the order of the nodes' numbers; the control plane is in the first one.
        reachability: tells the processes of the sandbox.
    """

    def __init__(self, node_zones: Sequence[tuple[str, str]], *, reachability: Reachability | None = None) -> None:
        self._reachability = reachability or Reachability()
        self._zone_of_node = dict(node_zones)
        self._index_of_node = {name: index for index, (name, _) in enumerate(node_zones, start=1)}
        self._walls, self._is_walled = self._reachability.walls, False
        self._zone_of_index = [zone for _, zone in node_zones]
        self._partitions: list[Partition] = []
        self._cuts: frozenset[frozenset[str]] = frozenset()
        self._changed = asyncio.Event()
        self._listeners: list[Callable[[], None]] = []

    @property
    def control_plane(self) -> str:
        """The zone in which the control plane stands."""
        return self._zone_of_index[0]

    @property
    def zones(self) -> list[str]:
        """All zones, in the order of their first node."""
        return list(dict.fromkeys(self._zone_of_index))

    @property
    def active(self) -> list[Partition]:
        """The partitions, oldest first."""
        return list(self._partitions)

    @property
    def is_anything_cut(self) -> bool:
        """Whether there is a partition, or a firewall that drops something."""
        return bool(self._cuts) or self._is_walled

    def cut(self, zone: str, others: Iterable[str] = ()) -> Partition:
        """Part a zone from others, or, without any, from all; `UnknownZoneError`."""
        wanted = tuple(others) or tuple(other for other in self.zones if other != zone)
        for name in (zone, *wanted):
            if name not in self.zones:
                raise UnknownZoneError(f"there is no zone {name!r}", hint=f"zones: {', '.join(self.zones)}")
        if zone in wanted or not wanted:
            raise UnknownZoneError(f"zone {zone!r} can't be parted from itself", hint="name another one with --from")
        partition = Partition(zone, wanted)
        if partition not in self._partitions:
            self._partitions.append(partition)
            self._settle()
        return partition

    def heal(self, zone: str = "") -> list[Partition]:
        """Take back the partitions of a zone, or all; answers which there were."""
        gone = [each for each in self._partitions if not zone or zone in (each.zone, *each.others)]
        self._partitions = [each for each in self._partitions if each not in gone]
        self._settle()
        return gone

    def is_cut(self, here: str, there: str) -> bool:
        """Whether two zones can't reach each other; `OUTSIDE` reaches everything."""
        return bool(self._cuts) and frozenset((here, there)) in self._cuts

    def is_cut_off(self, node: str) -> bool:
        """Whether a node can't reach the control plane; what is no node reaches it."""
        if not self.is_anything_cut:
            return False
        walled_off = self._reachability.is_walled_off(self._index_of_node.get(node, 0))
        return walled_off or self.is_cut(self.zone_of_node(node), self.control_plane)

    def is_cut_between(self, here: str, there: str) -> bool:
        """Whether two addresses can't reach each other."""
        return self._reachability.is_cut(here, there)

    async def passage_to_control_plane(self, node: str) -> None:
        """Wait until a node can reach the control plane."""
        while self.is_cut_off(node):
            await self._changed.wait()

    async def passage_between(self, here: str, there: str) -> None:
        """Wait until two addresses can reach each other."""
        while self.is_cut_between(here, there):
            await self._changed.wait()

    async def follow_firewalls(self) -> None:
        """Tell the listeners when a machine's firewall has changed, until cancelled; the machine tells nobody."""
        while True:
            if (walls := self._reachability.walls) != self._walls:
                self._walls, self._is_walled = walls, any(walls)
                self._tell()
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    def zone_of_node(self, name: str) -> str:
        """The zone of a node, `OUTSIDE` if there is no such node."""
        return self._zone_of_node.get(name, OUTSIDE)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have a function called after each change."""
        self._listeners.append(listener)

    def _settle(self) -> None:
        self._cuts = frozenset(frozenset((each.zone, other)) for each in self._partitions for other in each.others)
        indexes = list(enumerate(self._zone_of_index, start=1))
        self._reachability.cut(
            (here, there)
            for here, zone in indexes
            for there, other in indexes
            if here < there and self.is_cut(zone, other)
        )
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        for listener in self._listeners:
            listener()
