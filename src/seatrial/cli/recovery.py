"""Recovery from the command line, put together: the journal, the clusters, and what is shown meanwhile."""

from collections.abc import Collection, Sequence
from pathlib import Path

from rich.console import Console

from seatrial.cli.session import event_stream, reconnect
from seatrial.engine.interrupts import Interrupts
from seatrial.engine.leftovers import Leftovers, find_leftovers
from seatrial.engine.recover import Finished, Recovery
from seatrial.errors import Interrupted, SeatrialError
from seatrial.kube.client import connect
from seatrial.report.terminal import TerminalReport
from seatrial.runtime.clock import SystemClock
from seatrial.runtime.events import StopRequested
from seatrial.runtime.journal import Journal, JournaledRun
from seatrial.runtime.liveness import heartbeat


async def finish_runs(runs: Sequence[JournaledRun], journal: Journal, *, shown: bool) -> dict[str, Finished]:
    """Finish the clean-up of runs, one after the other; `shown` on standard output, as it goes.

    Raises:
        Interrupted: somebody asked to stop; what was not undone yet stands in the journal.
    """
    import asyncio

    interrupts = Interrupts()
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 -- a coroutine runs in a task
    account = TerminalReport(Console(highlight=False))
    try:
        with interrupts.installed(), interrupts.guarding(task):
            async with event_stream([account] if shown else []) as events, heartbeat(journal.beat):
                interrupts.announce = lambda reason, hurry: events.publish(StopRequested(reason=reason, hurry=hurry))
                recovery = Recovery(
                    journal=journal, events=events, clock=SystemClock(), connect=reconnect, hurry=interrupts.hurry
                )
                return {run.entry.id: await recovery.finish(run) for run in runs}
    except asyncio.CancelledError:
        if not interrupts.requested:
            raise
        task.uncancel()
        raise Interrupted("stopped; what is not undone yet stands in the journal") from None
    finally:
        account.close()


async def look_for_leftovers(
    kubeconfig: Path | None, kube_context: str | None, *, known: Collection[str]
) -> Leftovers | str:
    """What runs that the journal doesn't know left on a cluster, or why that can't be seen."""
    try:
        async with await connect(kubeconfig=kubeconfig, context=kube_context) as cluster:
            return await find_leftovers(cluster, known=known)
    except SeatrialError as error:
        return error.message
