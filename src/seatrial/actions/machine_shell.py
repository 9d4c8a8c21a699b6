"""Scripts that ready-made actions run on machines: POSIX shell, by the executor, as root where that can be had.

Who an executor logs in as is not always root, which is who may signal and stop other people's processes: `sudo` is used
where it asks for no password. Where it does, the script runs as whoever it is, and what it may not do it says.
"""

import shlex
from collections.abc import Sequence

from seatrial.remote.executor import CommandResult
from seatrial.runtime.world import World

COMMAND_SECONDS = 30.0
"""How long the way there and back, and a short script, may take."""

# What `sudo` itself has to say (that it can't resolve the machine's own name) is none of the outputs that are read.
_AS_ROOT = (
    '[ "$(id -u)" = 0 ] || ! sudo -n true >/dev/null 2>&1'
    ' || exec sudo -n sh -c \'exec "$@" 2>&1\' seatrial-script "$@" 2>/dev/null; exec "$@"'
)


def script(text: str, *arguments: str) -> list[str]:
    """The words that run a script, which finds its arguments as $1 and so on."""
    return ["sh", "-c", text, "seatrial-script", *arguments]


def as_root(words: Sequence[str]) -> str:
    """The command line that runs these words as root where that can be had."""
    return shlex.join(script(_AS_ROOT, *words))


async def run_there(
    node: str, words: Sequence[str], world: World, *, timeout_seconds: float = COMMAND_SECONDS
) -> CommandResult:
    """Run these words on a node's machine.

    Raises:
        MachineError: they could not be carried there, or took too long.
        ClusterError: the API server, where it goes through that, did not answer.
    """
    return await world.executor.run(node, as_root(words), timeout_seconds=timeout_seconds)


def last_words(result: CommandResult) -> str:
    """What a command that failed said last."""
    lines = result.output.strip().splitlines()
    return lines[-1][:200] if lines else f"it ended with {result.exit_code}"
