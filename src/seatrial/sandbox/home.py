"""Where sandboxes live on disk, and how one knows whether a sandbox is alive.

    STATE/sandboxes/NAME/      STATE: see `seatrial.state_directory`
        lock                   held (flock) by the sandbox's main process and its launcher: the name is taken
        sandbox.json           the `Record`: who and where it is, written once it is ready
        kubeconfig             0600: it holds an administrator's token
        log                    what its processes say
        pki/  machines/        certificates; the machines' own files

A lock is released by the kernel when its last holder dies, so a directory whose lock is free belongs to nobody: its
sandbox was killed together with its launcher, and whoever finds it sweeps it away.
"""

import contextlib
import errno
import fcntl
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from seatrial.errors import SandboxError, StateError, UsageError

_OTHER_DIRECTORY: Final = "choose a directory that you may write to with --state-dir or SEATRIAL_STATE_DIR"
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class Record:
    """A running sandbox, as its directory tells.

    Args:
        name: the sandbox.
        sandbox_id: marks its processes.
        pid: the main process.
        launcher_pid: the launcher.
        server: URL of the API server.
        started_at: seconds since the epoch.
        nodes: how many machines.
        timings: milliseconds from the command to each milestone.
    """

    name: str
    sandbox_id: str
    pid: int
    launcher_pid: int
    server: str
    started_at: float
    nodes: int
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Home:
    """The directory of one sandbox, whether it runs or not."""

    directory: Path

    @property
    def name(self) -> str:
        """The sandbox's name."""
        return self.directory.name

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.directory / "kubeconfig"

    @property
    def log(self) -> Path:
        """The log of all its processes."""
        return self.directory / "log"

    @property
    def _lock(self) -> Path:
        return self.directory / "lock"

    @property
    def _record(self) -> Path:
        return self.directory / "sandbox.json"

    def claim(self) -> int:
        """Take the name: make the directory and hold its lock for as long as the returned descriptor is open.

        Raises:
            SandboxError: a sandbox of that name is running.
            StateError: the directory can't be made or written, or isn't this user's alone.
        """
        with disk_errors(self.directory):
            while True:
                self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
                _refuse_others(self.directory)
                descriptor = self._try_lock()
                if descriptor is None:
                    raise SandboxError(
                        f"a sandbox named {self.name!r} is running already",
                        hint="give this one another --name, or stop that one with `seatrial sandbox down`",
                    )
                if self._is_lock(descriptor):
                    return descriptor
                # The directory was swept away between opening and locking: once more, with a fresh one.
                os.close(descriptor)

    def is_claimed(self) -> bool:
        """Whether a sandbox lives here."""
        try:
            descriptor = self._try_lock(flags=os.O_RDWR)
        except (FileNotFoundError, NotADirectoryError):
            return False
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    def write(self, record: Record) -> None:
        """Tell who lives here; replaces the file as a whole."""
        with disk_errors(self.directory):
            fresh = self._record.with_suffix(".new")
            fresh.write_text(json.dumps(asdict(record)))
            fresh.replace(self._record)

    def read(self) -> Record | None:
        """Who lives here, or None as long as nobody is ready."""
        try:
            return Record(**json.loads(self._record.read_text()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise StateError(
                f"{self._record} can't be read: {error}", hint="remove its directory if no sandbox is running"
            ) from error

    def _try_lock(self, flags: int = os.O_RDWR | os.O_CREAT) -> int | None:
        descriptor = os.open(self._lock, flags | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def _is_lock(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._lock.stat())
        except FileNotFoundError:
            return False


def _refuse_others(directory: Path) -> None:
    """Raise `StateError` for a directory that another user made or may write to: certificates and tokens lie there."""
    for place in (directory.parent, directory):
        if (owner := place.stat().st_uid) != os.geteuid():
            raise StateError(f"{place} belongs to another user (with the id {owner})", hint=_OTHER_DIRECTORY)
    if directory.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StateError(f"other users may write to {directory}", hint=f"chmod 700 {directory}")


def sandboxes_directory(state: Path) -> Path:
    """Where the homes lie below the state directory."""
    return state / "sandboxes"


def home_of(name: str, *, state: Path) -> Home:
    """The home of a named sandbox; raises `UsageError` for a name that can't be one."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} can't be a sandbox's name",
            hint="use up to 32 lower-case letters, digits and dashes, such as 'default' or 'two-zones'",
        )
    return Home(sandboxes_directory(state) / name)


def all_homes(*, state: Path) -> list[Home]:
    """The homes that there are, by name."""
    try:
        entries = sorted(sandboxes_directory(state).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [Home(entry) for entry in entries if _NAME.fullmatch(entry.name)]


@contextlib.contextmanager
def disk_errors(directory: Path) -> Iterator[None]:
    """Translate what a file system refuses into a `StateError` that says what to do."""
    try:
        yield
    except OSError as error:
        raise state_error(error, directory) from error


def state_error(error: OSError, directory: Path) -> StateError:
    """The `StateError` for an error of the file system."""
    place = error.filename or directory
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StateError(f"no space left on the disk of {place}", hint="free some space, or use another --state-dir")
    return StateError(
        f"can't write to {place}: {error.strerror}",
        hint=_OTHER_DIRECTORY,
    )
