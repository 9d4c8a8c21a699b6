"""What was done in a session by hand, and what has become of it."""

import asyncio
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from seatrial.by_hand.orders import Order
from seatrial.runtime.scope import ScenarioScope
from seatrial.runtime.verdict import Outcome, combine, not_carried_out


class Standing(StrEnum):
    """What has become of a deed."""

    BEING_DONE = "being done"
    STANDS = "stands"
    """It changed something that undo takes back."""
    FOR_GOOD = "for good"
    """There is nothing to take back: a pod that was killed, a probe that was sent."""
    UNDONE = "undone"
    NOT_UNDONE = "not undone"
    """Undo failed, and may be tried again; the journal keeps it for `seatrial recover`."""


class Deed:
    """One thing that was done in a session: `number` counts from 1, its `scope` knows which undos are its own.

    `outcome` is that of the step once it has ended, `settling` what the step promised to see (the recovery of a
    killed pod): it goes on while other things are done. `done` is what earlier deeds did, as scenarios remember it.
    """

    def __init__(self, number: int, order: Order, *, begun: datetime, done: Collection[str] = ()) -> None:
        self.number = number
        self.order = order
        self.begun = begun
        self.ended: datetime | None = None
        self.undone: datetime | None = None
        self.scope = ScenarioScope(done=done)
        self.outcome: Outcome | None = None
        self.settling: asyncio.Task[Outcome] | None = None
        self.standing = Standing.BEING_DONE

    @property
    def stands(self) -> bool:
        """Whether there is something of it that undo would take back, or try to once more."""
        return self.standing in {Standing.STANDS, Standing.NOT_UNDONE}

    @property
    def outcome_so_far(self) -> Outcome | None:
        """What is known by now; None while the step runs."""
        settling = self.settling
        if self.outcome is None or settling is None or not settling.done():
            return self.outcome
        return combine((self.outcome, not_carried_out("stopped") if settling.cancelled() else settling.result()))

    async def settled(self) -> Outcome:
        """All of it: the step and what it promised to see. It may be awaited again, and by several."""
        if self.settling is not None:
            await asyncio.wait({self.settling})
        return self.outcome_so_far or combine(())

    async def stop_watching(self) -> None:
        """End what goes on of it in the background; what was promised and not seen yet is not seen any more."""
        if self.settling is not None:
            # First, or what ends in the scope would look as if it had been seen.
            self.settling.cancel()
            await asyncio.wait({self.settling})
        await self.scope.close()
