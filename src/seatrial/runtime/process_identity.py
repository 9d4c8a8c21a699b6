"""Which process this is, so that another one can tell later whether it still lives.

A host name isn't enough: containers share a host name or a volume, pids begin anew in each pid namespace, and after a
restart every pid means somebody else. So a process is known by the boot of its kernel, its pid namespace, its pid and
when it began. Only where boot and namespace are our own can we look whether it is there.
"""

import getpass
import os
import socket
from functools import cache
from pathlib import Path

import msgspec

_NAMESPACE = Path("/proc/self/ns/pid")  # on Linux
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class ProcessIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """One process of one boot of one host; `began` is in seconds since that boot (elsewhere than on Linux: of 1970)."""

    host: str
    boot: str
    namespace: str
    pid: int
    began: float

    @property
    def is_visible(self) -> bool:
        """Whether we can look for it: it is, or was, in our pid namespace since our kernel started."""
        here = _place()
        return bool(self.boot) and (self.boot, self.namespace) == here

    @property
    def is_running(self) -> bool:
        """Whether it is there; only worth asking where it is visible."""
        return abs(_began(self.pid) - self.began) < 0.5


@cache
def this_process() -> ProcessIdentity:
    """The process that asks."""
    boot, namespace = _place()
    pid = os.getpid()
    return ProcessIdentity(host=socket.gethostname(), boot=boot, namespace=namespace, pid=pid, began=_began(pid))


os.register_at_fork(after_in_child=this_process.cache_clear)


def user_name() -> str:
    """Whose process this is, for people."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for this user id, as in some containers
        return f"user {os.getuid()}"


def _place() -> tuple[str, str]:
    """The boot of the kernel and the pid namespace that this process lives in."""
    if _NAMESPACE.exists():
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return boot, str(_NAMESPACE.readlink())
    return socket.gethostname(), ""  # no pid namespaces here, and a process is known by the time of day it began


def _began(pid: int) -> float:
    """When a process began, -infinity where there is none or only its remains (a zombie)."""
    return _began_since_boot(pid) if _NAMESPACE.exists() else _began_since_1970(pid)


def _began_since_boot(pid: int) -> float:
    """As the kernel has it; psutil adds a wall clock that may be set meanwhile."""
    try:
        # After the name in parentheses, which may hold anything, stand the state and 18 others before the start.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return float("-inf")
    return float("-inf") if fields[0] in {"Z", "X"} else int(fields[19]) / _CLOCK_TICKS


def _began_since_1970(pid: int) -> float:
    import psutil  # noqa: PLC0415 -- it takes long, and Linux needs none of it

    try:
        process = psutil.Process(pid)
        return float("-inf") if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return float("-inf")
