"""Starting and stopping sandboxes from outside: what the command line and the tests use.

A sandbox is a process tree of its own. It belongs to whoever started it (`start_sandbox`, `ephemeral`: gone
when the owner lets go or dies, by a pipe that only the owner holds open), or to nobody (`detach`: until
`stop_sandbox`).
"""

import contextlib
import dataclasses
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from seatrial.environment import users_environment
from seatrial.errors import SandboxError, SeatrialError, StateError, UsageError
from seatrial.sandbox.cluster_config import ClusterConfig
from seatrial.sandbox.home import Home, Record
from seatrial.sandbox.order import Order

_START_SECONDS: Final = 90
_STOP_SECONDS: Final = 15
_LOCK_SECONDS: Final = 0.02
_KINDS: Final[Mapping[str, type[SeatrialError]]] = {
    kind.__name__: kind for kind in (SandboxError, StateError, UsageError)
}


class SandboxFailedError(SandboxError):
    """A sandbox that couldn't start or broke down; `details` is the end of its log, which is gone with it."""

    def __init__(self, message: str, *, hint: str, log: Sequence[str]) -> None:
        super().__init__(message, hint=hint)
        self._log = tuple(log)

    @property
    def details(self) -> str:
        """What its processes said last."""
        return "The end of the sandbox's log:\n" + "\n".join(f"  {line}" for line in self._log)


@dataclass(frozen=True)
class Sandbox:
    """A sandbox that runs.

    Args:
        home: its directory.
        record: who it is.
    """

    home: Home
    record: Record

    @property
    def kubeconfig(self) -> Path:
        """An administrator's kubeconfig; the context is `seatrial-sandbox`."""
        return self.home.kubeconfig

    @property
    def directory(self) -> Path:
        """Everything it keeps on disk."""
        return self.home.directory

    @property
    def timings(self) -> Mapping[str, float]:
        """Milliseconds from the command to each milestone; the last is `ready_ms`."""
        return self.record.timings


class OwnedSandbox:
    """A sandbox that ends with its owner: `close` it, or die.

    Args:
        sandbox: the sandbox.
        process: its main process.
        reports: what it tells its owner.
        leash: the descriptor that holds it.
    """

    def __init__(
        self, sandbox: Sandbox, *, process: subprocess.Popen[bytes], reports: IO[bytes], leash: int | None
    ) -> None:
        self.sandbox = sandbox
        self.process = process
        self._reports = reports
        self._leash = leash

    def wait(self) -> None:
        """Wait until it ends by itself, which raises `SandboxError` when that was no wish of anybody."""
        line = self._reports.readline()
        self.process.wait()
        if line:
            raise _failure_in(line)
        if self.process.returncode != 0:
            raise SandboxError(f"the sandbox's main process ended with {_end_of(self.process.returncode)}")

    def let_go(self) -> None:
        """Leave it running by itself."""
        self._reports.close()
        # It is nobody's child to wait for: silence the complaint of a Popen object that outlives its interest.
        self.process.returncode = 0

    def close(self) -> None:
        """Stop it, and wait until nothing of it is left."""
        _awaken(self.sandbox.record)
        if self._leash is not None:
            os.close(self._leash)
            self._leash = None
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reports.close()
        wait_until_gone(self.sandbox.home)


def start_sandbox(config: ClusterConfig, *, detach: bool = False) -> OwnedSandbox:
    """Start a sandbox and wait until all its nodes are Ready.

    Raises:
        SandboxError: it can't run here, its name is taken, or it failed; the message says why.
        StateError: its directory can't be used.
    """
    starting = Starting(config, detach=detach)
    try:
        return starting.finish()
    except BaseException:
        starting.give_up()
        raise


def find_sandbox(home: Home) -> Sandbox | None:
    """The sandbox that lives there and is ready, or None; sweeps away what a killed one left."""
    if not home.is_claimed():
        sweep_leftovers(home)
        return None
    record = home.read()
    return Sandbox(home, record) if record is not None else None


def stop_sandbox(home: Home) -> bool:
    """Stop the sandbox that lives there, wait until nothing of it is left; answers whether there was one."""
    if not home.is_claimed():
        sweep_leftovers(home)
        return False
    record = home.read()
    if record is None:
        raise SandboxError(
            f"sandbox {home.name!r} is just starting or stopping", hint="try again in a second, or kill its process"
        )
    _awaken(record)
    with contextlib.suppress(ProcessLookupError):
        os.kill(record.pid, signal.SIGTERM)
    if not _wait_for_end(record.pid, _STOP_SECONDS):
        with contextlib.suppress(ProcessLookupError):
            os.kill(record.pid, signal.SIGKILL)
    wait_until_gone(home)
    return True


def _awaken(record: Record) -> None:
    """Let processes that somebody has stopped hear what they are told."""
    for pid in (record.launcher_pid, record.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def wait_until_gone(home: Home) -> None:
    """Wait until the launcher has swept up behind a main process that ended; do it in its place if it is dead."""
    record = home.read() if home.directory.exists() else None
    if record is not None and not _wait_for_end(record.launcher_pid, _STOP_SECONDS):
        with contextlib.suppress(ProcessLookupError):
            os.kill(record.launcher_pid, signal.SIGKILL)
        _wait_for_end(record.launcher_pid, _STOP_SECONDS)
    if not home.is_claimed():
        sweep_leftovers(home)


def sweep_leftovers(home: Home, *, sandbox_id: str = "") -> None:
    """Remove the processes and the directory of a sandbox that died together with its launcher.

    Args:
        home: where it lived.
        sandbox_id: which one it was, where it can have died before it wrote that down.
    """
    if not home.directory.exists():
        return
    from seatrial.sandbox import leftovers  # noqa: PLC0415 -- rarely needed
    from seatrial.sandbox.kubelet.container_isolation.control_groups import remove_groups  # noqa: PLC0415 -- the same

    record = home.read()
    if sandbox_id := record.sandbox_id if record is not None else sandbox_id:
        leftovers.kill_all_of(sandbox_id, spare={os.getpid()})
        remove_groups(sandbox_id, home.directory / "machines")
    leftovers.remove_directory(home.directory)


class Starting:
    """A sandbox's main process from its start to its first report; `start_sandbox` for those who can't block."""

    def __init__(self, config: ClusterConfig, *, detach: bool) -> None:
        if not sys.platform.startswith("linux"):
            raise SandboxError(
                "the sandbox runs on Linux only", hint="point --kubeconfig at a cluster, or run it in a Linux VM"
            )
        self._home = Home(config.directory)
        self._sandbox_id = config.sandbox_id or secrets.token_hex(6)
        config = dataclasses.replace(config, sandbox_id=self._sandbox_id)
        read_end, write_end = os.pipe()
        self._leash: int | None = None
        owner_end: int | None = None
        if not detach:
            owner_end, self._leash = os.pipe()
        order = Order(config=config, began=time.monotonic(), ready_fd=write_end, owner_fd=owner_end)
        inherited = [fd for fd in (write_end, owner_end) if fd is not None]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "seatrial.sandbox", order.encode()],
            stdin=subprocess.DEVNULL,
            pass_fds=inherited,
            env={**users_environment(), "SEATRIAL_SANDBOX": self._sandbox_id},
            start_new_session=True,
            cwd="/",
        )
        for fd in inherited:
            os.close(fd)
        self._reports = os.fdopen(read_end, "rb")

    def finish(self) -> OwnedSandbox:
        """Wait for the first report."""
        if not select.select([self._reports], [], [], _START_SECONDS)[0]:
            raise SandboxError(f"the sandbox said nothing within {_START_SECONDS} s", hint=f"see {self._home.log}")
        line = self._reports.readline()
        if not line:
            code = self._process.wait()
            raise SandboxError(f"the sandbox's main process ended with {_end_of(code)} before it was ready")
        if "error" in json.loads(line):
            raise _failure_in(line)
        record = self._home.read()
        if record is None:
            raise SandboxError("the sandbox was stopped before it was ready")
        sandbox = Sandbox(self._home, record)
        return OwnedSandbox(sandbox, process=self._process, reports=self._reports, leash=self._leash)

    def give_up(self) -> None:
        """End the process; its launcher sweeps up."""
        if self._leash is not None:
            os.close(self._leash)
            self._leash = None
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reports.close()
        self._sweep_up()

    def _sweep_up(self) -> None:
        """Wait until the launcher has swept up; where the process ended before it had one, do it here."""
        record = self._home.read() if self._home.directory.exists() else None
        if record is not None and record.pid != self._process.pid:
            return  # the name belongs to a sandbox that runs
        deadline = time.monotonic() + _STOP_SECONDS
        while self._home.is_claimed() and time.monotonic() < deadline:
            time.sleep(_LOCK_SECONDS)  # the kernel tells nobody that a lock was let go
        if not self._home.is_claimed():
            sweep_leftovers(self._home, sandbox_id=self._sandbox_id)


def _failure_in(line: bytes) -> SeatrialError:
    failure = json.loads(line)
    kind = _KINDS.get(failure["kind"], SandboxError)
    if kind is SandboxError and failure["log"]:
        return SandboxFailedError(failure["error"], hint=failure["hint"], log=failure["log"])
    return kind(failure["error"], hint=failure["hint"])


def _end_of(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def _wait_for_end(pid: int, seconds: float) -> bool:
    """Wait until a process that need not be a child of ours has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)
