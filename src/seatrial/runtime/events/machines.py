"""What was done to nodes and to the machines under them."""

from seatrial.runtime.events.event import Event
from seatrial.runtime.events.references import NodeRef, PodRef


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


class MachineRebooted(Event, frozen=True, kw_only=True):
    """A machine was told to reboot, and its cloud says that it is up; `duration_ms` is how long that took."""

    id: str
    name: str
    force: bool
    duration_ms: float


class MachinePaused(Event, frozen=True, kw_only=True):
    """A machine stands still, as its cloud says; `duration_ms` is how long that took."""

    id: str
    name: str
    duration_ms: float


class MachineDeleted(Event, frozen=True, kw_only=True):
    """A machine is gone for good, as its cloud says; `duration_ms` is how long that took."""

    id: str
    name: str
    duration_ms: float


class MachineSkipped(Event, frozen=True, kw_only=True):
    """A machine was left as it is, and why; `error` where it should not have been."""

    id: str
    name: str
    reason: str
    error: bool = False


class PodMoved(Event, frozen=True, kw_only=True):
    """What ran on a machine that went down has a Ready replacement elsewhere.

    Times are since the machine was told to stop: until the pod was evicted, its replacement created, and Ready; None
    where the watch did not show that moment.
    """

    pod: PodRef
    replacement: PodRef
    from_node: str
    to_node: str
    evicted_ms: float | None
    created_ms: float | None
    ready_ms: float


class MoveMissed(Event, frozen=True, kw_only=True):
    """What ran on a machine that went down had no Ready replacement elsewhere when nobody looked any more.

    That was `waited_ms` after the machine was told to stop; `created_ms` is when a replacement was created, if one was.
    """

    pod: PodRef
    waited_ms: float
    created_ms: float | None = None


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


class CommandOutput(Event, frozen=True, kw_only=True):
    """A command on a node's machine wrote this line (`id` is the node's UID, `name` its name).

    Lines come while it runs where the way to the machine carries them one by one (SSH), at its end otherwise, and as
    many as an output is kept of.
    """

    id: str
    name: str
    line: str


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


class ProcessesSignalled(Event, frozen=True, kw_only=True):
    """Processes on a node's machine were sent a signal (`id` is the node's UID, `name` its name).

    `processes` are those that were meant, each as `PID NAME`; `number` of `times` says which of several times it was.
    """

    id: str
    name: str
    signal: str
    processes: tuple[str, ...]
    number: int = 1
    times: int = 1


class ServiceStopped(Event, frozen=True, kw_only=True):
    """A service on a node's machine is not active any more; `number` of `times` says which of several stops it was."""

    id: str
    name: str
    service: str
    duration_ms: float
    number: int = 1
    times: int = 1


class ServiceStarted(Event, frozen=True, kw_only=True):
    """A service on a node's machine was told to start, and is active; `duration_ms` is how long that took."""

    id: str
    name: str
    service: str
    duration_ms: float


class StressStarted(Event, frozen=True, kw_only=True):
    """A node's machine is under load; `load` says which in words, `seconds` for how long at most."""

    id: str
    name: str
    load: str
    seconds: int


class NodeCordoned(Event, frozen=True, kw_only=True):
    """A node takes no more pods; `already` tells that it took none before, and so stays that way."""

    node: NodeRef
    already: bool = False


class NodeUncordoned(Event, frozen=True, kw_only=True):
    """A node takes pods again; `already` tells that it did before."""

    node: NodeRef
    already: bool = False


class NodeTainted(Event, frozen=True, kw_only=True):
    """A node has a taint; `taint` reads as in kubectl, `key=value:effect`, `already` tells that it had it before."""

    node: NodeRef
    taint: str
    already: bool = False
