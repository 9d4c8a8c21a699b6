"""What was done to pods and their containers, and how they came back."""

from seatrial.runtime.events.event import Event
from seatrial.runtime.events.references import PodRef


class PodEvicted(Event, frozen=True, kw_only=True):
    """The API server granted the eviction of exactly this pod; `duration_ms` is how long the call took."""

    pod: PodRef
    duration_ms: float


class EvictionBlocked(Event, frozen=True, kw_only=True):
    """PodDisruptionBudgets forbid a pod's eviction; `budgets` names them as far as the API server does."""

    pod: PodRef
    budgets: tuple[str, ...]
    reason: str = ""


class EvictionSkipped(Event, frozen=True, kw_only=True):
    """A pod was not evicted, for another reason than a budget; `error` where it should have been."""

    pod: PodRef
    reason: str
    error: bool = False


class PodKilled(Event, frozen=True, kw_only=True):
    """The API server accepted the deletion of exactly this pod; `duration_ms` is how long the call took.

    `replaced` tells whether its controller is one that replaces it, so that its recovery is measured. Where
    `on_machine` names a node, its containers were killed by commands there instead, which took so long.
    """

    pod: PodRef
    force: bool
    replaced: bool = True
    duration_ms: float
    on_machine: str = ""


class PodKillSkipped(Event, frozen=True, kw_only=True):
    """A chosen pod was not killed, and why."""

    pod: PodRef
    reason: str
    error: bool


class PodSpared(Event, frozen=True, kw_only=True):
    """A pod that asks to be killed by its labels was left alone, and why."""

    pod: PodRef
    reason: str


class PodRecovered(Event, frozen=True, kw_only=True):
    """A killed pod's replacement is Ready; all times in milliseconds since the kill was sent.

    Each is None where the watch did not show that moment.
    """

    pod: PodRef
    replacement: PodRef
    gone_ms: float | None
    created_ms: float
    scheduled_ms: float | None
    running_ms: float | None
    ready_ms: float


class RecoveryMissed(Event, frozen=True, kw_only=True):
    """No Ready replacement of a killed pod was seen, and why.

    It was looked for until `waited_ms` after the kill was sent. The other moments are as in `PodRecovered`, None where
    they had not come by then; all are None where nobody knows when that was.
    """

    pod: PodRef
    reason: str
    waited_ms: float | None = None
    gone_ms: float | None = None
    created_ms: float | None = None
    scheduled_ms: float | None = None
    running_ms: float | None = None


class PodCommandExecuted(Event, frozen=True, kw_only=True):
    """A command was run in a container of a pod.

    `output` is shortened. `exit_code` is None where it could not be run, or it is not known what became of it; `error`
    tells why.
    """

    pod: PodRef
    container: str
    command: str
    exit_code: int | None
    output: str
    duration_ms: float
    error: str = ""


class TimerArmed(Event, frozen=True, kw_only=True):
    """A timer was started beside a fault, which undoes it after so many seconds whatever becomes of Seatrial.

    `place` is the container or node that it runs in, `undo` the command that it runs.
    """

    place: str
    seconds: int
    undo: str


class ContainerSignalled(Event, frozen=True, kw_only=True):
    """A signal was sent to a container's main process; `via` tells from where.

    `number` of `times` says which of several times it was.
    """

    pod: PodRef
    container: str
    signal: str
    via: str
    number: int = 1
    times: int = 1


class ContainerRestarted(Event, frozen=True, kw_only=True):
    """A container that was ended runs again, and is ready; times in milliseconds since the signal was sent."""

    pod: PodRef
    container: str
    ended_ms: float
    ready_ms: float
    restarts: int
