"""What is left of a sandbox: its processes, found by the marker in their environment, and its directory.

The launcher sweeps up with this when a sandbox ends; `owner` does where the launcher was killed as well.
"""

import contextlib
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from seatrial.sandbox.kubelet import process

MARKER: Final = "SEATRIAL_SANDBOX"
"""The environment variable that all processes of a sandbox carry; its value is the sandbox's id."""

_SWEEPS: Final = 100
_DYING_SECONDS: Final = 5.0


def processes_of(sandbox_id: str) -> Iterator[int]:
    """The ids of all processes that carry a sandbox's marker in the environment they were started with."""
    marker = f"{MARKER}={sandbox_id}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and marker in process.environ_of(int(entry.name)).split(b"\0"):
            yield int(entry.name)


def kill_all_of(sandbox_id: str, *, spare: set[int]) -> bool:
    """SIGKILL all processes of a sandbox but those to spare and see them end; answers whether there was any."""
    victims = [pid for pid in processes_of(sandbox_id) if pid not in spare]
    with contextlib.ExitStack() as ends:
        dying = []
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                dying.append(os.pidfd_open(pid))
                ends.callback(os.close, dying[-1])
            process.send_signal(pid, signal.SIGKILL)
        # A killed process keeps its addresses for a moment, and its environment tells nothing any more.
        deadline = time.monotonic() + _DYING_SECONDS
        for descriptor in dying:
            select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
    return bool(victims)


def remove_directory(directory: Path) -> None:
    """Remove a sandbox's directory: its name is free at once, so that nobody finds half of it."""
    doomed = directory.with_name(f".{directory.name}-{os.getpid()}.gone")
    try:
        directory.rename(doomed)
    except FileNotFoundError:
        return
    shutil.rmtree(doomed, ignore_errors=True)


def sweep(sandbox_id: str, *, spare: set[int]) -> None:
    """Kill all descendants of this process, which must be a sub-reaper, and all that carry the marker."""
    process.kill_all_descendants()
    # A process may fork while it is being killed, so look again until nothing is found.
    for _ in range(_SWEEPS):
        if not kill_all_of(sandbox_id, spare=spare):
            return
