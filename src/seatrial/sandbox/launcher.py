"""The launcher: starts a sandbox's machines, and sweeps up behind the sandbox when it ends, however it ends.

    main process (API server, controllers; asyncio)
      └── launcher ─┬── machine node1 ── kubelet, containers
                    └── machine node2 ── ...

It is forked before the main process has a loop or a thread, holds one socket to it and does two things. On request it
starts machines and switches them off. And it is the *warden*: when the socket closes, because the main process stopped
or was killed, it kills everything of the sandbox (its descendants, and whatever carries the sandbox's marker in its
environment), removes the sandbox's directory, and ends. So it alone outlives the main process, for a moment.

`Launcher` is the main process's side of the socket.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from seatrial.errors import SandboxError
from seatrial.sandbox.kubelet import process
from seatrial.sandbox.kubelet.channel import Channel
from seatrial.sandbox.kubelet.container_isolation.control_groups import remove_groups
from seatrial.sandbox.kubelet.machine_config import MachineConfig
from seatrial.sandbox.kubelet.reactor import Reactor
from seatrial.sandbox.leftovers import remove_directory, sweep
from seatrial.sandbox.preload import preload


class _Request(msgspec.Struct, omit_defaults=True):
    """Main process to launcher: start a machine, or cut the power of the one of that name."""

    start: MachineConfig | None = None
    cut_power: str = ""


class _Report(msgspec.Struct, omit_defaults=True):
    """Launcher to main process: a machine was started, or ended."""

    machine: str
    started: int = 0
    ended: bool = False
    exit_code: int = 0


@dataclass(frozen=True)
class LauncherProcess:
    """A launcher that was forked: its process id and the main process's end of the socket."""

    pid: int
    socket: socket.socket


def fork_launcher(*, sandbox_id: str, remove: Path, keep_open: Sequence[int] = ()) -> LauncherProcess:
    """Fork the launcher; to be called while the process has one thread and no event loop.

    Args:
        sandbox_id: what the sandbox's processes carry as `leftovers.MARKER` in their environment.
        remove: the directory that goes with the sandbox.
        keep_open: descriptors that the launcher holds as long as it lives: the directory's lock.
    """
    ours, theirs = socket.socketpair()
    main_pid = os.getpid()
    # What is loaded by now is shared by all processes, and stays shared if the collector leaves it alone.
    gc.collect()
    gc.freeze()
    pid = os.fork()
    if pid == 0:
        process.close_all_but(theirs.fileno(), *keep_open)
        _become_launcher(theirs, sandbox_id=sandbox_id, main_pid=main_pid, remove=remove)
    theirs.close()
    return LauncherProcess(pid, ours)


def _become_launcher(sock: socket.socket, *, sandbox_id: str, main_pid: int, remove: Path) -> NoReturn:
    code = 1
    try:
        process.name_process("seatrial warden")
        process.become_subreaper()
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        preload()
        _Warden(sock).run()
        code = 0
    except BaseException:  # noqa: BLE001 -- must not return into the main process's code; the log tells why
        traceback.print_exc()
    finally:
        sock.close()
        sweep(sandbox_id, spare={os.getpid(), main_pid})
        remove_groups(sandbox_id, remove / "machines")
        remove_directory(remove)
        os._exit(code)


class _Warden:
    """The launcher's process, while the sandbox lives."""

    def __init__(self, sock: socket.socket) -> None:
        self._reactor = Reactor()
        self._machines: dict[int, str] = {}
        self._channel = Channel(self._reactor, sock, on_line=self._take, on_close=self._reactor.stop)
        self._reactor.on_signal(signal.SIGCHLD, self._reap)
        self._reactor.on_signal(signal.SIGTERM, self._reactor.stop)

    def run(self) -> None:
        """Serve until the main process is gone."""
        self._reactor.run()

    def _take(self, line: bytes) -> None:
        request = _REQUESTS.decode(line)
        if request.start is not None:
            self._start(request.start)
            return
        for pid, name in self._machines.items():
            if name == request.cut_power:
                process.send_signal(pid, signal.SIGKILL)

    def _start(self, config: MachineConfig) -> None:
        launcher = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _become_machine(config, launcher)
        self._machines[pid] = config.node_name
        self._tell(_Report(machine=config.node_name, started=pid))

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            name = self._machines.pop(pid, None)
            if name is not None:
                self._tell(_Report(machine=name, ended=True, exit_code=process.exit_code_of(status)))

    def _tell(self, report: _Report) -> None:
        self._channel.send(msgspec.json.encode(report) + b"\n")


def _become_machine(config: MachineConfig, launcher: int) -> NoReturn:
    from seatrial.sandbox.kubelet import machine  # noqa: PLC0415 -- the main process has no use for it

    try:
        process.die_with_parent(launcher)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        process.close_all_but()
        machine.run_machine(config)
    except BaseException:  # noqa: BLE001 -- must not return into the launcher's code; the log tells why
        traceback.print_exc()
    finally:
        os._exit(1)


class Launcher:
    """The main process's side: asks for machines, hears of their end.

    Args:
        launcher: the forked process.
        on_exit: called with a machine's name and exit code when it has ended.
    """

    def __init__(self, launcher: LauncherProcess, *, on_exit: Callable[[str, int], None]) -> None:
        self._process = launcher
        self._on_exit = on_exit
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._running: dict[str, int] = {}
        self._starting: dict[str, asyncio.Future[int]] = {}

    @property
    def machines(self) -> dict[str, int]:
        """The machines that run: name to process id."""
        return dict(self._running)

    async def connect(self) -> None:
        """Take up the socket with the running event loop."""
        self._reader, self._writer = await asyncio.open_connection(sock=self._process.socket)

    async def run(self) -> None:
        """Hear the launcher's reports until it is gone, which raises `SandboxError`: nothing runs without it."""
        while self._reader is not None and (line := await self._reader.readline()):
            self._hear(_REPORTS.decode(line))
        raise SandboxError("the sandbox's launcher process died, and all machines with it")

    async def start_machine(self, config: MachineConfig) -> int:
        """Start a machine and answer its process id; `connect` first, and `run` beside."""
        if config.node_name in self._running or config.node_name in self._starting:
            raise SandboxError(f"machine {config.node_name} is running already")
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._starting[config.node_name] = started
        self._send(_Request(start=config))
        return await started

    def cut_power(self, name: str) -> None:
        """End a machine without warning, and everything on it."""
        self._send(_Request(cut_power=name))

    async def close(self) -> None:
        """Let the launcher sweep up, and wait until it has: no process and no file of the sandbox is left."""
        if self._writer is not None:
            self._writer.close()
        self._process.socket.close()
        await asyncio.to_thread(os.waitpid, self._process.pid, 0)

    def _hear(self, report: _Report) -> None:
        if report.ended:
            self._running.pop(report.machine, None)
            self._on_exit(report.machine, report.exit_code)
            return
        self._running[report.machine] = report.started
        started = self._starting.pop(report.machine, None)
        if started is not None and not started.done():
            started.set_result(report.started)

    def _send(self, request: _Request) -> None:
        if self._writer is None:
            raise SandboxError("the sandbox's launcher is not connected")
        self._writer.write(msgspec.json.encode(request, enc_hook=str) + b"\n")


def _path_or_fail(wanted: type, value: object) -> object:
    if wanted is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(wanted)


_REQUESTS: Final = msgspec.json.Decoder(_Request, dec_hook=_path_or_fail)
_REPORTS: Final = msgspec.json.Decoder(_Report)
