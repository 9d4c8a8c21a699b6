"""Load on machines, made by stress-ng: started detached from the connection, ended by its own time-out or by clean-up.

stress-ng runs below a shell that a unique token in its command line finds again. Told to end, the shell ends stress-ng,
which ends its workers (stress-ng(1)); so it is seen to be gone when the shell is. Its `--timeout` ends it without us.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from seatrial.actions.machine_shell import COMMAND_SECONDS, as_root, last_words, run_there, script
from seatrial.errors import MachineError
from seatrial.remote.executor import Executor
from seatrial.runtime.events import FaultCleared
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.world import World

_NO_STRESS_NG = 65

_LOOK = """
command -v stress-ng >/dev/null 2>&1 || exit 65
while read -r key value rest; do
  case $key in MemTotal:|MemAvailable:) echo "$key $value";; esac
done < /proc/meminfo
"""
# It comes after a command that does nothing and holds the token.
_LOAD = (
    'trap \'kill "$load" 2>/dev/null; wait "$load"; exit 0\' TERM;'
    ' stress-ng "$@" >/dev/null 2>&1 & load=$!; echo started; exec >/dev/null; wait "$load"'
)
# $1 and $2 are the token's halves, apart so that the lines of these commands themselves don't hold it; sets `found`.
_FIND = """
find_load() {
  found=
  for each in /proc/[0-9]*; do
    line=; { read -r line < "$each/comm"; } 2>/dev/null
    [ "$line" = sh ] || continue
    line=$({ tr '\\0' ' ' < "$each/cmdline"; } 2>/dev/null)
    case $line in *"seatrial-load-$1$2"*) found="$found ${each#/proc/}";; esac
  done
}
"""
# $3 is the load's script, the rest its arguments. One that takes an option for wrong ends at once: so it is looked at
# again a second later.
_START = f"""{_FIND}
half=$1 other=$2 script=": seatrial-load-$1$2; $3"
shift 3
if command -v setsid >/dev/null 2>&1; then away=setsid; else away=nohup; fi
said=$($away sh -c "$script" seatrial-load "$@" </dev/null 2>/dev/null &)
[ "$said" = started ] || {{ echo "the load did not start" >&2; exit 66; }}
sleep 1
find_load "$half" "$other"
[ -n "$found" ] || {{ echo "stress-ng ended at once" >&2; exit 67; }}
read -r average rest < /proc/loadavg
echo "$average"
"""
_END = f"""{_FIND}
find_load "$1" "$2"
[ -n "$found" ] || {{ echo gone; exit 0; }}
kill -s TERM $found 2>/dev/null
looks=0
while [ "$looks" -lt 20 ]; do
  find_load "$1" "$2"
  [ -n "$found" ] || {{ echo ended; exit 0; }}
  looks=$((looks + 1))
  [ "$looks" -lt 5 ] || sleep 1
done
echo "it still runs: $found" >&2
exit 1
"""
_TOKEN_BYTES = 8


class Memory(NamedTuple):
    """A machine's memory, in KiB."""

    total: int
    available: int


class Load(NamedTuple):
    """A load that may run on a machine, found again by its token."""

    token: str
    node: str

    @property
    def subject(self) -> str:
        """The fault, as evidence names it."""
        return f"load on node {self.node}"

    @property
    def _halves(self) -> tuple[str, str]:
        return self.token[:_TOKEN_BYTES], self.token[_TOKEN_BYTES:]

    def ending(self) -> list[str]:
        """The words that end it."""
        return script(_END, *self._halves)

    def ending_by_hand(self) -> list[str]:
        """The same in one line; in brackets, so that the pattern is not found in its own command."""
        half, rest = self._halves
        return ["pkill", "-TERM", "-f", f"seatrial-load-{half}[{rest[0]}]{rest[1:]}"]

    def starting(self, arguments: Sequence[str]) -> list[str]:
        """The words that start it with these arguments of stress-ng."""
        return script(_START, *self._halves, _LOAD, *arguments)


def make_load(node: str) -> Load:
    """A load with a token of its own."""
    return Load(secrets.token_hex(_TOKEN_BYTES), node)


async def look_at_memory(node: str, world: World) -> Memory:
    """How much memory the machine has.

    Raises:
        MachineError: it has no stress-ng, or the way there is gone.
        ClusterError: the latter.
    """
    result = await run_there(node, script(_LOOK), world)
    if result.exit_code == _NO_STRESS_NG:
        raise MachineError(
            f"there is no stress-ng on node {node}", hint="install the package stress-ng there, or in the node's image"
        )
    if result.exit_code:
        raise MachineError(f"node {node} could not be looked at: {last_words(result)}")
    said = dict(line.split(": ", 1) for line in result.output.splitlines() if ": " in line)
    try:
        return Memory(total=int(said["MemTotal"]), available=int(said["MemAvailable"]))
    except (KeyError, ValueError):
        raise MachineError(f"node {node} does not say how much memory it has") from None


async def start_load(load: Load, arguments: Sequence[str], world: World) -> str:
    """Start it; answers the load average a second later.

    Raises:
        MachineError: it did not start, or that is not known.
        ClusterError: the latter.
    """
    result = await run_there(load.node, load.starting(arguments), world)
    if result.exit_code:
        raise MachineError(f"the load on node {load.node} did not start: {last_words(result)}")
    return last_words(result)


async def ended_by(load: Load, executor: Executor) -> Undo:
    """What ends it."""
    return Undo(
        kind=END_LOAD.kind,
        args={"token": load.token, "node": load.node},
        description=f"end the load on node {load.node}",
        manual=await executor.by_hand(load.node, as_root(load.ending_by_hand())),
    )


async def _end(args: Mapping[str, Any], world: World) -> str:
    load = Load(args["token"], args["node"])
    result = await run_there(load.node, load.ending(), world)
    if result.exit_code:
        raise MachineError(f"the {load.subject} could not be ended: {last_words(result)}")
    proof = "stress-ng has ended" if last_words(result) == "ended" else "there is no stress-ng of ours any more"
    world.emit(FaultCleared(subject=load.subject, proof=proof))
    return ""


END_LOAD = UndoKind(kind="endLoad", run=_end, deadline_seconds=4 * COMMAND_SECONDS)
