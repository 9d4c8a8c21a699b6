"""What a container is doing, as pod statuses tell it: waiting, running or terminated, and how it ended last time."""

from dataclasses import dataclass
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.protocol import ContainerRecord
from seatrial.sandbox.timestamps import format_seconds, parse_time

# What the exit code of a container is that vanished with its machine.
LOST_EXIT_CODE: Final = 255
START_FAILED_EXIT_CODE: Final = 128


@dataclass(frozen=True)
class Waiting:
    """Not started yet, or to be started again."""

    reason: str
    message: str = ""

    def to_object(self) -> Object:
        """As in a status."""
        return {"waiting": {"reason": self.reason, **({"message": self.message} if self.message else {})}}


@dataclass(frozen=True)
class Running:
    """Its main process is alive."""

    started_at: float

    def to_object(self) -> Object:
        """As in a status."""
        return {"running": {"startedAt": format_seconds(self.started_at)}}


@dataclass(frozen=True, kw_only=True)
class Terminated:
    """It ended."""

    exit_code: int
    reason: str
    message: str = ""
    started_at: float
    finished_at: float
    container_id: str

    @classmethod
    def from_object(cls, terminated: Object) -> "Terminated":
        """Read one of a status."""
        return cls(
            exit_code=int(terminated.get("exitCode", 0)),
            reason=terminated.get("reason", ""),
            message=terminated.get("message", ""),
            started_at=parse_time(terminated.get("startedAt")),
            finished_at=parse_time(terminated.get("finishedAt")),
            container_id=terminated.get("containerID", ""),
        )

    def to_object(self) -> Object:
        """As in a status."""
        body: Object = {"exitCode": self.exit_code, "reason": self.reason}
        if self.message:
            body["message"] = self.message
        body["startedAt"] = format_seconds(self.started_at)
        body["finishedAt"] = format_seconds(self.finished_at)
        body["containerID"] = self.container_id
        return {"terminated": body}


@dataclass
class ContainerState:
    """One container of a pod, over all its restarts; the pod worker changes it, the status shows it."""

    name: str
    current: Waiting | Running | Terminated
    last: Terminated | None = None
    restart_count: int = 0
    container_id: str = ""
    image: str = ""
    image_id: str = ""
    started: bool = False
    ready: bool = False
    # User and group id of its process.
    user: tuple[int, int] | None = None
    # A sidecar: an init container that goes on running.
    restartable: bool = False
    # How it ended before `last`, while it waits.
    earlier: Terminated | None = None

    @property
    def running(self) -> bool:
        """Whether its main process is alive."""
        return isinstance(self.current, Running)

    @property
    def completed(self) -> bool:
        """Whether it ended with exit code 0."""
        return isinstance(self.current, Terminated) and self.current.exit_code == 0

    def begin(self, *, container_id: str, started_at: float, started: bool, ready: bool) -> None:
        """It was started."""
        if isinstance(self.current, Terminated):
            self.last = self.current
        self.current = Running(started_at)
        self.container_id = container_id
        self.started = started
        self.ready = ready

    def end(self, terminated: Terminated, *, ready: bool = False) -> None:
        """It ended; `ready` for an init container that did what it should."""
        self.current = terminated
        self.started = False
        self.ready = ready

    def wait(self, reason: str, message: str = "") -> None:
        """It waits to be started."""
        if isinstance(self.current, Terminated):
            self.last, self.earlier = self.current, self.last
        self.current = Waiting(reason, message)
        self.started = False
        self.ready = False

    def give_up(self, first_reason: str) -> None:
        """It won't be started any more: what it waits for doesn't matter, only how it ended, if it ever ran.

        Args:
            first_reason: what it waited for in the beginning.
        """
        if not isinstance(self.current, Waiting):
            return
        if self.last is None:
            self.current = Waiting(first_reason)
        else:
            self.current, self.last = self.last, self.earlier


def termination_reason(record: ContainerRecord) -> str:
    """Why a container ended, in the words of a status."""
    if record.oom_killed:
        return "OOMKilled"
    return "Error" if record.exit_code else "Completed"
