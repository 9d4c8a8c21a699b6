"""Shell commands on the machine itself, as somebody who is logged in there would run them.

They are children of the machine: what stops it ends them too. Each has a deadline, is a session of its own, so that it
goes with all that it started, and knows which node it is on by `NODE_NAME`. First on its PATH is what keeps to this one
machine (`machine_tools`).
"""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from seatrial.sandbox.kubelet import process
from seatrial.sandbox.kubelet.container_process import Launch, StartError, fork_container
from seatrial.sandbox.kubelet.reactor import Reactor, Timer
from seatrial.sandbox.machine_tools.directory import machine_environ

_CHUNK_BYTES: Final = 65536
_MOST_OUTPUT_BYTES: Final = 64 * 1024
_NOT_STARTED: Final = 126

Answer = Callable[[dict[str, Any]], None]


@dataclass(kw_only=True)
class _Command:
    """A command whose process has not been reaped."""

    answer: Answer
    reader: int
    output: bytearray = field(default_factory=bytearray)
    cut: bool = False
    timer: Timer | None = None
    timed_out: bool = False


class MachineCommands:
    """Runs commands and answers with what they came to.

    Args:
        reactor: the machine's loop.
        node_name: what `NODE_NAME` says.
        directory: where commands start, the machine's own.
    """

    def __init__(self, reactor: Reactor, *, node_name: str, directory: Path) -> None:
        self._reactor = reactor
        self._node_name = node_name
        self._directory = directory
        self._commands: dict[int, _Command] = {}

    def __contains__(self, pid: int) -> bool:
        return pid in self._commands

    def run(self, command: str, *, timeout_seconds: float, answer: Answer) -> None:
        """Run a command; `answer` is called with exit code and output when it ended, or was ended."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        launch = Launch(
            name="command",
            image="",
            argv=("/bin/sh", "-c", command),
            environ=machine_environ(self._directory, self._node_name),
            working_directory=str(self._directory),
        )
        try:
            pid = fork_container(launch, images={}, stdout=writer, stderr=writer)
        except (StartError, OSError) as error:
            os.close(reader)
            answer(_finished(_NOT_STARTED, str(error)))
            return
        finally:
            os.close(writer)
        started = _Command(answer=answer, reader=reader)
        self._commands[pid] = started
        os.set_blocking(reader, False)
        self._reactor.watch(reader, lambda: self._read(started))
        started.timer = self._reactor.call_later(timeout_seconds, lambda: self._time_out(pid, started))

    def reap(self, pid: int, exit_code: int) -> None:
        """A command's process has ended."""
        command = self._commands.pop(pid)
        process.kill_group(pid)
        if command.timer is not None:
            command.timer.cancel()
        self._read_to_end(command)
        output = command.output.decode(errors="replace") + ("\n[shortened]" if command.cut else "")
        command.answer(_finished(exit_code, output, timed_out=command.timed_out))

    def _read(self, command: _Command) -> None:
        try:
            chunk = os.read(command.reader, _CHUNK_BYTES)
        except BlockingIOError:
            return
        if not chunk:
            self._reactor.unwatch(command.reader)
            return
        _keep(chunk, command)

    def _read_to_end(self, command: _Command) -> None:
        # A process that left the session may hold the pipe open: what it writes later is nobody's.
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(command.reader, _CHUNK_BYTES):
                _keep(chunk, command)
        with contextlib.suppress(KeyError):
            self._reactor.unwatch(command.reader)
        os.close(command.reader)

    def _time_out(self, pid: int, command: _Command) -> None:
        command.timed_out = True
        process.kill_group(pid)


def _keep(chunk: bytes, command: _Command) -> None:
    room = _MOST_OUTPUT_BYTES - len(command.output)
    command.output += chunk[:room]
    command.cut = command.cut or len(chunk) > room


def _finished(exit_code: int, output: str, *, timed_out: bool = False) -> dict[str, Any]:
    return {"exitCode": exit_code, "output": output, "timedOut": timed_out}
