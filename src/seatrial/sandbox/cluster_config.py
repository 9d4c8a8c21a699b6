"""What a sandbox is asked to be; plain data, so that whoever starts one needn't load the cluster itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from seatrial.errors import UsageError
from seatrial.sandbox.disturbance import CALM, Disturbance
from seatrial.sandbox.network.addresses import MAX_NODES
from seatrial.sandbox.timing import SANDBOX, Timing

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
        timing: how long its parts wait.
        disturbance: what requests to its API server suffer from the beginning.
        audit_log: file to which the API server writes who asked for what; empty for none.
        audit_level: how much of each request it writes: Metadata, Request or RequestResponse.
        most_reading: how many reads the API server serves at a time.
        most_writing: how many writes.
    """

    name: str
    directory: Path
    nodes: int = DEFAULT_NODES
    zones: Sequence[str] = DEFAULT_ZONES
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sandbox_id: str = ""
    timing: Timing = SANDBOX
    disturbance: Disturbance = CALM
    audit_log: str = ""
    audit_level: Literal["Metadata", "Request", "RequestResponse"] = "Metadata"
    most_reading: int = 400
    most_writing: int = 200

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
