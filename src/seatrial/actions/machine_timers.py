"""Dead-man timers on machines: armed and disarmed by commands that the executor runs.

They run as root where that can be had, or (`as_root=False`) as whoever the executor logs in as.
"""

import shlex
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from seatrial.actions.dead_man_timer import DISARMED, DeadManTimer
from seatrial.actions.machine_shell import COMMAND_SECONDS, last_words
from seatrial.actions.machine_shell import as_root as root_line
from seatrial.errors import ClusterError, CommandNotStarted, MachineError
from seatrial.runtime.context import Context
from seatrial.runtime.events import ProofMissing, TimerArmed
from seatrial.runtime.world import World

T = TypeVar("T")

_RETRY_SECONDS = 5.0


class NotArmed(MachineError):  # noqa: N818 -- it says what there is
    """A timer was certainly not started."""


async def arm(
    timer: DeadManTimer, undo: Sequence[str], node: str, context: Context, *, in_words: str, as_root: bool = True
) -> None:
    """Start a timer on a node's machine that runs these words; `in_words` says what they do.

    Raises:
        NotArmed: it was not started.
        MachineError: it is not known whether it was.
    """
    command = _line(timer.arming(undo), as_root=as_root)
    try:
        result = await context.executor.run(node, command, timeout_seconds=COMMAND_SECONDS)
    except CommandNotStarted as error:
        raise NotArmed(f"its timer could not be started: {error.message}", hint=error.hint) from error
    except (MachineError, ClusterError) as error:
        raise MachineError(
            f"it is not known whether its timer was started: {error.message}", hint=error.hint
        ) from error
    if result.exit_code:
        raise NotArmed(f"its timer could not be started: {last_words(result)}")
    context.emit(TimerArmed(place=f"node {node}", seconds=timer.seconds, undo=in_words))


async def disarm(
    timer: DeadManTimer, node: str, world: World, *, subject: str, patience_seconds: float, as_root: bool = True
) -> None:
    """End a timer, and wait so long for one that has begun to undo; says where it was not there any more.

    Raises:
        MachineError: it could not be ended, or the way there is gone.
        ClusterError: the latter.
    """
    command = _line(timer.disarming(patience_seconds=patience_seconds), as_root=as_root)
    result = await world.executor.run(node, command, timeout_seconds=patience_seconds + COMMAND_SECONDS)
    if result.exit_code:
        raise MachineError(f"the timer on node {node} could not be ended: {last_words(result)}")
    if last_words(result) != DISARMED:
        reason = "its timer was not there any more: it may have ended before clean-up"
        world.emit(ProofMissing(subject=subject, reason=reason))


async def once_reached(work: Callable[[], Awaitable[T]], world: World, *, within_seconds: float) -> T:
    """Do something on a machine that may be out of reach until its timer has fired: again, until it works.

    Raises:
        MachineError: it still does not work after so many seconds.
        ClusterError: likewise.
    """
    end = world.clock.monotonic() + within_seconds
    while True:
        try:
            return await work()
        except (MachineError, ClusterError):
            if world.clock.monotonic() >= end:
                raise
        await world.clock.sleep(_RETRY_SECONDS)


def _line(words: Sequence[str], *, as_root: bool) -> str:
    return root_line(words) if as_root else shlex.join(words)
