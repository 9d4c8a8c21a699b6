"""What a sandbox is asked to be; plain data, so that whoever starts one needn't load the cluster itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seatrial.errors import UsageError
from seatrial.sandbox.addresses import MAX_NODES

DEFAULT_NAME: Final = "default"
DEFAULT_NODES: Final = 4
DEFAULT_ZONES: Final = ("west-1", "west-2", "east-1", "east-2")
GROUP: Final = "workers"


@dataclass(frozen=True, kw_only=True)
class NodePlan:
    """One machine to be: nodes are counted from 1 and dealt to the zones in turn."""

    index: int
    name: str
    zone: str
    region: str


@dataclass(frozen=True, kw_only=True)
class ClusterConfig:
    """A sandbox to start.

    Args:
        name: of the sandbox, and of its directory.
        directory: everything it keeps on disk; removed with it.
        nodes: how many machines.
        zones: dealt to the machines in turn; the region is the zone without its last part (`west-1`: `west`).
        images: the user's images: name to command of this machine.
        sandbox_id: marks its processes.
    """

    name: str
    directory: Path
    nodes: int = DEFAULT_NODES
    zones: Sequence[str] = DEFAULT_ZONES
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sandbox_id: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.nodes <= MAX_NODES:
            raise UsageError(f"a sandbox has 1 to {MAX_NODES} nodes, not {self.nodes}")
        if not self.zones or not all(self.zones):
            raise UsageError("a sandbox needs at least one zone, and no zone's name may be empty")

    def plan(self) -> list[NodePlan]:
        """The machines: node1, node2, ... each in its zone."""
        zones = [self.zones[index % len(self.zones)] for index in range(self.nodes)]
        return [
            NodePlan(index=index, name=f"node{index}", zone=zone, region=region_of(zone))
            for index, zone in enumerate(zones, start=1)
        ]


def region_of(zone: str) -> str:
    """The region that a zone belongs to: its name without the last part, or the whole name if it has one part."""
    return zone.rpartition("-")[0] or zone
