"""What a cloud has to be able to do for us: the protocol of machine drivers, and what they speak of.

A driver is asynchronous, returns only when the cloud says that the state asked for is reached, and declares what it
can do, so that a plan refuses what it can't before anything is touched. `none` is the driver where no cloud is known,
`registry` finds the one of a cluster, `lazy` puts that off until a step needs a machine.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from seatrial.errors import MachineError
from seatrial.kube.client import Client


class MachineState(StrEnum):
    """Whether a machine runs; everything between two states is UNKNOWN."""

    UP = "UP"
    DOWN = "DOWN"
    UNKNOWN = "UNKNOWN"


class Capability(StrEnum):
    """What a driver can do beyond listing machines."""

    START = "start"
    STOP = "stop"
    REBOOT = "reboot"
    DELETE = "delete"
    PAUSE = "pause"


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A machine as its cloud knows it. `id` is what the driver's methods take.

    `provider_id` is what the cloud's own Kubernetes provider writes into `spec.providerID` of the node;
    `other_provider_ids` are forms that it writes when it is configured differently.
    """

    id: str
    name: str
    state: MachineState
    addresses: tuple[str, ...] = ()
    provider_id: str = ""
    other_provider_ids: tuple[str, ...] = ()
    zone: str = ""
    region: str = ""
    groups: tuple[str, ...] = ()
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)


class MachineGone(MachineError):  # noqa: N818 -- a fact, which clean-up lives with
    """There is no such machine any more: it was deleted, or its group has replaced it."""


class MachineDriver(Protocol):
    """One cloud. Every method raises `MachineError`, and `ClusterError` where it asks the cluster.

    Starting what is up, stopping what is down and deleting what is gone do nothing; the other methods raise
    `MachineGone` for a machine that isn't there.
    """

    @property
    def name(self) -> str:
        """The driver's name, as on the command line: `aws`, `sandbox`, `none`."""
        ...

    async def capabilities(self) -> frozenset[Capability]:
        """What it can do."""
        ...

    async def require(self, *capabilities: Capability) -> None:
        """Return when it can do all of these; raise and say how to configure one that can, otherwise."""
        ...

    async def list(self) -> Sequence[Machine]:
        """All machines that it can reach, in a stable order."""
        ...

    async def describe(self, machine_id: str) -> Machine:
        """One machine as it is."""
        ...

    async def start(self, machine_id: str) -> None:
        """Start it, and wait until it is up."""
        ...

    async def stop(self, machine_id: str, *, force: bool = False) -> None:
        """Stop it, and wait until it is down; `force` cuts the power."""
        ...

    async def reboot(self, machine_id: str, *, force: bool = False) -> None:
        """Restart it, which has to be up; a restart that may have been made is not made again."""
        ...

    async def delete(self, machine_id: str) -> None:
        """Delete it for good."""
        ...

    async def start_command(self, machine_id: str) -> str:
        """The shell command by which a person starts it."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class DriverType(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of driver: the object that an entry point of `seatrial.machines` names.

    `connect(cluster, settings)` makes one for the machines of that cluster. The settings are environment variables;
    where a flag says the same as one of them, its value stands under the variable's name. `recognizes(cluster)` tells,
    cheaply, whether these are surely its own machines; then nobody has to name it.
    """

    name: str
    connect: Callable[[Client, Mapping[str, str]], Awaitable[MachineDriver]]
    recognizes: Callable[[Client], Awaitable[bool]]
