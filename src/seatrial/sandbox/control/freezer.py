"""Freezing a process tree where it stands, and letting it go on: SIGSTOP and SIGCONT for a whole machine.

A process can't refuse SIGSTOP, but it may fork before the signal reaches it: so the tree is walked until every process
in it has been seen to stand still. Those that stood still before are left so when the tree goes on.
"""

import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seatrial.errors import SandboxError
from seatrial.sandbox.kubelet.process import send_signal

_STOPPED: Final = frozenset("TtZXx")
_LOOK_AGAIN_SECONDS: Final = 0.002
_PATIENCE_SECONDS: Final = 5.0


@dataclass(frozen=True)
class FrozenTree:
    """A process tree that stands still.

    Args:
        pids: all of it, the root first.
        stopped: those that run when it is thawed.
    """

    pids: tuple[int, ...]
    stopped: tuple[int, ...]

    def thaw(self) -> None:
        """Let it go on."""
        for pid in self.stopped:
            send_signal(pid, signal.SIGCONT)

    def kill(self) -> None:
        """End all of it without a moment of running; the root last, since it reports the end."""
        for pid in reversed(self.pids):
            send_signal(pid, signal.SIGKILL)


def freeze(root: int) -> FrozenTree:
    """Stop a process and all its descendants; blocks until they stand still.

    Raises:
        SandboxError: some process did not stop within 5 seconds (it is stuck in the kernel).
    """
    pids: list[int] = []
    stopped: list[int] = []
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        fresh = [pid for pid in _tree(root) if pid not in pids]
        for pid in fresh:
            pids.append(pid)
            if _state(pid) not in _STOPPED:
                send_signal(pid, signal.SIGSTOP)
                stopped.append(pid)
        moving = [pid for pid in pids if _state(pid) not in _STOPPED]
        if not fresh and not moving:
            return FrozenTree(tuple(pids), tuple(stopped))
        if time.monotonic() > deadline:
            FrozenTree(tuple(pids), tuple(stopped)).thaw()
            raise SandboxError(f"process {moving[0] if moving else root} can't be stopped")
        # The kernel tells only a parent that its child has stopped.
        time.sleep(_LOOK_AGAIN_SECONDS)


def _tree(root: int) -> list[int]:
    """A process and its descendants, parents before children."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, ())
    return found


def _state(pid: int) -> str:
    """The process's state as in proc(5), `X` for one that is gone."""
    fields = _stat(pid)
    return fields[0] if fields else "X"


def _stat(pid: int) -> list[str]:
    """State, parent and what follows in /proc/PID/stat; empty for a process that is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    # The second field is the program's name in parentheses, which may hold anything.
    return text.rpartition(")")[2].split()
