"""Which nodes of a sandbox can't reach each other: memory that all its processes share.

The sandbox's main process decides between zones (`control.partitions`) and writes, and each machine writes what its own
firewall drops (`machine_tools.firewall`). Everybody forked from the main process reads: kubelets and the programs of
built-in images, which thereby stop hearing each other without being told. Reading costs a memory access. The mappings
are made when this module is loaded, which must be before the launcher is forked; hence one object for the process, in
spite of the house's rule.
"""

import asyncio
import mmap
from collections.abc import Iterable
from typing import Final

from seatrial.sandbox.network.addresses import MAX_NODES, first_node_beside, node_index_of

CONTROL_PLANE: Final = MAX_NODES + 1
"""The number of the control plane among the nodes' numbers, for firewalls."""

_WIDTH: Final = MAX_NODES + 2
_LOOK_AGAIN_SECONDS: Final = 0.2


class Reachability:
    """Two squares of bytes, one for each pair of nodes: 1 where they are parted, and where one drops the other's."""

    def __init__(self) -> None:
        self._cuts = mmap.mmap(-1, _WIDTH * _WIDTH)
        self._walls = mmap.mmap(-1, _WIDTH * _WIDTH)

    def cut(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Part these pairs of nodes (numbers from 1), and no others."""
        cuts = bytearray(_WIDTH * _WIDTH)
        for here, there in pairs:
            cuts[here * _WIDTH + there] = cuts[there * _WIDTH + here] = 1
        self._cuts[:] = bytes(cuts)

    def wall_off(self, here: int, others: Iterable[int]) -> None:
        """Let the firewall of one node drop what comes from these (`CONTROL_PLANE` is one) and goes to them."""
        row = bytearray(_WIDTH)
        for there in others:
            row[there] = 1
        self._walls[here * _WIDTH : (here + 1) * _WIDTH] = bytes(row)

    @property
    def walls(self) -> bytes:
        """What firewalls drop, to be compared with what they dropped before."""
        return self._walls[:]

    def is_walled_off(self, node: int) -> bool:
        """Whether a node's firewall drops what it and the control plane send each other."""
        return bool(self._walls[node * _WIDTH + CONTROL_PLANE])

    async def passage(self, here: str, there: str) -> None:
        """Wait until two addresses can reach each other."""
        while self.is_cut(here, there):  # noqa: ASYNC110 -- memory that another process writes to tells nobody
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def passage_from_control_plane(self, there: str, *, timeout_seconds: float) -> None:
        """Wait until the control plane, which stands beside the first node, can reach an address.

        Raises:
            TimeoutError: it is still cut off after so long.
        """
        async with asyncio.timeout(timeout_seconds):
            await self.passage(first_node_beside(there), there)
            while self.is_walled_off(node_index_of(there)):  # noqa: ASYNC110 -- as above
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    def is_cut(self, here: str, there: str) -> bool:
        """Whether two addresses, of nodes or pods, can't reach each other; others reach everything."""
        one, other = node_index_of(here), node_index_of(there)
        at, back = one * _WIDTH + other, other * _WIDTH + one
        return bool(self._cuts[at] or self._walls[at] or self._walls[back])


REACHABILITY: Final = Reachability()
"""The one of this sandbox."""
