"""`seatrial` in processes of its own that need no time to start: forks of a server that has everything imported.

The server is started with the first of them, and lives until `stop_server`. What a start from nothing is like (which
modules are imported, how long it takes) is for `tests/cli/test_start_up.py` and others: they start the program itself.
"""

import array
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Self

from tests.program_server import STATUS

ROOT = Path(__file__).parents[1]
_START_SECONDS = 60.0
_END_SECONDS = 30.0


class _Server:
    """The server, as this process sees it."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.program_server", str(theirs.fileno())],
                cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()],
            )  # fmt: skip

    def ask(self, request: Mapping[str, object], descriptors: Sequence[int]) -> None:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        self._requests.sendmsg([json.dumps(request).encode()], ancillary)

    def stop(self) -> None:
        self._requests.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:  # whoever still runs is somebody else's to find
            self._process.kill()
            self._process.wait()


_servers: list[_Server] = []
_turn = threading.Lock()


def _server() -> _Server:
    """The server of this process, which the first who asks starts."""
    with _turn:
        if not _servers:
            _servers.append(_Server())
        return _servers[0]


def stop_server() -> None:
    """End the server, if there is one; all its processes should have ended."""
    with _turn:
        while _servers:
            _servers.pop().stop()


class Process:
    """A running `seatrial`: as much of `subprocess.Popen` as tests use, in text."""

    def __init__(self, arguments: Sequence[str], *, environ: Mapping[str, str], directory: Path = ROOT) -> None:
        self.args = ["seatrial", *arguments]
        self.returncode: int | None = None
        request = {"arguments": list(arguments), "environ": dict(environ), "directory": str(directory)}
        pipes = [os.pipe() for _ in range(4)]
        (stdin, write), (read, stdout), (read_errors, stderr), (status, ended) = pipes
        self._status = os.fdopen(status, "rb", buffering=0)
        self.stdin: IO[str] = os.fdopen(write, "w")
        self.stdout: IO[str] = os.fdopen(read)
        self.stderr: IO[str] = os.fdopen(read_errors)
        theirs = [stdin, stdout, stderr, ended]
        try:
            _server().ask(request, theirs)
        finally:
            for each in theirs:
                os.close(each)
        self.pid = self._read_status(_START_SECONDS)

    def _read_status(self, timeout: float | None) -> int:
        if not select.select([self._status], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        told = self._status.read(STATUS.size)
        assert told, "the server of programs has ended"
        return int(STATUS.unpack(told)[0])

    def poll(self) -> int | None:
        """The exit code (minus the signal that ended it); None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises TimeoutExpired."""
        if self.returncode is None:
            self.returncode = self._read_status(timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to what still runs."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended, and nobody has looked
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, text: str = "", timeout: float | None = None) -> tuple[str, str]:
        """Type a text, read everything, wait for the end; raises TimeoutExpired."""
        said = ["", ""]

        def read(number: int, stream: IO[str]) -> None:
            said[number] = stream.read()

        readers = [
            threading.Thread(target=read, args=each, daemon=True) for each in enumerate((self.stdout, self.stderr))
        ]
        for reader in readers:
            reader.start()
        if not self.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self.stdin.write(text)
            self._close_input()
        until = None if timeout is None else time.monotonic() + timeout
        for reader in readers:
            reader.join(None if until is None else until - time.monotonic())
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.wait(None if until is None else max(0.0, until - time.monotonic()))
        return said[0], said[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End it, where it runs, and let go of its streams."""
        self.kill()
        self.wait()
        for stream in (self.stdout, self.stderr, self._status):
            stream.close()
        self._close_input()

    def _close_input(self) -> None:
        with contextlib.suppress(BrokenPipeError):  # what it did not read
            self.stdin.close()
