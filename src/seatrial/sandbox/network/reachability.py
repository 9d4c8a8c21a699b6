"""Which nodes of a sandbox can't reach each other: memory that all its processes share.

The sandbox's main process decides (`control.partitions`) and writes, everybody forked from it reads: kubelets and the
programs of built-in images, which thereby stop hearing each other without being told. Reading costs a memory access.
The mapping is made when this module is loaded, which must be before the launcher is forked; hence one object for the
process, in spite of the house's rule.
"""

import asyncio
import mmap
from collections.abc import Iterable
from typing import Final

from seatrial.sandbox.network.addresses import MAX_NODES, first_node_beside, node_index_of

_WIDTH: Final = MAX_NODES + 1
_LOOK_AGAIN_SECONDS: Final = 0.2


class Reachability:
    """A square of bytes: one for each pair of nodes, 1 where they can't reach each other."""

    def __init__(self) -> None:
        self._cuts = mmap.mmap(-1, _WIDTH * _WIDTH)

    def cut(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Part these pairs of nodes (numbers from 1), and no others."""
        cuts = bytearray(_WIDTH * _WIDTH)
        for here, there in pairs:
            cuts[here * _WIDTH + there] = cuts[there * _WIDTH + here] = 1
        self._cuts[:] = bytes(cuts)

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

    def is_cut(self, here: str, there: str) -> bool:
        """Whether two addresses, of nodes or pods, can't reach each other; others reach everything."""
        return bool(self._cuts[node_index_of(here) * _WIDTH + node_index_of(there)])


REACHABILITY: Final = Reachability()
"""The one of this sandbox."""
