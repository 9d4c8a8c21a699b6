"""A session by hand: one thing after the other is done through the engine, and stays until it is undone.

To the journal a session is a run like any other. So whatever becomes of this process, what it changed is taken back:
when the session ends, when experiments are halted, by the guardian when it is killed, or by the next Seatrial.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from enum import StrEnum

from seatrial.by_hand.orders import NAME, Order, parsed_step
from seatrial.engine.plan import plan_step
from seatrial.engine.scenario import run_step
from seatrial.engine.unwind import unwind
from seatrial.errors import Halted, SeatrialError
from seatrial.runtime.context import Context
from seatrial.runtime.events import Where
from seatrial.runtime.plan import StepPlan
from seatrial.runtime.scope import ScenarioScope
from seatrial.runtime.uncancellable import uncancellable
from seatrial.runtime.verdict import Outcome, combine, not_carried_out
from seatrial.steps.registry import step_types

_log = logging.getLogger(__name__)


class Standing(StrEnum):
    """What has become of a deed."""

    BEING_DONE = "being done"
    STANDS = "stands"
    """It changed something that undo takes back."""
    FOR_GOOD = "for good"
    """There is nothing to take back: a pod that was killed, a probe that was sent."""
    UNDONE = "undone"
    NOT_UNDONE = "not undone"
    """Undo failed; the journal keeps it, and `seatrial recover` tries again."""


class Deed:
    """One thing that was done in a session: `number` counts from 1, `mark` is where its undos begin in the journal.

    `outcome` is that of the step once it has ended, `settling` what the step promised to see (the recovery of a
    killed pod): it goes on while other things are done.
    """

    def __init__(self, number: int, order: Order, *, mark: int) -> None:
        self.number = number
        self.order = order
        self.mark = mark
        self.scope = ScenarioScope(since=mark)
        self.outcome: Outcome | None = None
        self.settling: asyncio.Task[Outcome] | None = None
        self.standing = Standing.BEING_DONE

    async def settled(self) -> Outcome:
        """All of it: the step and what it promised to see. It may be awaited again, and by several."""
        so_far = self.outcome or combine(())
        if self.settling is None:
            return so_far
        await asyncio.wait({self.settling})
        return combine((so_far, not_carried_out("stopped") if self.settling.cancelled() else self.settling.result()))


class HandSession:
    """What a person has done to a cluster, and the way to do more and to undo it."""

    def __init__(self, context: Context, *, hurry: asyncio.Event) -> None:
        """`hurry`, once set, shortens what is left of clean-up."""
        self.context = context
        self.deeds: list[Deed] = []
        self.on_change: Callable[[], None] = lambda: None
        """Called when a deed or its standing changes."""
        self._hurry = hurry
        self._one_at_a_time = asyncio.Lock()
        self._acting: asyncio.Task[object] | None = None
        self._halted = ""

    @property
    def standing_deeds(self) -> Sequence[Deed]:
        """The deeds that undo would take back, last first."""
        return [deed for deed in reversed(self.deeds) if deed.standing is Standing.STANDS]

    @property
    def undo_failures(self) -> Sequence[str]:
        """What could not be taken back, and stands in the journal."""
        return tuple(self.context.journal.failures)

    async def preview(self, order: Order) -> StepPlan:
        """What an order would hit, by the code that would do it; nothing is changed.

        Raises:
            UsageError: the order is no step.
            ClusterError: the API server did not answer.
        """
        step = parsed_step(order)
        context = self.context.at(where=self._where(len(self.deeds) + 1))
        if unmet := await step_types()[step.key].unmet_needs(step.spec, context):
            return StepPlan(summary=order.title, refused=unmet)
        return await plan_step(step.key, step.spec, context)

    async def do(self, order: Order) -> Deed:
        """Carry out an order. Its outcome tells what came of it; it raises for nothing that the cluster does.

        Cancelled in the middle, what it changed so far is undone.

        Raises:
            UsageError: the order is no step.
            Halted: experiments are halted, or were meanwhile: all that the session changed has been undone.
        """
        step = parsed_step(order)
        async with self._one_at_a_time:
            deed = Deed(len(self.deeds) + 1, order, mark=self.context.journal.mark)
            self.deeds.append(deed)
            context = self.context.at(where=self._where(deed.number), scope=deed.scope)
            self._acting = asyncio.current_task()
            self._halted = ""
            try:
                await self.context.halt.check()
                unmet = await step_types()[step.key].unmet_needs(step.spec, context)
                if unmet:
                    deed.outcome = not_carried_out("; ".join(unmet))
                else:
                    deed.outcome = await run_step(step.key, step.spec, context, index=0, total=1)
            except asyncio.CancelledError:
                await uncancellable(self._take_back(deed))
                if self._halted:
                    _no_longer_cancelled()
                    raise Halted(self._halted, hint="when the reason is gone: seatrial resume") from None
                raise
            except SeatrialError as error:
                deed.outcome = not_carried_out(error.in_full)
                if isinstance(error, Halted):
                    raise
            finally:
                self._acting = None
                if deed.standing is Standing.BEING_DONE:
                    stands = self.context.journal.mark > deed.mark
                    self._stand(deed, Standing.STANDS if stands else Standing.FOR_GOOD)
            timeout = self.context.settings.recovery_timeout_seconds
            deed.settling = asyncio.create_task(deed.scope.settle(timeout_seconds=timeout), name=order.title)
            deed.settling.add_done_callback(lambda _task: self.on_change())
        return deed

    async def undo_last(self) -> Deed | None:
        """Take back the last deed that stands; None where there is none."""
        async with self._one_at_a_time:
            deed = next(iter(self.standing_deeds), None)
            if deed is not None:
                await uncancellable(self._take_back(deed))
            return deed

    async def undo_all(self) -> Sequence[Deed]:
        """Take back every deed that stands, last first."""
        async with self._one_at_a_time:
            return await uncancellable(self._take_back_all())

    async def halt(self, words: str) -> None:
        """Stop what is being done and take everything back, because experiments are halted."""
        self._halted = words
        if self._acting is not None:
            self._acting.cancel()
        await self.undo_all()

    async def close(self, *, keep: bool = False) -> None:
        """End the session: everything is taken back, unless it is to be kept, and the journal is told."""
        if not keep:
            await self.undo_all()
        for deed in self.deeds:
            await deed.scope.close()
            if deed.settling is not None:
                deed.settling.cancel()
                await asyncio.wait({deed.settling})
        if not keep:
            # What no deed owns: a way to machines that was made for looking.
            await uncancellable(unwind(self.context.journal.newer_than(0), self.context, hurry=self._hurry))

    async def _take_back_all(self) -> Sequence[Deed]:
        taken = self.standing_deeds
        for deed in taken:
            await self._take_back(deed)
        return taken

    async def _take_back(self, deed: Deed) -> None:
        """Undo a deed; those after it are undone already."""
        await deed.scope.close()
        failures = len(self.context.journal.failures)
        await unwind(self.context.journal.newer_than(deed.mark), self.context, hurry=self._hurry)
        failed = len(self.context.journal.failures) > failures
        self._stand(deed, Standing.NOT_UNDONE if failed else Standing.UNDONE)

    def _stand(self, deed: Deed, standing: Standing) -> None:
        deed.standing = standing
        self.on_change()

    def _where(self, number: int) -> Where:
        return Where(round=number, scenario=NAME)


def _no_longer_cancelled() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
