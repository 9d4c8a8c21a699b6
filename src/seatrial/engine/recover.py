"""Finishing the clean-up of runs that died: their undos stand in the journal.

A run that is alive is left alone, and two processes never finish the same one: who does has claimed it in the journal.
Of a run on another host, or in another container, only its heartbeat can be seen; when that is recent, we look for a
while whether it goes on.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec

from seatrial.actions.node_shell_pods import keep_books
from seatrial.engine.unwind import unwind
from seatrial.errors import SeatrialError
from seatrial.runtime.clock import Clock
from seatrial.runtime.context import Context
from seatrial.runtime.events import EarlierRunFound, EventStream, UndoFailed
from seatrial.runtime.journal import Journal, JournaledRun, RunEntry
from seatrial.runtime.liveness import SILENCE_SECONDS, Liveness
from seatrial.runtime.randomness import Randomness
from seatrial.runtime.run_journal import RunJournal
from seatrial.runtime.uncancellable import uncancellable
from seatrial.runtime.world import World

Connect = Callable[[RunEntry], Awaitable[World]]

_LOOK_SECONDS = 1.0


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one run's clean-up: `left_alone` tells why it was not touched, `failures` what failed."""

    left_alone: str = ""
    failures: tuple[str, ...] = ()


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """What finishing clean-up needs.

    `connect` reaches again what a run worked on; `hurry` is set when somebody doesn't want to wait.
    """

    journal: Journal
    events: EventStream
    clock: Clock
    connect: Connect
    hurry: asyncio.Event

    async def at_start(self, *, server: str) -> list[str]:
        """Undo what dead runs left behind, and tell what could not be undone on that cluster.

        What was left on another cluster is published as well, and stays in the journal for the next time. What was
        kept on purpose stays as it is.
        """
        failures: list[str] = []
        for run in await self.journal.runs():
            if run.open_undos and not run.kept and run.sighting.liveness is not Liveness.ALIVE:
                finished = await self.finish(run)
                failures += finished.failures if run.entry.server == server else ()
        return failures

    async def finish(self, run: JournaledRun) -> Finished:
        """Finish the clean-up of one run, unless it is alive or somebody else is at it."""
        if run.entry.disposable and run.sighting.is_dead:
            await self.journal.forget(run.entry.id)
            return Finished()
        note = await self._why_left_alone(run)
        if not note and not await self.journal.claim(run.entry.id):
            note = "another process is undoing them"
        self.events.publish(
            EarlierRunFound(
                run_id=run.entry.id,
                policy=run.entry.policy,
                started=run.started,
                server=run.entry.server,
                undos=run.open_undos,
                note=note,
            )
        )
        if note:
            return Finished(left_alone=note)
        try:
            return Finished(failures=await self._undo_all(run.entry))
        finally:
            await uncancellable(self.journal.release(run.entry.id))

    async def _undo_all(self, run: RunEntry) -> tuple[str, ...]:
        # Read again under the claim: another process may have finished meanwhile.
        left = RunJournal(self.journal, run.id, await self.journal.open_undos(run.id))
        undos = left.newer_than(0)
        try:
            world = await self.connect(run)
        except SeatrialError as error:
            for undo in (written.undo for written in undos):
                self.events.publish(UndoFailed(description=undo.description, error=error.message, manual=undo.manual))
            return (f"run {run.id} left changes on {run.server}, which can't be reached: {error.message}",)
        async with world.cluster, _closing(world):
            context = Context(
                run_id=run.id,
                cluster=world.cluster,
                machines=world.machines,
                executor=world.executor,
                journal=left,
                events=self.events,
                randomness=Randomness(run.seed),
                clock=self.clock,
            )
            keep_books(context)
            await unwind(undos, context, hurry=self.hurry)
        return tuple(left.failures)

    async def _why_left_alone(self, run: JournaledRun) -> str:
        """Why a run is not ours to clean up after; waits for a heartbeat where nothing else can be seen of it."""
        sighting = run.sighting
        if sighting.liveness is not Liveness.UNSEEN or not sighting.heartbeat:
            return "" if sighting.is_dead else str(sighting)
        began = self.clock.monotonic()
        while self.clock.monotonic() - began < SILENCE_SECONDS:
            await self.clock.sleep(_LOOK_SECONDS)
            found = next((each for each in await self.journal.runs() if each.entry.id == run.entry.id), None)
            if found is None:
                return "its own process has undone them meanwhile"
            if found.ended:
                break
            if found.heartbeat != run.heartbeat:
                return str(found.sighting)
        return ""


@asynccontextmanager
async def _closing(world: World) -> AsyncIterator[None]:
    """Let go of the ways to machines at the end of the block."""
    try:
        yield
    finally:
        await world.executor.close()
        await world.machines.close()
