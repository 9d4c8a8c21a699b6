"""The one character that stands for a pod: its shape tells the state, and its colour tells it once more."""

from enum import Enum

import msgspec

from seatrial.by_hand.live.pods import LivePod
from seatrial.dashboard.colours import BAD, CHANGING, GOING, QUIET, WAITING, WELL


class Cell(msgspec.Struct, frozen=True):
    """How pods of one state are drawn."""

    mark: str
    word: str
    style: str


class PodState(Enum):
    """What a pod is up to, as a row of cells tells it; the order is that of the legend."""

    RUNNING = Cell("●", "running", WELL)
    NOT_READY = Cell("○", "not ready", CHANGING)
    PENDING = Cell("◌", "pending", WAITING)
    FAILING = Cell("✗", "failing", f"bold {BAD}")
    TERMINATING = Cell("…", "terminating", GOING)
    SUCCEEDED = Cell("·", "succeeded", QUIET)


_PENDING = frozenset({"Pending", "ContainerCreating", "PodInitializing", "SchedulingGated"})
_SUCCEEDED = frozenset({"Completed", "Succeeded"})


def state_of(pod: LivePod) -> PodState:
    """The state of a pod, from what kubectl prints under STATUS, and its condition Ready."""
    status = pod.status
    if pod.deleted is not None:
        return PodState.TERMINATING
    if status == "Running":
        # Of containers on a machine that is gone, READY counts what was; the pod's own condition is set to False.
        return PodState.RUNNING if pod.is_ready else PodState.NOT_READY
    if status == "NotReady":
        return PodState.NOT_READY
    if status in _SUCCEEDED:
        return PodState.SUCCEEDED
    is_init = status.startswith("Init:") and status.removeprefix("Init:").partition("/")[0].isdigit()
    # What is neither on its way nor well needs somebody: CrashLoopBackOff, ImagePullBackOff, Error, Evicted, ...
    return PodState.PENDING if status in _PENDING or is_init else PodState.FAILING
