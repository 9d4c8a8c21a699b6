"""Finishing the clean-up of runs that died: their undos stand in the journal.

A run counts as dead when its process, on this host, is gone; one that is still alive is left alone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from seatrial.engine.unwind import unwind
from seatrial.errors import SeatrialError
from seatrial.kube.client import Client
from seatrial.runtime.context import Context
from seatrial.runtime.events import UndoFailed
from seatrial.runtime.journal import Journal, RunEntry, RunJournal

Connect = Callable[[RunEntry], Awaitable[Client]]


async def recover(journal: Journal, context: Context, connect: Connect, *, hurry: asyncio.Event) -> list[str]:
    """Undo what dead runs of this host left behind; tells what could not be undone on the cluster of `context`.

    What was left on another cluster is published as well, and stays in the journal for the next time.

    Args:
        journal: where the runs stand.
        context: for its events and clock.
        connect: reaches the cluster that a run worked on.
        hurry: set when somebody doesn't want to wait.
    """
    failures: list[str] = []
    for run in await journal.abandoned_runs():
        left = await _recover_run(run, journal, context, connect, hurry=hurry)
        if run.server == context.cluster.server:
            failures += left
    return failures


async def _recover_run(
    run: RunEntry, journal: Journal, context: Context, connect: Connect, *, hurry: asyncio.Event
) -> list[str]:
    left = RunJournal(journal, run.id, await journal.open_undos(run.id))
    try:
        cluster = await connect(run)
    except SeatrialError as error:
        for written in left.newer_than(0):
            undo = written.undo
            context.emit(UndoFailed(description=undo.description, error=error.message, manual=undo.manual))
        return [f"run {run.id} left changes on {run.server}, which can't be reached: {error.message}"]
    async with cluster:
        await unwind(left.newer_than(0), replace(context, cluster=cluster, journal=left), hurry=hurry)
    return left.failures
