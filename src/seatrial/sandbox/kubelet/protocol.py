"""What kubelet and container runtime say to each other: JSON lines over a socket pair.

The counterpart of Kubernetes' Container Runtime Interface, cut down to what processes need. The runtime
(`runtime`) owns the containers and remembers their ends; the kubelet (`runtime_client`) may die and come back,
lists what there is and carries on.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from seatrial.sandbox.kubelet.container_isolation.root_filesystem import Mount


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """One life of a container: a restart is another one, with the next `attempt` and another id.

    `argv` is resolved; `environ` is complete; `log_file` is a path of this machine. With a `root`, the directory of
    the container's file tree (`root_filesystem.Root`), `working_directory` is a path in it; else of this machine too.
    One that `may_enter_machine` is privileged and sees the node's processes. `process_table_of` is the id of the
    container whose processes it sees. `user` and `group` are who it runs as, where it may.
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
    root: str = ""
    template: str = ""
    whole_host: bool = False
    mounts: tuple[Mount, ...] = ()
    hostname: str = ""
    shares_host_pids: bool = False
    may_enter_machine: bool = False
    process_table_of: str = ""
    read_only_root: bool = False
    user: int | None = None
    group: int | None = None
    memory_limit_bytes: int = 0
    cpu_limit_cores: float = 0.0
    stdin: bool = False
    terminal: bool = False


class ContainerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A container and what became of it; times are seconds since the epoch, `finished_at` 0 while it runs."""

    container: Container
    pid: int
    started_at: float
    finished_at: float = 0.0
    exit_code: int = 0
    oom_killed: bool = False

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


class LimitContainer(msgspec.Struct, frozen=True, tag="limit"):
    """Change how much memory and processor time a running container may have; 0 for as much as there is."""

    request_id: int
    container_id: str
    memory_bytes: int
    cpu_cores: float


class OpenExec(msgspec.Struct, frozen=True, tag="open-exec"):
    """Run a command with the three descriptors that come along as its streams (`descriptor_channel`).

    Answered when it has started, and once more (`CommandEnded`) when it has ended.
    """

    request_id: int
    container_id: str
    argv: tuple[str, ...]
    terminal: bool = False


class AttachContainer(msgspec.Struct, frozen=True, tag="attach"):
    """Copy the container's output to the two descriptors that come along.

    The answer comes by packet, with a descriptor of the container's standard input (or of its terminal) if it has one.
    """

    request_id: int
    container_id: str


class CloseStdin(msgspec.Struct, frozen=True, tag="close-stdin"):
    """Let the container's standard input end."""

    request_id: int
    container_id: str


class FollowLog(msgspec.Struct, frozen=True, tag="follow"):
    """Tell (`Logged`) when the container writes; once for each time this is asked."""

    request_id: int
    container_id: str


Request = (
    StartContainer
    | SignalContainer
    | RemoveContainer
    | ListContainers
    | ExecInContainer
    | OpenExec
    | AttachContainer
    | CloseStdin
    | FollowLog
    | LimitContainer
)


class Reply(msgspec.Struct, frozen=True, tag="reply", omit_defaults=True):
    """The answer to a request; `error` is empty when it was carried out.

    `isolates` comes with a list: whether containers get file trees of their own.
    """

    request_id: int
    error: str = ""
    records: tuple[ContainerRecord, ...] = ()
    exit_code: int = 0
    output: str = ""
    timed_out: bool = False
    isolates: bool = False


class CommandEnded(msgspec.Struct, frozen=True, tag="command-ended"):
    """A command that `OpenExec` started ended."""

    request_id: int
    exit_code: int


class Exited(msgspec.Struct, frozen=True, tag="exited"):
    """A container ended; its log is complete."""

    record: ContainerRecord


class Logged(msgspec.Struct, frozen=True, tag="logged"):
    """A container whose log is followed wrote something."""

    container_id: str


Message = Reply | Exited | Logged | CommandEnded

decode_request: Final = msgspec.json.Decoder(Request).decode
decode_message: Final = msgspec.json.Decoder(Message).decode
_encoder: Final = msgspec.json.Encoder()


def encode_line(message: Request | Message) -> bytes:
    """A message as one line."""
    return _encoder.encode(message) + b"\n"
