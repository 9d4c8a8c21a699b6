"""Signals to containers that have only just begun.

The first process of a process table loses a signal that it has no handler for (pid_namespaces(7)). The programs of real
images have their handlers within a millisecond; those of the sandbox begin as a Python process or a shell and need
longer, on a busy machine much longer. So what would be lost in a container's first moment is sent again.
"""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from seatrial.sandbox.kubelet import process
from seatrial.sandbox.kubelet.reactor import Reactor

_FIRST_MOMENT_SECONDS: Final = 2.0
_AGAIN_SECONDS: Final = 0.02
_LAST_SECONDS: Final = 0.3
_NEVER_LOST: Final = frozenset({signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT})
_MASKS: Final = ("SigIgn:", "SigCgt:")


class EarlySignals:
    """Sends signals to main processes.

    Args:
        reactor: the machine's loop.
        is_running: whether a main process has not been reaped.
    """

    def __init__(self, reactor: Reactor, *, is_running: Callable[[int], bool]) -> None:
        self._reactor = reactor
        self._is_running = is_running

    def send(self, pid: int, number: int, *, started_at: float) -> None:
        """Send a signal, again and again while the process is so young that it has no handler for it yet."""
        is_young = time.time() - started_at < _FIRST_MOMENT_SECONDS
        would_be_lost = is_young and number not in _NEVER_LOST and not is_heeded(pid, number)
        process.send_signal(pid, number)
        if would_be_lost:
            self._reactor.call_later(_AGAIN_SECONDS, lambda: self._again(pid, number, started_at))

    def _again(self, pid: int, number: int, started_at: float) -> None:
        if not self._is_running(pid):
            return
        self.send(pid, number, started_at=started_at)
        if is_heeded(pid, number):
            self._reactor.call_later(_LAST_SECONDS, lambda: self._send_last(pid, number))

    def _send_last(self, pid: int, number: int) -> None:
        """Once more: a shell that begins to wait just after its handler was called goes on waiting."""
        if self._is_running(pid):
            process.send_signal(pid, number)


def is_heeded(pid: int, number: int) -> bool:
    """Whether a process ignores or handles a signal (proc(5)); one that is gone has no need to.

    A signal that is merely blocked may yet be lost: shells block all of them for moments.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return True
    masks = (int(line.split()[1], 16) for line in status.splitlines() if line.startswith(_MASKS))
    return any(mask >> (number - 1) & 1 for mask in masks)
