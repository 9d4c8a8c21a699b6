"""What a step and its undo act on: the cluster, the machines under it, and commands on these."""

from collections.abc import Callable

import msgspec

from seatrial.kube.client import Client
from seatrial.machines.driver import MachineDriver
from seatrial.machines.none import NoMachines
from seatrial.remote.executor import Executor, NoExecutor
from seatrial.runtime.clock import Clock, SystemClock
from seatrial.runtime.events import Event


def _unheard(event: Event) -> None:
    """Where nobody listens."""


class World(msgspec.Struct, frozen=True, kw_only=True):
    """Everything outside that Seatrial changes; `emit` and `clock` are for an undo that measures and proves."""

    cluster: Client
    machines: MachineDriver = msgspec.field(default_factory=NoMachines)
    executor: Executor = msgspec.field(default_factory=NoExecutor)
    emit: Callable[[Event], None] = _unheard
    clock: Clock = msgspec.field(default_factory=SystemClock)
