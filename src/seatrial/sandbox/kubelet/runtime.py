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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seatrial.sandbox.kubelet import process
from seatrial.sandbox.kubelet.container_log import LogFile, StreamWriter
from seatrial.sandbox.kubelet.container_process import Launch, StartError, fork_container
from seatrial.sandbox.kubelet.protocol import (
    Container,
    ContainerRecord,
    ExecInContainer,
    Exited,
    FollowLog,
    ListContainers,
    Logged,
    Message,
    RemoveContainer,
    Reply,
    Request,
    SignalContainer,
    StartContainer,
)
from seatrial.sandbox.kubelet.reactor import Reactor, Timer

# Tells to which container a process belongs that left its session.
CONTAINER_ID_VARIABLE: Final = "SEATRIAL_CONTAINER_ID"
_CHUNK_BYTES: Final = 65536
# What kubelet keeps of an exec probe's output.
_MOST_EXEC_OUTPUT_BYTES: Final = 10 * 1024


@dataclass(kw_only=True)
class _Running:
    """A container whose main process has not been reaped."""

    record: ContainerRecord
    log: LogFile
    streams: dict[int, StreamWriter]
    followed: bool = False


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
        images: the user's own images, name to command.
        tell: takes what the kubelet is to know; whether one listens is not the runtime's business.
    """

    def __init__(
        self, reactor: Reactor, *, images: Mapping[str, tuple[str, ...]], tell: Callable[[Message], None]
    ) -> None:
        self._reactor = reactor
        self._images = images
        self._tell = tell
        self._running: dict[int, _Running] = {}
        self._execs: dict[int, _Exec] = {}
        self._records: dict[str, ContainerRecord] = {}

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
                self._tell(Reply(request.request_id, records=self.records))
            case ExecInContainer():
                self._exec(request)
            case FollowLog():
                self._follow(request)

    def reap(self, pid: int, wait_status: int) -> None:
        """Take note of a child's end: a container's, a command's, or an orphan's."""
        if pid in self._running:
            self._finish(self._running.pop(pid), process.exit_code_of(wait_status))
        elif pid in self._execs:
            self._finish_exec(pid, process.exit_code_of(wait_status))

    def sweep(self) -> None:
        """Kill what ended containers left behind, wherever it hid: it is now this process's child."""
        for pid in process.children_of(os.getpid()):
            if pid not in self._running and pid not in self._execs and self._is_left_over(pid):
                process.kill_group(pid)
                process.send_signal(pid, signal.SIGKILL)

    def _start(self, request: StartContainer) -> Reply:
        container = request.container
        pipes: list[int] = []
        try:
            log = LogFile(Path(container.log_file))
            pipes = [*os.pipe2(os.O_CLOEXEC), *os.pipe2(os.O_CLOEXEC)]
            out_reader, out_writer, err_reader, err_writer = pipes
            pid = fork_container(self._launch(container), images=self._images, stdout=out_writer, stderr=err_writer)
        except (StartError, OSError) as error:
            for fd in pipes:
                os.close(fd)
            return Reply(request.request_id, error=str(error))
        os.close(out_writer)
        os.close(err_writer)
        record = ContainerRecord(container=container, pid=pid, started_at=time.time())
        streams = {out_reader: StreamWriter(log, "stdout"), err_reader: StreamWriter(log, "stderr")}
        running = _Running(record=record, log=log, streams=streams)
        self._running[pid] = running
        self._records[container.id] = record
        for fd in streams:
            os.set_blocking(fd, False)
            self._reactor.watch(fd, functools.partial(self._read_output, running, fd))
        return Reply(request.request_id, records=(record,))

    def _launch(self, container: Container, argv: tuple[str, ...] = ()) -> Launch:
        return Launch(
            name=container.name,
            image=container.image,
            argv=argv or container.argv,
            environ={**container.environ, CONTAINER_ID_VARIABLE: container.id},
            working_directory=container.working_directory,
        )

    def _signal(self, request: SignalContainer) -> Reply:
        running = self._find(request.container_id)
        if running is None:
            return Reply(request.request_id, error="not running")
        if request.signal == signal.SIGKILL:
            process.kill_group(running.record.pid)
        process.send_signal(running.record.pid, request.signal)
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

    def _read_output(self, running: _Running, fd: int) -> None:
        try:
            chunk = os.read(fd, _CHUNK_BYTES)
        except BlockingIOError:
            return
        if chunk:
            running.streams[fd].write(chunk)
        else:
            self._close_stream(running, fd)
        if running.followed:
            running.followed = False
            self._tell(Logged(running.record.container.id))

    def _close_stream(self, running: _Running, fd: int) -> None:
        running.streams.pop(fd).close()
        self._reactor.unwatch(fd)
        os.close(fd)

    def _finish(self, running: _Running, exit_code: int) -> None:
        old = running.record
        process.kill_group(old.pid)
        for fd in tuple(running.streams):
            with contextlib.suppress(BlockingIOError):
                while chunk := os.read(fd, _CHUNK_BYTES):
                    running.streams[fd].write(chunk)
            self._close_stream(running, fd)
        running.log.close()
        record = ContainerRecord(
            container=old.container,
            pid=old.pid,
            started_at=old.started_at,
            finished_at=time.time(),
            exit_code=exit_code,
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

    def _exec(self, request: ExecInContainer) -> None:
        running = self._find(request.container_id)
        if running is None:
            self._tell(Reply(request.request_id, error="container not running", exit_code=126))
            return
        reader, writer = os.pipe2(os.O_CLOEXEC)
        launch = self._launch(running.record.container, request.argv)
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
