"""Processes on machines that are stopped (SIGSTOP) and go on by themselves after a while, or at clean-up.

A timer on the machine that lets exactly these processes go on is armed before they are stopped, so a pause never
outlasts it. That they are stopped, and that they go on, is read from their states in `/proc`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.actions.dead_man_timer import DeadManTimer
from seatrial.actions.machine_processes import ALIVE, Process
from seatrial.actions.machine_shell import COMMAND_SECONDS, as_root, last_words, run_there, script
from seatrial.actions.machine_timers import NotArmed, arm, disarm, once_reached
from seatrial.errors import MachineError
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultCleared, FaultProven
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.world import World

MOST_PAUSED_SECONDS = 600
"""How long a pause may last, since clean-up waits for its timer where the way to the machine is paused with it."""

# $1 is the signal, $2 `stopped` or `going`, the rest processes as PID:START. What the kernel is asked for it does soon.
_CHANGE = f"""{ALIVE}
signal=$1 wanted=$2 refused=
shift 2
for each in "$@"; do
  ! alive "$each" || kill -s "$signal" "${{each%:*}}" || {{ ! alive "$each" || refused=66; }}
done
[ -z "$refused" ] || exit "$refused"
looks=0
while :; do
  others=
  for each in "$@"; do
    alive "$each" || continue
    case $wanted:$state in stopped:T|stopped:t) ;; going:T|stopped:*) others="$others ${{each%:*}}";; esac
  done
  [ -n "$others" ] || break
  [ "$looks" -lt 25 ] || {{ echo "not $wanted:$others" >&2; exit 67; }}
  looks=$((looks + 1))
  [ "$looks" -lt 20 ] || sleep 1
done
for each in "$@"; do ! alive "$each" || echo "${{each%:*}}"; done
"""


async def pause_processes(
    processes: Sequence[Process], node: str, context: Context, *, seconds: int, subject: str
) -> None:
    """Stop processes for so many seconds at most; clean-up lets them go on at once.

    Raises:
        MachineError: they could not be stopped, or the way there is gone; clean-up sees to it.
        ClusterError: the latter.
    """
    timer = DeadManTimer.of(seconds)
    keys = [each.key for each in processes]
    written = await context.write_undo(await _resumption(processes, node, timer, context, subject=subject))
    try:
        await arm(timer, _resuming(keys), node, context, in_words="let them go on")
    except NotArmed:
        await context.journal.settle(written)
        raise
    result = await run_there(node, script(_CHANGE, "STOP", "stopped", *keys), context.world)
    if result.exit_code:
        raise MachineError(f"they were not stopped: {last_words(result)}")
    stopped = ", ".join(result.output.split()) or "none"
    context.emit(FaultProven(subject=subject, proof=f"stopped (state T): {stopped}, for {seconds} s at most"))


def _resuming(keys: Sequence[str]) -> list[str]:
    return script(_CHANGE, "CONT", "going", *keys)


async def _resumption(
    processes: Sequence[Process], node: str, timer: DeadManTimer, context: Context, *, subject: str
) -> Undo:
    keys = [each.key for each in processes]
    return Undo(
        kind=RESUME_PROCESSES.kind,
        args={"node": node, "processes": keys, "timer": timer.as_json(), "subject": subject},
        description=f"let {', '.join(map(str, processes))} on node {node} go on",
        manual=await context.executor.by_hand(node, as_root(_resuming(keys))),  # its timer may do so once more
    )


async def _resume(args: Mapping[str, Any], world: World) -> str:
    node, timer = args["node"], DeadManTimer.from_json(args["timer"])
    patience = timer.seconds + COMMAND_SECONDS
    going = await once_reached(lambda: _let_go_on(args["processes"], node, world), world, within_seconds=patience)
    await disarm(timer, node, world, subject=args["subject"], patience_seconds=COMMAND_SECONDS)
    world.emit(FaultCleared(subject=args["subject"], proof=f"going on: {', '.join(going) or 'none is there any more'}"))
    return ""


async def _let_go_on(keys: Sequence[str], node: str, world: World) -> list[str]:
    result = await run_there(node, _resuming(keys), world)
    if result.exit_code:
        raise MachineError(f"processes on node {node} could not be made to go on: {last_words(result)}")
    return result.output.split()


RESUME_PROCESSES = UndoKind(
    kind="resumeProcesses", run=_resume, deadline_seconds=MOST_PAUSED_SECONDS + 4 * COMMAND_SECONDS
)
