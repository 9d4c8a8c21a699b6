"""What a step and its undo act on: the cluster, the machines under it, and commands on these."""

from collections.abc import Callable
from dataclasses import dataclass, field

from seatrial.kube.client import Client
from seatrial.machines.driver import MachineDriver
from seatrial.machines.none import NoMachines
from seatrial.remote.executor import Executor, NoExecutor
from seatrial.runtime.clock import Clock, SystemClock
from seatrial.runtime.events import Event


def _unheard(event: Event) -> None:
    """Where nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything outside that Seatrial changes; `emit` and `clock` are for an undo that measures and proves."""

    cluster: Client
    machines: MachineDriver = field(default_factory=NoMachines)
    executor: Executor = field(default_factory=NoExecutor)
    emit: Callable[[Event], None] = _unheard
    clock: Clock = field(default_factory=SystemClock)
