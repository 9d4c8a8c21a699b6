"""A session by hand: one thing after the other is done through the engine, and stays until it is undone.

To the journal a session is a run like any other. So whatever becomes of this process, what it changed is taken back:
when the session ends, when experiments are halted, by the guardian when it is killed, or by the next Seatrial. `deeds`
has what was done.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from typing import Any

from seatrial.by_hand.deeds import Deed, Standing
from seatrial.by_hand.orders import NAME, Order, parsed_step
from seatrial.engine.plan import plan_step
from seatrial.engine.scenario import run_step
from seatrial.engine.unwind import serves_others, unwind
from seatrial.errors import Halted, Interrupted, SeatrialError, UsageError
from seatrial.policy.base import OneKey
from seatrial.runtime.context import Context
from seatrial.runtime.events import Where
from seatrial.runtime.journal import WrittenUndo
from seatrial.runtime.plan import StepPlan
from seatrial.runtime.run_journal import RunJournal
from seatrial.runtime.scope import ScenarioScope
from seatrial.runtime.uncancellable import uncancellable
from seatrial.runtime.verdict import not_carried_out
from seatrial.steps.registry import step_types

_log = logging.getLogger(__name__)


class HandSession:
    """What a person has done to a cluster, and the way to do more and to undo it."""

    def __init__(
        self,
        context: Context,
        *,
        hurry: asyncio.Event,
        earlier_failures: Sequence[str] = (),
        is_disposable: bool = False,
    ) -> None:
        """`hurry`, once set, shortens what is left of clean-up.

        `earlier_failures` has what could not be undone of earlier runs; a cluster that `is_disposable` is gone with
        the session.
        """
        self.context = context
        self.is_disposable = is_disposable
        self.deeds: list[Deed] = []
        self.on_change: Callable[[], None] = lambda: None
        """Called when a deed or its standing changes."""
        self.watched_over: Callable[[RunJournal], AbstractAsyncContextManager[None]] = lambda _journal: nullcontext()
        """Has somebody watch over another run of this process while a block lasts."""
        self._halts_too: list[Callable[[str], None]] = []
        self._other_failures = list(earlier_failures)
        self._hurry = hurry
        self._one_at_a_time = asyncio.Lock()
        self._acting: asyncio.Task[None] | None = None
        self._halted = ""
        self._halting: set[asyncio.Task[None]] = set()
        self._is_closed = False

    @property
    def standing_deeds(self) -> Sequence[Deed]:
        """The deeds that undo would take back, or try to once more, last first."""
        return [deed for deed in reversed(self.deeds) if deed.stands]

    @property
    def undo_failures(self) -> Sequence[str]:
        """What could not be taken back, and stands in the journal; that of other runs on this cluster, too."""
        return tuple(dict.fromkeys((*self._other_failures, *self.context.journal.failures)))

    def add_failures(self, failures: Sequence[str]) -> None:
        """Another run that was begun here could not undo this: clean-up is incomplete when the session ends."""
        self._other_failures += failures

    @property
    def changes(self) -> Sequence[str]:
        """What taking everything back would do, last first."""
        left = [*self.context.journal.newer_than(0), *self.context.journal.failed]
        left.sort(key=lambda written: written.id, reverse=True)
        return [written.undo.description for written in left if not serves_others(written)]

    def changes_of(self, deed: Deed) -> Sequence[str]:
        """What taking this deed back would do, last first."""
        return [written.undo.description for written in self._undos_of(deed, self.context.journal.newer_than(0))]

    async def preview(self, order: Order) -> StepPlan:
        """What an order would hit, by the code that would do it; nothing is changed.

        Raises:
            UsageError: the order is no step.
            ClusterError: the API server did not answer.
        """
        step = parsed_step(order)
        context = self.context.at(where=_where(len(self.deeds) + 1), scope=ScenarioScope(done=self._done))
        if unmet := await step_types()[step.key].unmet_needs(step.spec, context):
            return StepPlan(summary=order.title, refused=unmet)
        return await plan_step(step.key, step.spec, context)

    async def do(self, order: Order) -> Deed:
        """Carry out an order. Its outcome tells what came of it; it raises for nothing that the cluster does.

        Cancelled in the middle, what it changed so far is undone; cancelled again meanwhile, that is hurried.

        Raises:
            UsageError: the order is no step.
            Halted: experiments are halted, or were meanwhile: all that the session changed is undone.
            Interrupted: the session ended, or was closed meanwhile: what this changed is undone.
        """
        step = parsed_step(order)
        async with self._turn():
            deed = Deed(len(self.deeds) + 1, order, begun=self.context.clock.now(), done=self._done)
            self.deeds.append(deed)
            self.on_change()
            acting = self._acting = asyncio.create_task(self._carry_out(step, deed), name=order.title)
            try:
                await self._until_done(deed, acting)
            finally:
                self._acting = None
                self._end(deed)
            timeout = self.context.settings.recovery_timeout_seconds
            deed.settling = asyncio.create_task(deed.scope.settle(timeout_seconds=timeout), name=order.title)
            deed.settling.add_done_callback(lambda _task: self.on_change())
        return deed

    async def undo(self, number: int) -> Deed:
        """Take back the deed of that number, or try to once more.

        Raises:
            UsageError: there is no such deed, it changed nothing that stands, or others that stand came after it.
            Interrupted: the session has ended.
        """
        async with self._turn():
            deed = self._deed(number)
            if later := [each.number for each in reversed(self.deeds[number:]) if each.standing is Standing.STANDS]:
                words = ", ".join(map(str, later))
                raise UsageError(
                    f"what came after {number} and stands goes first: {words}",
                    hint=f"undo {later[0]}, or all: undo all",
                )
            await self._undisturbed(self._take_back(deed))
            return deed

    async def undo_last(self) -> Deed | None:
        """Take back the last deed that stands, or try to once more; None where there is none.

        Raises:
            Interrupted: the session has ended.
        """
        async with self._turn():
            deed = next(iter(self.standing_deeds), None)
            if deed is not None:
                await self._undisturbed(self._take_back(deed))
            return deed

    async def undo_all(self) -> Sequence[Deed]:
        """Take back every deed that stands, last first, each tried also where another can't be taken back.

        Raises:
            Interrupted: the session has ended.
        """
        async with self._turn():
            taken = self.standing_deeds
            await self._undisturbed(self._take_back_each(taken))
            return taken

    @contextmanager
    def halting_too(self, halt: Callable[[str], None]) -> Iterator[None]:
        """While the block runs, another run of this process is told of a halt that the session sees."""
        self._halts_too.append(halt)
        try:
            yield
        finally:
            self._halts_too.remove(halt)

    def halt(self, words: str) -> None:
        """Stop what is being done and take everything back, because experiments are halted."""
        if self._is_closed:
            return
        for halt in self._halts_too:
            halt(words)
        self._halted = words
        if self._acting is not None:
            self._acting.cancel()
        task = asyncio.create_task(self._take_back_for_halt(), name="halt")
        self._halting.add(task)
        task.add_done_callback(self._halting.discard)

    async def close(self, *, keep: bool = False) -> None:
        """End the session: what is being done is stopped and taken back, and so is everything, unless it is to be kept.

        What could not be taken back before is not tried again. It must not be cancelled.
        """
        self._is_closed = True
        if self._acting is not None:
            self._acting.cancel()
        await asyncio.gather(*self._halting, return_exceptions=True)
        async with self._one_at_a_time:
            if not keep:
                await self._take_back_each(self._that_stand)
            for deed in self.deeds:
                await deed.stop_watching()
            # What no deed owns: what was loaded, and a way to machines, which is of no use without us.
            left = self.context.journal.newer_than(0)
            await unwind([each for each in left if not keep or serves_others(each)], self.context, hurry=self._hurry)

    async def _carry_out(self, step: OneKey, deed: Deed) -> None:
        context = self.context.at(where=_where(deed.number), scope=deed.scope)
        try:
            await context.halt.check()
            unmet = await step_types()[step.key].unmet_needs(step.spec, context)
            if unmet:
                deed.outcome = not_carried_out("; ".join(unmet))
            else:
                deed.outcome = await run_step(step.key, step.spec, context, index=0, total=1)
        except SeatrialError as error:
            deed.outcome = not_carried_out(error.in_full)
            if isinstance(error, Halted):
                raise

    async def _until_done(self, deed: Deed, acting: asyncio.Task[None]) -> None:
        """Wait for what is being done; where somebody stops it, take it back."""
        try:
            await asyncio.wait({acting})
        except asyncio.CancelledError:
            acting.cancel()
            await self._stop(deed, acting, "stopped", patience=0)
            raise
        if not acting.cancelled():
            acting.result()
            return
        halted = self._halted
        await self._stop(deed, acting, halted or "the session has ended", patience=1)
        if not halted:
            raise Interrupted("the session has ended")
        raise Halted(halted, hint="when the reason is gone: seatrial resume")

    async def _stop(self, deed: Deed, acting: asyncio.Task[None], words: str, *, patience: int) -> None:
        """Take back what is being done; who wants to stop more often than `patience` has it is in a hurry."""

        async def stop() -> None:
            await asyncio.wait({acting})
            deed.outcome = not_carried_out(words)
            if self.changes_of(deed):
                await self._take_back(deed)
            else:  # a machine that is deleted, a command that may run on: what nothing takes back is not undone
                await deed.stop_watching()
                self._stand(deed, Standing.FOR_GOOD)
            if self._halted:
                await self._take_back_each(self._that_stand)

        await self._undisturbed(stop(), patience=patience)

    def _end(self, deed: Deed) -> None:
        deed.ended = self.context.clock.now()
        if deed.standing is Standing.BEING_DONE:
            self._stand(deed, Standing.STANDS if self.changes_of(deed) else Standing.FOR_GOOD)

    async def _undisturbed(self, work: Coroutine[Any, Any, None], *, patience: int = 1) -> None:
        """Take back to the end, also where somebody wants to stop; who says so once more is in a hurry.

        The hurry is over with this: what stands is taken back at leisure when the session ends. One that somebody else
        asked for stays, since that is how one leaves in a hurry.
        """
        is_ours = False

        def stop_asked(count: int) -> None:
            nonlocal is_ours
            if count > patience and not self._hurry.is_set():
                is_ours = True
                self._hurry.set()

        try:
            await uncancellable(work, on_cancel=stop_asked)
        finally:
            if is_ours:
                self._hurry.clear()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Be the only one who does or undoes something.

        Raises:
            Interrupted: the session has ended.
        """
        async with self._one_at_a_time:
            if self._is_closed:
                raise Interrupted("the session has ended")
            self._halted = ""
            yield

    @property
    def _that_stand(self) -> Sequence[Deed]:
        """Those that were not tried in vain, last first."""
        return [deed for deed in self.standing_deeds if deed.standing is Standing.STANDS]

    @property
    def _done(self) -> frozenset[str]:
        """What was done and stands, as the steps of one scenario remember it of each other.

        A machine that was stopped a moment ago is down to guardrails before the cluster has missed it.
        """
        done: frozenset[str] = frozenset()
        for deed in self.deeds:
            if deed.standing is not Standing.UNDONE:
                done = deed.scope.all_done(done)
        return done

    async def _take_back_for_halt(self) -> None:
        async with self._one_at_a_time:
            await self._take_back_each(self._that_stand)

    async def _take_back_each(self, deeds: Sequence[Deed]) -> None:
        for deed in deeds:
            await self._take_back(deed)

    async def _take_back(self, deed: Deed) -> None:
        """Undo a deed; those after it are undone already."""
        await deed.stop_watching()
        journal = self.context.journal
        journal.open_again(self._undos_of(deed, journal.failed))
        await unwind(self._undos_of(deed, journal.newer_than(0)), self.context, hurry=self._hurry)
        failed = self._undos_of(deed, journal.failed)
        deed.undone = None if failed else self.context.clock.now()
        self._stand(deed, Standing.NOT_UNDONE if failed else Standing.UNDONE)

    def _undos_of(self, deed: Deed, undos: Sequence[WrittenUndo]) -> list[WrittenUndo]:
        """Those that were written by a deed, without ways to machines, which serve others, too."""
        return [each for each in undos if each.id in deed.scope.undos and not serves_others(each)]

    def _deed(self, number: int) -> Deed:
        if not 1 <= number <= len(self.deeds):
            raise UsageError(f"there is no {number} in this session", hint="see: history")
        deed = self.deeds[number - 1]
        if not deed.stands:
            raise UsageError(f"there is nothing of {number} to take back: {deed.standing}", hint="see: history")
        return deed

    def _stand(self, deed: Deed, standing: Standing) -> None:
        deed.standing = standing
        self.on_change()


def _where(number: int) -> Where:
    return Where(round=number, scenario=NAME)
