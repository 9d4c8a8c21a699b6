"""That killed processes are started again, by whatever supervises them: measured beside the steps that follow.

A machine tells nobody when a process begins, so it is asked again and again; the time is as exact as that.
"""

import asyncio
from collections.abc import Sequence

from seatrial.actions.machine_processes import Process, Wanted, find_processes
from seatrial.actions.machine_shell import COMMAND_SECONDS
from seatrial.errors import ClusterError, MachineError
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultCleared, MeasurementTaken, ProofMissing
from seatrial.runtime.verdict import PASSED, Outcome, nothing_to_do

_LOOK_AGAIN_SECONDS = 0.5


def expect_return(killed: Sequence[Process], wanted: Wanted, node: str, context: Context, *, since: float) -> None:
    """Let the scenario wait until as many others are there as were killed; `since` is on the run's clock."""
    subject = f"processes {wanted} on node {node}"
    if not context.settings.recovery_timeout_seconds:
        context.emit(ProofMissing(subject=subject, reason="with a recovery timeout of 0 nobody waits for their return"))
        return
    last = ["nobody could look"]

    def give_up() -> Outcome:
        reason = f"they were not back within {context.settings.recovery_timeout_seconds:g} s: {last[-1]}"
        context.emit(ProofMissing(subject=subject, reason=reason))
        return nothing_to_do(f"{subject}: {reason}")

    work = _until_returned(killed, wanted, node, context, since=since, last=last)
    context.scope.promise(work, name=f"return of {subject}", give_up=give_up)


async def _until_returned(
    killed: Sequence[Process], wanted: Wanted, node: str, context: Context, *, since: float, last: list[str]
) -> Outcome:
    """Wait for them; `last` has what was seen last, in words."""
    while True:
        try:
            found = await find_processes(wanted, node, context.world, timeout_seconds=COMMAND_SECONDS)
        except (MachineError, ClusterError) as error:
            last.append(error.message)
        else:
            back = [each for each in found if each not in killed]
            if len(back) >= len(killed):
                break
            last.append(f"{len(back)} of {len(killed)} are there")
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    seconds = context.clock.monotonic() - since
    context.emit(MeasurementTaken(name="processesReturned", of=node, seconds=seconds))
    proof = f"there again: {', '.join(map(str, back))}, {seconds:.1f} s after the signal"
    context.emit(FaultCleared(subject=f"end of processes {wanted} on node {node}", proof=proof))
    return PASSED
