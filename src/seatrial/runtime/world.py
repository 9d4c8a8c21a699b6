"""What a step and its undo act on: the cluster, the machines under it, and commands on these."""

from dataclasses import dataclass, field

from seatrial.kube.client import Client
from seatrial.machines.driver import MachineDriver
from seatrial.machines.none import NoMachines
from seatrial.remote.executor import Executor, NoExecutor


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything outside that Seatrial changes."""

    cluster: Client
    machines: MachineDriver = field(default_factory=NoMachines)
    executor: Executor = field(default_factory=NoExecutor)
