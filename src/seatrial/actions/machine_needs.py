"""Whether there is a way to the machines at all: asked before a step touches anything, and by plans."""

from collections.abc import Sequence

from seatrial.errors import MachineError, UsageError
from seatrial.machines.driver import Capability
from seatrial.runtime.context import Context


async def unmet_needs(
    context: Context, capabilities: Sequence[Capability], *, runs_commands: bool = False
) -> tuple[str, ...]:
    """Why machines can't be handled so, and what would help, one sentence each; empty where they can.

    Raises:
        ClusterError: the API server did not answer.
    """
    problems = []
    try:
        if capabilities:
            await context.machines.require(*capabilities)
    except (MachineError, UsageError) as error:
        problems.append(error.in_full)
    try:
        if runs_commands:
            await context.executor.require()
    except (MachineError, UsageError) as error:
        problems.append(error.in_full)
    return tuple(problems)
