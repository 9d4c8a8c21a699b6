"""Linux namespaces: what gives a container a process table, a host name and a file tree of its own, without root.

Where the kernel lets an ordinary user make a user namespace (user_namespaces(7)), or the sandbox runs as root, a
container's program is process 1 of its own table, as in any container: `kill 1` hits it alone, a signal that it has
no handler for is ignored, and nothing survives it. `root_filesystem` builds the tree. Where the kernel doesn't,
`available` says so and containers are plain processes.
"""

import ctypes
import functools
import os
import platform
import signal
from pathlib import Path
from typing import Final, NoReturn

FORBIDDING_VARIABLE: Final = "SEATRIAL_NO_NAMESPACES"
"""Set in the environment, it makes containers plain processes everywhere."""

_CLONE_PARENT: Final = 0x00008000
_NEW_MOUNTS: Final = 0x00020000
_NEW_NAMES: Final = 0x04000000
_NEW_IPC: Final = 0x08000000
_NEW_USER: Final = 0x10000000
_NEW_PIDS: Final = 0x20000000
_SYSTEM_CALLS: Final = {"x86_64": (56, 155), "aarch64": (220, 41)}
"""The numbers of clone and pivot_root."""
_MOUNT_SETATTR: Final = 442
_HERE: Final = -100
_ALL_BELOW: Final = 0x8000

_READ_ONLY: Final = 1
_NO_SUID: Final = 2
_NO_DEVICES: Final = 4
_NO_EXECUTION: Final = 8
_REMOUNT: Final = 32
_BIND: Final = 4096
_RECURSIVE: Final = 16384
_PRIVATE: Final = 1 << 18
_DETACH: Final = 2
# Flags of statvfs(3) that a remount inside a user namespace must not drop.
_KEPT_FLAGS: Final = _NO_SUID | _NO_DEVICES | _NO_EXECUTION | 1024 | 2048
HARMLESS: Final = _NO_SUID | _NO_DEVICES | _NO_EXECUTION


@functools.cache
def _c() -> ctypes.PyDLL:
    """The C library with the interpreter's lock held, as a fork needs it."""
    return ctypes.PyDLL(None, use_errno=True)


def _check(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


@functools.cache
def available() -> bool:
    """Whether this process may make containers of their own; tried once, in a child."""
    if os.environ.get(FORBIDDING_VARIABLE) or platform.machine() not in _SYSTEM_CALLS:
        return False
    pid = os.fork()
    if pid == 0:
        _try_and_exit()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _try_and_exit() -> NoReturn:
    try:
        unshare(own_pids=True)
        mount("none", "/", flags=_RECURSIVE | _PRIVATE)
        mount("none", "/proc", kind="tmpfs")
        code = 0
    except OSError:
        code = 1
    os._exit(code)


def unshare(*, own_pids: bool, own_user: bool = True) -> None:
    """Leave the namespaces of the parent; the process table changes for children alone.

    Args:
        own_pids: the process table too.
        own_user: as an ordinary user, become root of a user namespace: nothing else is allowed before.

    Raises:
        OSError: the kernel forbids it.
    """
    kinds = _NEW_MOUNTS | _NEW_NAMES | _NEW_IPC | (_NEW_PIDS if own_pids else 0)
    user, group = os.geteuid(), os.getegid()
    makes_user = own_user and user != 0
    if makes_user:
        kinds |= _NEW_USER
    _check(_c().unshare(kinds), "unshare")
    if makes_user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def join(pid: int, *, own_pids: bool) -> None:
    """Enter the namespaces of a container's main process; the process table, again, is that of children.

    Raises:
        OSError: it is gone.
    """
    _enter(pid, _NEW_MOUNTS | _NEW_NAMES | _NEW_IPC | (_NEW_PIDS if own_pids else 0))


def join_processes(pid: int) -> None:
    """Let children see the processes of a container.

    Raises:
        OSError: it is gone.
    """
    _enter(pid, _NEW_PIDS)


def _enter(pid: int, kinds: int) -> None:
    if os.geteuid() != 0:
        kinds |= _NEW_USER
    descriptor = os.pidfd_open(pid)
    try:
        _check(_c().setns(descriptor, kinds), "setns")
    finally:
        os.close(descriptor)


def fork_sibling() -> int:
    """Fork a process whose parent is this one's parent; answers like `os.fork`.

    So that whoever forked this process reaps what it becomes in another process table (clone(2), CLONE_PARENT).
    """
    number, _ = _SYSTEM_CALLS[platform.machine()]
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = int(_c().syscall(number, _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0))
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    code = ctypes.get_errno()
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(code, f"clone: {os.strerror(code)}")
    return pid


def set_hostname(name: str) -> None:
    """Change the host name of this process's namespace."""
    encoded = name.encode()
    _check(_c().sethostname(encoded, len(encoded)), "sethostname")


def mount(source: str, target: str, *, kind: str = "none", flags: int = 0, options: str = "") -> None:
    """Mount a file system, or something of another place.

    Raises:
        OSError: it can't be done.
    """
    words = (source.encode(), target.encode(), kind.encode(), flags, options.encode() or None)
    _check(_c().mount(words[0], words[1], words[2], ctypes.c_ulong(words[3]), words[4]), f"mount {target}")


def make_private() -> None:
    """Keep what is mounted from here on to this process's namespace."""
    mount("none", "/", flags=_RECURSIVE | _PRIVATE)


def bind(source: str, target: str, *, read_only: bool = False) -> None:
    """Show a file or a tree, with what is mounted below it, at another place."""
    mount(source, target, flags=_BIND | _RECURSIVE)
    if read_only:
        make_read_only(target)


def make_read_only(target: str, *, alone: bool = False) -> None:
    """Forbid writing to a mount and, unless it is meant alone, to all below it (since Linux 5.12)."""
    attributes = (ctypes.c_uint64 * 4)(_READ_ONLY, 0, 0, 0)
    numbers = [ctypes.c_long(n) for n in (_MOUNT_SETATTR, _HERE, 0 if alone else _ALL_BELOW, 32)]
    if _c().syscall(numbers[0], numbers[1], target.encode(), numbers[2], ctypes.byref(attributes), numbers[3]) == 0:
        return
    kept = os.statvfs(target).f_flag & _KEPT_FLAGS
    mount("none", target, flags=_BIND | _REMOUNT | _READ_ONLY | kept)


def change_root(root: str) -> None:
    """Make a mount point the root directory, and let go of the old one (pivot_root(2))."""
    _, number = _SYSTEM_CALLS[platform.machine()]
    os.chdir(root)
    _check(_c().syscall(number, b".", b"."), "pivot_root")
    _check(_c().umount2(b".", _DETACH), "umount")
    os.chdir("/")
