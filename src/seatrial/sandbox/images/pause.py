"""`pause`: the program of a pod's infrastructure container; it waits to be told to go.

It is what a thousand pods are made of where only their number counts. So it gives its memory back: it becomes the
host's shell, which waits for a line from a pipe that nobody else holds, a fortieth of what a Python process keeps.
"""

import fcntl
import os
import signal
from collections.abc import Mapping, Sequence

_SHELL = "/bin/sh"
_PIPE = (3, 4)
_SCRIPT = f"trap 'exit 0' TERM INT; while :; do read -r _ <&{_PIPE[0]}; done"


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Wait for SIGTERM or SIGINT and exit with 0."""
    if os.access(_SHELL, os.X_OK):
        _become_shell(argv[0], environ)
    stop = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    signal.sigwait(stop)
    return 0


def _become_shell(name: str, environ: Mapping[str, str]) -> None:
    # First out of the way of their places, so that neither overwrites the other.
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, max(_PIPE) + 1) for end in os.pipe()]
    for end, place in zip(ends, _PIPE, strict=True):
        os.dup2(end, place)
    os.execve(_SHELL, [name, "-c", _SCRIPT], dict(environ))  # noqa: S606 -- a script of its own, nothing of the pod's
