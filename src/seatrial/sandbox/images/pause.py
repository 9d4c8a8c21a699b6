"""`pause`: the program of a pod's infrastructure container; it waits to be told to go."""

import signal
from collections.abc import Mapping, Sequence


def main(_argv: Sequence[str], _environ: Mapping[str, str]) -> int:
    """Wait for SIGTERM or SIGINT and exit with 0."""
    stop = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    signal.sigwait(stop)
    return 0
