"""The process of the guardian: waits until the session's process has died, and then undoes what it left.

It waits in as little memory as it can: nothing is imported that Python has not loaded anyway to start. What undoes is
`seatrial recover` in its place, in the same process.
"""

import os
import select
import signal
import sys
import time

_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
_LOOK_SECONDS = 0.2


def main() -> None:
    """Wait, and take over.

    Arguments: the run, the state directory, the descriptor of a pipe by which the session says that it ended orderly,
    that of the session's process (-1 where the system has none), and its pid.
    """
    run, directory, pipe, process, pid = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    if _ended_orderly(pipe, process=process, pid=pid):
        return
    _write_to_log(f"{directory}/guardian.log")
    now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    print(f"{now} process {pid} died in the middle of run {run}: what it left is undone", flush=True)  # noqa: T201 -- into the log
    for number in _IGNORED:
        signal.signal(number, signal.SIG_DFL)
    recover = ["-m", "seatrial", "recover", "--run", run, "--state-dir", directory]
    os.execv(sys.executable, [sys.executable, "-P", *recover])  # noqa: S606 -- ourselves


def _ended_orderly(pipe: int, *, process: int, pid: int) -> bool:
    """Wait for a byte in the pipe (it ended orderly) or for the end of the process (it did not)."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    if process >= 0:
        poll.register(process, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if pipe in ready:
            if os.read(pipe, 1):
                return True
            # Nobody can write any more, and so it is about to die, or died. That alone proves nothing.
            poll.unregister(pipe)
            if process < 0:
                _wait_for_parent(pid)
                return False
        elif process in ready:
            return False


def _wait_for_parent(pid: int) -> None:
    """Wait until our parent has died: we are given another one then."""
    while os.getppid() == pid:
        time.sleep(_LOOK_SECONDS)


def _write_to_log(path: str) -> None:
    try:
        log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError:
        return  # what is to be undone matters more
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


if __name__ == "__main__":
    main()
