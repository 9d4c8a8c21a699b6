"""Network partitions between zones: who can't reach whom.

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
from seatrial.sandbox.network.addresses import node_index_of
from seatrial.sandbox.network.reachability import Reachability

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

    async def passage(self, here: str, there: str) -> None:
        """Wait until two zones can reach each other."""
        while self.is_cut(here, there):
            await self._changed.wait()

    def zone_of_node(self, name: str) -> str:
        """The zone of a node, `OUTSIDE` if there is no such node."""
        return self._zone_of_node.get(name, OUTSIDE)

    def zone_of_address(self, address: str) -> str:
        """The zone of a node's or a pod's address, `OUTSIDE` for any other."""
        index = node_index_of(address)
        return self._zone_of_index[index - 1] if index and index <= len(self._zone_of_index) else OUTSIDE

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
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        for listener in self._listeners:
            listener()
