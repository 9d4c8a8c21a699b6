"""What kubelet and container runtime say to each other: JSON lines over a socket pair.

The counterpart of Kubernetes' Container Runtime Interface, cut down to what processes need. The runtime
(`runtime`) owns the containers and remembers their ends; the kubelet (`runtime_client`) may die and come back,
lists what there is and carries on.
"""

from collections.abc import Mapping
from typing import Final

import msgspec


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """One life of a container: a restart is another one, with the next `attempt` and another id.

    `argv` is resolved; `environ` is complete; `working_directory` and `log_file` are paths of this machine.
    """

    id: str
    pod_uid: str
    pod_name: str
    namespace: str
    name: str
    attempt: int
    image: str
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    working_directory: str
    log_file: str
    pod_ip: str = ""


class ContainerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A container and what became of it; times are seconds since the epoch, `finished_at` 0 while it runs."""

    container: Container
    pid: int
    started_at: float
    finished_at: float = 0.0
    exit_code: int = 0

    @property
    def running(self) -> bool:
        """Whether its main process is alive."""
        return not self.finished_at


class StartContainer(msgspec.Struct, frozen=True, tag="start"):
    """Start a process; answered by its record or by why it could not start."""

    request_id: int
    container: Container


class SignalContainer(msgspec.Struct, frozen=True, tag="signal"):
    """Send a signal to the container's main process; SIGKILL goes to its whole process group."""

    request_id: int
    container_id: str
    signal: int


class RemoveContainer(msgspec.Struct, frozen=True, tag="remove"):
    """Forget a container that has ended; one that runs is killed first."""

    request_id: int
    container_id: str


class ListContainers(msgspec.Struct, frozen=True, tag="list"):
    """All containers, those that ended and were not removed too."""

    request_id: int


class ExecInContainer(msgspec.Struct, frozen=True, tag="exec"):
    """Run a command beside the container's main process, in its directory and environment, and wait for it."""

    request_id: int
    container_id: str
    argv: tuple[str, ...]
    timeout_seconds: float


class FollowLog(msgspec.Struct, frozen=True, tag="follow"):
    """Tell (`Logged`) when the container writes; once for each time this is asked."""

    request_id: int
    container_id: str


Request = StartContainer | SignalContainer | RemoveContainer | ListContainers | ExecInContainer | FollowLog


class Reply(msgspec.Struct, frozen=True, tag="reply", omit_defaults=True):
    """The answer to a request; `error` is empty when it was carried out."""

    request_id: int
    error: str = ""
    records: tuple[ContainerRecord, ...] = ()
    exit_code: int = 0
    output: str = ""
    timed_out: bool = False


class Exited(msgspec.Struct, frozen=True, tag="exited"):
    """A container ended; its log is complete."""

    record: ContainerRecord


class Logged(msgspec.Struct, frozen=True, tag="logged"):
    """A container whose log is followed wrote something."""

    container_id: str


Message = Reply | Exited | Logged

decode_request: Final = msgspec.json.Decoder(Request).decode
decode_message: Final = msgspec.json.Decoder(Message).decode
_encoder: Final = msgspec.json.Encoder()


def encode_line(message: Request | Message) -> bytes:
    """A message as one line."""
    return _encoder.encode(message) + b"\n"
