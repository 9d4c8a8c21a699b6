"""What Linux offers to tie processes together, beyond `os`: death signals, sub-reapers, names, children.

A machine must vanish as a whole, by whichever of its processes it loses: the kernel is told so here. See
prctl(2), and proc(5) for `children`.
"""

import ctypes
import functools
import os
import signal
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_PR_SET_CHILD_SUBREAPER: Final = 36
_FIRST_FREE_FD: Final = 3
_LAST_FD: Final = 0x7FFFFFFF


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, argument: int | ctypes.Array[ctypes.c_char]) -> None:
    if _libc().prctl(option, argument, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def become_subreaper() -> None:
    """Adopt descendants whose own parent dies: they stay below this process."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def name_process(name: str) -> None:
    """Show this name (15 bytes of it) in `ps` and `top`."""
    _prctl(_PR_SET_NAME, ctypes.create_string_buffer(name.encode()[:15]))


def die_with_parent(parent_pid: int, *, with_signal: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when its parent dies; to be called right after a fork.

    Args:
        parent_pid: who forked; when that one is gone already, this process ends here.
        with_signal: what to send.
    """
    _prctl(_PR_SET_PDEATHSIG, with_signal)
    if os.getppid() != parent_pid:
        os._exit(1)


def return_free_memory() -> None:
    """Give the kernel back what the C library has set aside: free memory is written to first, and then not shared."""
    trim = getattr(_libc(), "malloc_trim", None)  # glibc's alone
    if trim is not None:
        trim(0)


def close_all_but(*keep: int) -> None:
    """Close every file descriptor above the standard three but these."""
    lowest = _FIRST_FREE_FD
    for fd in sorted(keep):
        os.closerange(lowest, fd)
        lowest = fd + 1
    os.closerange(lowest, _LAST_FD)


def children_of(pid: int) -> list[int]:
    """The process ids of a process's children."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def session_of(pid: int) -> int:
    """The session that a process belongs to, 0 when it is gone."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def environ_of(pid: int) -> bytes:
    """The environment that a process was started with, entries ended by a zero byte."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def send_signal(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def kill_group(pid: int) -> None:
    """SIGKILL the process group that a process leads."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def kill_all_descendants() -> None:
    """SIGKILL everything below this process, which must be a sub-reaper, and wait until nothing is left."""
    while True:
        for child in children_of(os.getpid()):
            send_signal(child, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def exit_code_of(wait_status: int) -> int:
    """The exit code as container runtimes report it: 128 + n for a process that signal n ended."""
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code
