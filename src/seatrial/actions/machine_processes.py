"""Processes on machines: found by name or command line, told apart by when they began, signalled, seen to be gone.

A process is its id and its start time (the 22nd field of `/proc/PID/stat`, proc(5)), so that none that came later and
got the same id is taken for it. `pgrep` finds them where it is there, since it is quick and knows what a machine is;
else, and where it is BusyBox's, to which a name is the first word of the command line, a loop over `/proc`. A name is
the kernel's, 15 characters of it; of longer ones the program's file name is compared too. Never among them are the
shell that looks, whoever started it, what it starts, the machine's first process, and our own scripts, timers and
loads with what they run.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from seatrial.actions.machine_shell import last_words, run_there, script
from seatrial.errors import MachineError
from seatrial.runtime.world import World

_KERNEL_NAME = 15
_FOUND = re.compile(r"(\d+) (\d+) (.*)")
_SPECIAL = re.compile(r"([\\.\[\]{}()*+?^$|])")

_READ_STAT = """
read_stat() {
  { stat=$(cat "/proc/$1/stat"); } 2>/dev/null || return 1
  set -- ${stat##*) }
  state=$1 parent=$2 started=${20}
}
"""

# $1 is `name` or `pattern`, $2 what to look for, $3 its first 15 characters as a regular expression for a whole name,
# $4 the same as they are, $5 a user.
_FIND = f"""{_READ_STAT}
by=$1 text=$2 regex=$3 short=$4 user=$5
case $user in
  *[!0-9]*) user=$(id -u "$user" 2>/dev/null) || {{ echo "there is no user $5" >&2; exit 65; }};;
esac
line_of() {{ {{ tr '\\0' ' ' < "/proc/$1/cmdline"; }} 2>/dev/null; }}
program_of() {{ {{ tr '\\0' '\\n' < "/proc/$1/cmdline" | head -n 1; }} 2>/dev/null; }}
matches() {{
  case $by in
    name) name=; {{ read -r name < "/proc/$1/comm"; }} 2>/dev/null; [ "$name" = "$short" ];;
    *) line_of "$1" | grep -E -q -e "$text";;
  esac
}}
is_ours() {{ case $(line_of "$1") in *seatrial-script*|*seatrial-timer-*|*seatrial-load-*) ;; *) return 1;; esac; }}
pgrep_is_there() {{
  command -v pgrep >/dev/null 2>&1 || return 1
  case $(pgrep --help 2>&1) in *BusyBox*) return 1;; esac
}}
ours=' 1 ' each=$$
while [ "${{each:-0}}" -gt 1 ]; do ours="$ours$each "; read_stat "$each" || break; each=$parent; done
found=
if pgrep_is_there; then
  case $by in
    name) found=$(pgrep -x -- "$regex");;
    *) found=$(pgrep -f -- "$text");;
  esac
  [ $? -lt 2 ] || {{ echo "pgrep does not take it" >&2; exit 64; }}
else
  echo | grep -E -e "$text" >/dev/null
  [ $? -lt 2 ] || [ "$by" = name ] || exit 64
  for each in /proc/[0-9]*; do ! matches "${{each#/proc/}}" || found="$found ${{each#/proc/}}"; done
fi
for pid in $found; do
  case $ours in *" $pid "*) continue;; esac
  read_stat "$pid" || continue
  case $state in Z|X) continue;; esac
  began=$started each=$pid
  [ -n "$(line_of "$pid")" ] || continue
  while [ "${{each:-0}}" -gt 1 ]; do
    [ "$each" != $$ ] || continue 2
    ! is_ours "$each" || continue 2
    read_stat "$each" || break
    each=$parent
  done
  if [ "$by" = name ] && [ "$text" != "$short" ]; then
    program=$(program_of "$pid")
    [ "${{program##*/}}" = "$text" ] || continue
  fi
  if [ -n "$user" ]; then
    effective=
    {{ while read -r key real effective rest; do [ "$key" != Uid: ] || break; done < "/proc/$pid/status"; }} 2>/dev/null
    [ "$effective" = "$user" ] || continue
  fi
  name=; {{ read -r name < "/proc/$pid/comm"; }} 2>/dev/null
  printf '%s %s %s\\n' "$pid" "$began" "$name"
done
"""

ALIVE = f"""{_READ_STAT}
alive() {{
  read_stat "${{1%:*}}" && [ "$started" = "${{1#*:}}" ] || return 1
  case $state in Z|X) return 1;; esac
}}
"""
"""Shell: whether the process PID:START is still there; sets `state`, as proc(5) has it."""

# $1 is the signal's name, the rest are processes as PID:START.
_SEND = f"""{ALIVE}
signal=$1
shift
for each in "$@"; do
  ! alive "$each" || kill -s "$signal" "${{each%:*}}" || {{ ! alive "$each" || code=66; }}
done
exit ${{code:-0}}
"""
# $1 is how many seconds to wait for them to be gone; prints those that are left. Not every `sleep` takes fractions.
_LEFT = f"""{ALIVE}
end=$(($(date +%s) + $1))
shift
while :; do
  left=
  for each in "$@"; do ! alive "$each" || left="$left ${{each%:*}}"; done
  [ -n "$left" ] && [ "$(date +%s)" -lt "$end" ] || break
  sleep 0.1 2>/dev/null || sleep 1
done
echo $left
"""


class Wanted(NamedTuple):
    """Which processes: all of that name, or those whose command line a pattern is found in; of one user, or of all."""

    name: str | None = None
    pattern: str | None = None
    user: str | None = None

    def __str__(self) -> str:
        which = f"named {self.name}" if self.name else f"whose command line matches {self.pattern}"
        return f"{which} of user {self.user}" if self.user else which


class Process(NamedTuple):
    """A process: `started` is the kernel's, and tells it from any that has its id later."""

    pid: int
    started: str
    name: str

    def __str__(self) -> str:
        return f"{self.pid} {self.name}"

    @property
    def key(self) -> str:
        """What scripts know it by."""
        return f"{self.pid}:{self.started}"


async def find_processes(wanted: Wanted, node: str, world: World, *, timeout_seconds: float) -> list[Process]:
    """Those processes on the machine of a node, in the order of their ids.

    Raises:
        MachineError: they could not be looked for: the message says why.
        ClusterError: the API server, where the way goes through that, did not answer.
    """
    text = wanted.name or wanted.pattern or ""
    short = text[:_KERNEL_NAME]
    words = (
        "name" if wanted.name else "pattern",
        text,
        _SPECIAL.sub(r"\\\1", short),
        short,
        wanted.user or "",
    )
    result = await run_there(node, script(_FIND, *words), world, timeout_seconds=timeout_seconds)
    if result.exit_code:
        raise MachineError(f"processes {wanted} can't be looked for on node {node}: {last_words(result)}")
    found = [match for line in result.output.split("\n") if (match := _FOUND.fullmatch(line))]
    return sorted(Process(int(each[1]), each[2], each[3]) for each in found)


async def send_signal(signal: str, processes: Sequence[Process], node: str, world: World) -> str:
    """Send a signal to those of the processes that are still there; returns why it was not let through, if so.

    Raises:
        MachineError: the way there is gone; whether it was sent is not known.
        ClusterError: likewise.
    """
    words = (signal.removeprefix("SIG"), *(each.key for each in processes))
    result = await run_there(node, script(_SEND, *words), world)
    return last_words(result) if result.exit_code else ""


async def wait_for_end(
    processes: Sequence[Process], node: str, world: World, *, patience_seconds: int, timeout_seconds: float
) -> list[Process]:
    """Those of the processes that are still there after so many seconds; none as soon as none is.

    Raises:
        MachineError: the way there is gone.
        ClusterError: likewise.
    """
    words = (str(patience_seconds), *(each.key for each in processes))
    result = await run_there(node, script(_LEFT, *words), world, timeout_seconds=timeout_seconds)
    if result.exit_code:
        raise MachineError(f"whether processes on node {node} have ended can't be seen: {last_words(result)}")
    left = result.output.split()
    return [each for each in processes if str(each.pid) in left]
