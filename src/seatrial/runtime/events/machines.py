"""What was done to nodes and to the machines under them."""

from seatrial.runtime.events.event import Event
from seatrial.runtime.events.references import NodeRef


class MachineStopped(Event, frozen=True, kw_only=True):
    """The cloud says that a machine is down; `id` is its id there, `name` its node's, or its own where it has none.

    `duration_ms` is how long that took.
    """

    id: str
    name: str
    force: bool
    duration_ms: float


class MachineStopFailed(Event, frozen=True, kw_only=True):
    """A machine could not be stopped, and why."""

    id: str
    name: str
    error: str


class MachineStarted(Event, frozen=True, kw_only=True):
    """The cloud says that a machine is up; `duration_ms` is how long that took."""

    id: str
    name: str
    duration_ms: float


class MachineSkipped(Event, frozen=True, kw_only=True):
    """A machine was left as it is, and why; `error` where it should not have been."""

    id: str
    name: str
    reason: str
    error: bool = False


class ReplacementForeseen(Event, frozen=True, kw_only=True):
    """Machines are about to be stopped that their group will replace; `doubt` says why that is only assumed."""

    group: str
    machines: tuple[str, ...]
    doubt: str = ""


class ScalingGroupSuspended(Event, frozen=True, kw_only=True):
    """A group of machines was told not to replace those that fail."""

    group: str
    processes: tuple[str, ...]


class ScalingGroupResumed(Event, frozen=True, kw_only=True):
    """A group of machines replaces those that fail again."""

    group: str
    processes: tuple[str, ...]


class CommandExecuted(Event, frozen=True, kw_only=True):
    """A command was carried to a node's machine (`id` is the node's UID, `name` its name).

    `output` is shortened. `exit_code` is None where the command could not be carried there, or did not end in time;
    `error` tells why.
    """

    id: str
    name: str
    command: str
    exit_code: int | None
    output: str
    duration_ms: float
    error: str = ""


class NodeCordoned(Event, frozen=True, kw_only=True):
    """A node takes no more pods; `already` tells that it took none before, and so stays that way."""

    node: NodeRef
    already: bool = False


class NodeTainted(Event, frozen=True, kw_only=True):
    """A node has a taint; `taint` reads as in kubectl, `key=value:effect`, `already` tells that it had it before."""

    node: NodeRef
    taint: str
    already: bool = False
