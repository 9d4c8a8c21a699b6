"""From fork to container: what happens in the child before its own program runs.

A built-in image's program (`images.registry`) runs right here, without exec: it starts in milliseconds and shares
the machine's memory. Everything else is a program of the host. Nothing in this file runs in the machine itself
but `fork_container`.
"""

import errno
import fcntl
import os
import random
import shutil
import signal
import sys
import termios
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, NoReturn

from seatrial.sandbox.images import registry
from seatrial.sandbox.kubelet import process
from seatrial.sandbox.kubelet.container_isolation import control_groups, isolation, root_filesystem
from seatrial.sandbox.kubelet.container_isolation.isolation import Isolation

# What Python changes at its start and a program of the host does not expect.
_SIGNALS_TO_RESET: Final = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGCHLD,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
_DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class StartError(Exception):
    """The container's program could not be started; the text is what the status says."""


@dataclass(frozen=True)
class Launch:
    """A process to start: `argv` is resolved, `environ` is complete; without isolation the directory exists."""

    name: str
    image: str
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    working_directory: str
    isolation: Isolation | None = None
    user: int | None = None
    group: int | None = None
    control_groups: tuple[Path, ...] = ()


def fork_container(
    launch: Launch,
    *,
    images: Mapping[str, tuple[str, ...]],
    stdout: int,
    stderr: int,
    stdin: int | None = None,
    terminal: bool = False,
) -> int:
    """Start the process; returns its id once its program runs.

    Args:
        launch: what to start.
        images: the user's own images.
        stdout: descriptor that its standard output goes to.
        stderr: the same for standard error.
        stdin: descriptor that its standard input comes from; None for nothing to be read.
        terminal: the three are one terminal, which becomes the process's own.

    Raises:
        StartError: there is no such program, or it can't be run.
    """
    parent = os.getpid()
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        stdio = _Stdio(stdin, stdout, stderr, terminal=terminal)
        _become_container(launch, images=images, parent=parent, stdio=stdio, report=writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as report:
        sibling, failure = isolation.parse_report(report.read())
    if sibling:
        os.waitpid(pid, 0)
        pid = sibling
    if failure:
        os.waitpid(pid, 0)
        raise StartError(failure.decode(errors="replace"))
    return pid


def _become_container(
    launch: Launch,
    *,
    images: Mapping[str, tuple[str, ...]],
    parent: int,
    stdio: "_Stdio",
    report: int,
) -> NoReturn:
    try:
        control_groups.enter(launch.control_groups)
        if launch.isolation is not None:
            isolation.separate(launch.isolation, report)
            # Seen from a process table of its own, the parent has no number.
            parent = 0 if launch.isolation.own_pids else parent
        process.die_with_parent(parent)
        os.setsid()
        _take_standard_streams(stdio)
        process.close_all_but(report)
        _reset_signals()
        os.umask(0o022)
        process.name_process(launch.name)
        _settle(launch)
        _change_user(launch)
        process.die_with_parent(parent)
        _run(launch, images=images, report=report)
    except BaseException as error:  # noqa: BLE001 -- whatever it is, this process must not return into the machine
        os.write(report, str(error).encode())
    finally:
        os._exit(127)


def _settle(launch: Launch) -> None:
    if launch.isolation is not None:
        isolation.settle(launch.isolation)
        Path(launch.working_directory).mkdir(parents=True, exist_ok=True)
    os.chdir(launch.working_directory)


def _change_user(launch: Launch) -> None:
    """Become the user that the pod asks for, where the sandbox runs as root."""
    if os.geteuid() != 0 or (launch.isolation is not None and not os.access("/proc/self/setgroups", os.R_OK)):
        return
    if Path("/proc/self/setgroups").read_text().strip() == "deny":
        return
    if launch.group is not None:
        os.setgroups([launch.group])
        os.setgid(launch.group)
    if launch.user is not None:
        os.setuid(launch.user)


def _run(launch: Launch, *, images: Mapping[str, tuple[str, ...]], report: int) -> None:
    program = _built_in(launch.image, launch.argv[0], images)
    image = registry.find(launch.image, images)
    if program is None and image is not None and not image.has_host_programs:
        raise StartError(f'{_PREFIX}exec: "{launch.argv[0]}": executable file not found in $PATH')
    if program is None:
        executable = find_executable(launch.argv[0], launch.environ, directory=launch.working_directory)
        try:
            os.execve(executable, launch.argv, dict(launch.environ))  # noqa: S606 -- an argument list, no shell
        except OSError as error:
            what = "exec format error" if error.errno == errno.ENOEXEC else (error.strerror or "failed").lower()
            raise StartError(f"{_PREFIX}exec {executable}: {what}") from error
    if launch.isolation is not None:
        sys.meta_path.append(root_filesystem.HostModules())
    os.environ.clear()
    os.environ.update(launch.environ)
    random.seed()
    os.close(report)
    os._exit(_exit_code_of(program, launch))


_PREFIX: Final = "unable to start container process: "


def _built_in(image: str, name: str, images: Mapping[str, tuple[str, ...]]) -> registry.Program | None:
    found = registry.find(image, images)
    programs = found.programs if found else {}
    return programs.get(name) or programs.get(name.rpartition("/")[2])


def find_executable(name: str, environ: Mapping[str, str], *, directory: str) -> str:
    """The host's program of that name: an absolute path, one relative to `directory`, or one on the PATH.

    Raises:
        StartError: with the container runtime's own words.
    """
    if "/" not in name:
        found = shutil.which(name, path=environ.get("PATH") or os.environ.get("PATH") or _DEFAULT_PATH)
        if found is None:
            raise StartError(f'{_PREFIX}exec: "{name}": executable file not found in $PATH')
        return found
    path = Path(directory, name)
    if not path.exists():
        raise StartError(f'{_PREFIX}exec: "{name}": stat {name}: no such file or directory')
    if not os.access(path, os.X_OK) or path.is_dir():
        raise StartError(f'{_PREFIX}exec: "{name}": permission denied')
    return str(path)


def _exit_code_of(program: registry.Program, launch: Launch) -> int:
    code = 1
    try:
        code = program(launch.argv, launch.environ)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        code = 130
    except BaseException:  # noqa: BLE001 -- a program that raises has failed; its log tells why
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 1
    return code & 0xFF


@dataclass(frozen=True)
class _Stdio:
    stdin: int | None
    stdout: int
    stderr: int
    terminal: bool


def _take_standard_streams(stdio: _Stdio) -> None:
    stdin = os.open(os.devnull, os.O_RDONLY) if stdio.stdin is None else stdio.stdin
    # Above the standard three first, so that none of them is overwritten before it is copied.
    for number, fd in enumerate([fcntl.fcntl(fd, fcntl.F_DUPFD, 3) for fd in (stdin, stdio.stdout, stdio.stderr)]):
        os.dup2(fd, number)
    if stdio.terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    sys.stdin = _stream(0, "r")
    sys.stdout = _stream(1, "w")
    sys.stderr = _stream(2, "w")


def _stream(fd: int, mode: str) -> IO[str]:
    return open(fd, mode, buffering=1, encoding="utf-8", errors="replace", closefd=False)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS_TO_RESET:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
