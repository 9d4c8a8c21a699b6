"""The container runtime of a machine: starts processes, keeps their output, tells how they end.

The counterpart of containerd, inside the machine's own process, so that containers outlive their kubelet. A
container is a session of its own; when its main process ends, what is left of it is killed. Records of ended
containers stay until the kubelet removes them.
"""

import contextlib
import functools
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec

from seatrial.sandbox.kubelet import process
from seatrial.sandbox.kubelet.container_isolation import namespaces
from seatrial.sandbox.kubelet.container_isolation.control_groups import ControlGroups, Limits, find_hierarchy
from seatrial.sandbox.kubelet.container_isolation.resource_limits import ResourceLimits
from seatrial.sandbox.kubelet.container_launch import CONTAINER_ID_VARIABLE, Launches, is_on_machine
from seatrial.sandbox.kubelet.container_log import LogFile, StreamWriter
from seatrial.sandbox.kubelet.container_process import Launch, StartError, fork_container
from seatrial.sandbox.kubelet.early_signals import EarlySignals
from seatrial.sandbox.kubelet.protocol import (
    AttachContainer,
    CloseStdin,
    Container,
    ContainerRecord,
    ExecInContainer,
    Exited,
    FollowLog,
    LimitContainer,
    ListContainers,
    Logged,
    Message,
    OpenExec,
    RemoveContainer,
    Reply,
    Request,
    SignalContainer,
    StartContainer,
    encode_line,
)
from seatrial.sandbox.kubelet.reactor import Reactor, Timer
from seatrial.sandbox.kubelet.streams.attachments import Attachment
from seatrial.sandbox.kubelet.streams.container_streams import ContainerStreams, open_streams, unread_bytes
from seatrial.sandbox.kubelet.streams.descriptor_channel import close_all
from seatrial.sandbox.kubelet.streams.sessions import Sessions
from seatrial.sandbox.network.low_ports import first_bindable_port

# What containerd and runc say around the reason.
_START_FAILED: Final = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
)
_CHUNK_BYTES: Final = 65536
_KILLED_EXIT_CODE: Final = 128 + signal.SIGKILL
# How long what a container writes is gathered, and how often as long again while it goes on: a line at a time costs a
# wake-up each.
_GATHER_SECONDS: Final = 0.003
_GATHER_ROUNDS: Final = 4
# What kubelet keeps of an exec probe's output.
_MOST_EXEC_OUTPUT_BYTES: Final = 10 * 1024


@dataclass(kw_only=True)
class _Running:
    """A container whose main process has not been reaped."""

    record: ContainerRecord
    log: LogFile
    streams: dict[int, StreamWriter]
    input: int | None = None
    attachments: list[Attachment] = field(default_factory=list)
    watched: set[int] = field(default_factory=set)
    held_up: bool = False
    followed: bool = False
    oom_killed: bool = False


@dataclass(kw_only=True)
class _Exec:
    """A command that runs beside a container's main process."""

    request: ExecInContainer
    reader: int
    output: bytearray = field(default_factory=bytearray)
    timer: Timer | None = None
    timed_out: bool = False


class ContainerRuntime:
    """Carries out the kubelet's requests and tells it what happens.

    Args:
        reactor: the machine's loop.
        directory: the machine's.
        node_name: what the machine's commands have as `NODE_NAME`.
        sandbox: which one it belongs to.
        images: the user's own images, name to command.
        tell: takes what the kubelet is to know; whether one listens is not the runtime's business.
        tell_packet: the same for what comes with descriptors.
    """

    def __init__(
        self,
        reactor: Reactor,
        *,
        directory: Path,
        node_name: str,
        sandbox: str,
        images: Mapping[str, tuple[str, ...]],
        tell: Callable[[Message], None],
        tell_packet: Callable[[bytes, Sequence[int]], None] = lambda _packet, _descriptors: None,
    ) -> None:
        self._reactor = reactor
        self._launches = Launches(directory=directory, node_name=node_name)
        self._images = images
        self._tell = tell
        self._tell_packet = tell_packet
        self._sessions = Sessions(images=images, tell=tell)
        self._running: dict[int, _Running] = {}
        self._execs: dict[int, _Exec] = {}
        self._records: dict[str, ContainerRecord] = {}
        self._signals = EarlySignals(reactor, is_running=self._running.__contains__)
        self._limits = ResourceLimits(
            reactor,
            groups=ControlGroups(find_hierarchy(), directory=directory, sandbox=sandbox),
            kill=self._kill_for_memory,
        )
        # Found out once, for all containers: one in a user namespace takes itself to be allowed everything.
        namespaces.available()
        first_bindable_port()

    @property
    def records(self) -> tuple[ContainerRecord, ...]:
        """All containers that were not removed."""
        return tuple(self._records.values())

    def handle(self, request: Request) -> None:
        """Carry out one request and answer it."""
        match request:
            case StartContainer():
                self._tell(self._start(request))
            case SignalContainer():
                self._tell(self._signal(request))
            case RemoveContainer():
                self._tell(self._remove(request))
            case ListContainers():
                self._tell(Reply(request.request_id, records=self.records, isolates=namespaces.available()))
            case LimitContainer():
                self._limit(request)
            case ExecInContainer():
                self._exec(request)
            case CloseStdin():
                self._close_stdin(request)
            case FollowLog():
                self._follow(request)

    def handle_packet(self, request: Request, descriptors: list[int]) -> None:
        """Carry out a request that brings descriptors along, and close them here."""
        match request:
            case OpenExec() if len(descriptors) == 3:
                self._open_exec(request, descriptors)
                close_all(descriptors)
            case AttachContainer() if len(descriptors) == 2:
                self._attach(request, descriptors)
            case _:
                close_all(descriptors)

    def reap(self, pid: int, wait_status: int) -> None:
        """Take note of a child's end: a container's, a command's, or an orphan's."""
        if pid in self._running:
            self._finish(self._running.pop(pid), process.exit_code_of(wait_status))
        elif pid in self._execs:
            self._finish_exec(pid, process.exit_code_of(wait_status))
        else:
            self._sessions.reap(pid, process.exit_code_of(wait_status))

    def sweep(self) -> None:
        """Kill what ended containers left behind, wherever it hid: it is now this process's child."""
        for pid in process.children_of(os.getpid()):
            is_known = pid in self._running or pid in self._execs or pid in self._sessions
            if not is_known and self._is_left_over(pid):
                process.kill_group(pid)
                process.send_signal(pid, signal.SIGKILL)
        self._limits.sweep()

    def _start(self, request: StartContainer) -> Reply:
        container = request.container
        opened: ContainerStreams | None = None
        groups = self._limits.prepare(container)
        try:
            log = LogFile(Path(container.log_file))
            opened = open_streams(stdin=container.stdin, terminal=container.terminal)
            pid = fork_container(
                self._launch(container, groups=groups),
                images=self._images,
                stdin=opened.stdin,
                stdout=opened.stdout,
                stderr=opened.stderr,
                terminal=opened.terminal,
            )
        except (StartError, OSError) as error:
            if opened is not None:
                opened.close_theirs()
                opened.close_ours()
            self._limits.ended(container.id, 0)
            return Reply(request.request_id, error=f"{_START_FAILED}{error}")
        opened.close_theirs()
        record = ContainerRecord(container=container, pid=pid, started_at=time.time())
        streams = {fd: StreamWriter(log, stream) for fd, stream in opened.outputs.items()}
        running = _Running(record=record, log=log, streams=streams, input=opened.input)
        self._running[pid] = running
        self._records[container.id] = record
        self._limits.started(container, pid, groups=groups)
        for fd in streams:
            os.set_blocking(fd, False)
        self._watch_output(running)
        return Reply(request.request_id, records=(record,))

    def _launch(self, container: Container, *, groups: tuple[Path, ...]) -> Launch:
        """A container, which may see the processes of another."""
        neighbour = self._find(container.process_table_of)
        seen = neighbour.record.pid if neighbour else 0
        return self._launches.make(container, groups=groups, process_table_of=seen)

    def _launch_inside(self, running: _Running, argv: tuple[str, ...]) -> Launch:
        """A command in a container that runs."""
        record = running.record
        groups = self._limits.groups_of(record.container.id)
        return self._launches.make(record.container, argv, groups=groups, inside=record.pid)

    def _kill_for_memory(self, pid: int) -> None:
        running = self._running.get(pid)
        if running is not None:
            running.oom_killed = True
            process.kill_group(pid)
            process.send_signal(pid, signal.SIGKILL)

    def _limit(self, request: LimitContainer) -> None:
        running = self._find(request.container_id)
        if running is not None:
            limits = Limits(memory_bytes=request.memory_bytes, cpu_cores=request.cpu_cores)
            self._limits.change(request.container_id, running.record.pid, limits)
        self._tell(Reply(request.request_id, error="" if running else "not running"))

    def _signal(self, request: SignalContainer) -> Reply:
        running = self._find(request.container_id)
        if running is None:
            return Reply(request.request_id, error="not running")
        if request.signal == signal.SIGKILL:
            process.kill_group(running.record.pid)
        self._signals.send(running.record.pid, request.signal, started_at=running.record.started_at)
        return Reply(request.request_id)

    def _remove(self, request: RemoveContainer) -> Reply:
        running = self._find(request.container_id)
        if running is not None:
            process.kill_group(running.record.pid)
        self._records.pop(request.container_id, None)
        return Reply(request.request_id)

    def _follow(self, request: FollowLog) -> None:
        running = self._find(request.container_id)
        if running is not None:
            running.followed = True
        self._tell(Reply(request.request_id, error="" if running else "not running"))

    def _find(self, container_id: str) -> _Running | None:
        record = self._records.get(container_id)
        return self._running.get(record.pid) if record else None

    def _gather_output(self, running: _Running) -> None:
        """A container writes: read soon, together with what it writes meanwhile."""
        self._unwatch_output(running)
        if running.record.container.terminal:
            self._read_outputs(running)
        else:
            self._await_more(running, size=0, rounds=_GATHER_ROUNDS)

    def _await_more(self, running: _Running, *, size: int, rounds: int) -> None:
        """Wait while more comes, but neither long nor until a pipe is full."""

        def look() -> None:
            found = sum(unread_bytes(fd) for fd in running.streams)
            if rounds and size < found < _CHUNK_BYTES // 2:
                self._await_more(running, size=found, rounds=rounds - 1)
            else:
                self._read_outputs(running)

        self._reactor.call_later(_GATHER_SECONDS, look)

    def _read_outputs(self, running: _Running) -> None:
        # Errors first: of what was written at nearly the same time they are what is looked for.
        for fd in sorted(running.streams, key=lambda fd: running.streams[fd].stream != "stderr"):
            self._read_output(running, fd)
        if not running.held_up:
            self._watch_output(running)

    def _watch_output(self, running: _Running) -> None:
        for fd in running.streams:
            if fd not in running.watched:
                running.watched.add(fd)
                self._reactor.watch(fd, functools.partial(self._gather_output, running))

    def _unwatch_output(self, running: _Running) -> None:
        for fd in running.watched:
            self._reactor.unwatch(fd)
        running.watched.clear()

    def _read_output(self, running: _Running, fd: int) -> None:
        try:
            chunk = os.read(fd, _CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            # A terminal that nobody holds open any more.
            chunk = b""
        if chunk:
            self._take_output(running, fd, chunk)
        else:
            self._close_stream(running, fd)
        if running.followed:
            running.followed = False
            self._tell(Logged(running.record.container.id))

    def _take_output(self, running: _Running, fd: int, chunk: bytes) -> None:
        writer = running.streams[fd]
        writer.write(chunk)
        for attachment in running.attachments:
            attachment.write(writer.stream, chunk)
        self._hold_up(running)

    def _hold_up(self, running: _Running) -> None:
        """Read a container's output only while all who are attached have read what was there before."""
        running.attachments = [attachment for attachment in running.attachments if attachment.is_open]
        must_wait = any(attachment.is_full for attachment in running.attachments)
        if must_wait == running.held_up:
            return
        running.held_up = must_wait
        if must_wait:
            self._unwatch_output(running)
        else:
            self._watch_output(running)

    def _close_stream(self, running: _Running, fd: int) -> None:
        running.streams.pop(fd).close()
        if fd in running.watched:
            running.watched.remove(fd)
            self._reactor.unwatch(fd)
        if fd == running.input:
            running.input = None
        os.close(fd)

    def _finish(self, running: _Running, exit_code: int) -> None:
        old = running.record
        process.kill_group(old.pid)
        exceeded_memory = self._limits.ended(old.container.id, old.pid)
        for fd in sorted(running.streams, key=lambda fd: running.streams[fd].stream != "stderr"):
            with contextlib.suppress(OSError):
                while chunk := os.read(fd, _CHUNK_BYTES):
                    self._take_output(running, fd, chunk)
            self._close_stream(running, fd)
        if running.input is not None:
            os.close(running.input)
        for attachment in running.attachments:
            attachment.end()
        self._sessions.end_with(old.container.id)
        running.log.close()
        record = ContainerRecord(
            container=old.container,
            pid=old.pid,
            started_at=old.started_at,
            finished_at=time.time(),
            exit_code=exit_code,
            oom_killed=running.oom_killed or (exceeded_memory and exit_code == _KILLED_EXIT_CODE),
        )
        if old.container.id in self._records:
            self._records[old.container.id] = record
        self._tell(Exited(record))

    def _is_left_over(self, pid: int) -> bool:
        alive = {running.record.container.id for running in self._running.values()}
        session = process.session_of(pid)
        for record in self._records.values():
            if session == record.pid:
                return not record.running
        marker, _, _ = process.environ_of(pid).partition(f"{CONTAINER_ID_VARIABLE}=".encode())[2].partition(b"\0")
        return bool(marker) and marker.decode(errors="replace") not in alive

    def _open_exec(self, request: OpenExec, descriptors: list[int]) -> None:
        running = self._find(request.container_id)
        if running is None:
            self._tell(Reply(request.request_id, error="container not running", exit_code=126))
            return
        launch = self._launch_inside(running, request.argv)
        if is_on_machine(launch):
            request = msgspec.structs.replace(request, container_id="")
        if request.terminal:
            launch = replace(launch, environ={"TERM": "xterm", **launch.environ})
        self._sessions.open(request, launch, descriptors)

    def _attach(self, request: AttachContainer, descriptors: list[int]) -> None:
        running = self._find(request.container_id)
        if running is None:
            close_all(descriptors)
            self._tell_packet(encode_line(Reply(request.request_id, error="container not running")), ())
            return
        stdout, stderr = descriptors
        attachment = Attachment(
            self._reactor, {"stdout": stdout, "stderr": stderr}, on_change=lambda: self._hold_up(running)
        )
        running.attachments.append(attachment)
        self._tell_packet(encode_line(Reply(request.request_id)), () if running.input is None else (running.input,))

    def _close_stdin(self, request: CloseStdin) -> None:
        running = self._find(request.container_id)
        if running is not None and running.input is not None and running.input not in running.streams:
            os.close(running.input)
            running.input = None
        self._tell(Reply(request.request_id))

    def _exec(self, request: ExecInContainer) -> None:
        running = self._find(request.container_id)
        if running is None:
            self._tell(Reply(request.request_id, error="container not running", exit_code=126))
            return
        reader, writer = os.pipe2(os.O_CLOEXEC)
        launch = self._launch_inside(running, request.argv)
        try:
            pid = fork_container(launch, images=self._images, stdout=writer, stderr=writer)
        except (StartError, OSError) as error:
            os.close(reader)
            self._tell(Reply(request.request_id, error=str(error), exit_code=126))
            return
        finally:
            os.close(writer)
        command = _Exec(request=request, reader=reader)
        self._execs[pid] = command
        os.set_blocking(reader, False)
        self._reactor.watch(reader, lambda: self._read_exec(command))
        command.timer = self._reactor.call_later(request.timeout_seconds, lambda: self._time_out(pid, command))

    def _read_exec(self, command: _Exec) -> None:
        try:
            chunk = os.read(command.reader, _CHUNK_BYTES)
        except BlockingIOError:
            return
        if not chunk:
            self._reactor.unwatch(command.reader)
            return
        command.output += chunk[: _MOST_EXEC_OUTPUT_BYTES - len(command.output)]

    def _time_out(self, pid: int, command: _Exec) -> None:
        command.timed_out = True
        process.kill_group(pid)

    def _finish_exec(self, pid: int, exit_code: int) -> None:
        command = self._execs.pop(pid)
        process.kill_group(pid)
        if command.timer is not None:
            command.timer.cancel()
        self._read_exec_to_end(command)
        output = command.output.decode(errors="replace")
        self._tell(Reply(command.request.request_id, exit_code=exit_code, output=output, timed_out=command.timed_out))

    def _read_exec_to_end(self, command: _Exec) -> None:
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(command.reader, _CHUNK_BYTES):
                command.output += chunk[: _MOST_EXEC_OUTPUT_BYTES - len(command.output)]
        with contextlib.suppress(KeyError):
            self._reactor.unwatch(command.reader)
        os.close(command.reader)
