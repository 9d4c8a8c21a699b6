"""Tells all channels of a policy what happens in a run, beside it: slow or dead receivers cost the experiment nothing.

At the end, what waits goes at once; that takes as long as `_LAST_SECONDS` at most, and no time where somebody is in a
hurry. What is lost then is said.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from seatrial.policy.notifications import Notification
from seatrial.runtime.clock import Clock
from seatrial.runtime.events import (
    Event,
    EventStream,
    ObjectiveJudged,
    PolicyRejected,
    Record,
    RunFinished,
    RunHalted,
    RunStarted,
    ScenarioFinished,
    ScheduleMissed,
    UndoFailed,
)
from seatrial.runtime.events.following import Following
from seatrial.telemetry.notifications.carriers import open_carriers
from seatrial.telemetry.notifications.notices import Notices
from seatrial.telemetry.notifications.outbox import Outbox

_log = logging.getLogger(__name__)

_LAST_SECONDS = 20.0
_TOLD: frozenset[type[Event]] = frozenset(
    {
        ObjectiveJudged, PolicyRejected, RunFinished, RunHalted, RunStarted, ScenarioFinished, ScheduleMissed,
        UndoFailed,
    }
)  # fmt: skip


_Served = tuple[Outbox, asyncio.Task[None]]


class Notifier:
    """The outboxes of all channels, which a policy that was changed replaces."""

    def __init__(self, *, clock: Clock, emit: Callable[[Event], None], begun: Sequence[RunStarted]) -> None:
        self._clock = clock
        self._emit = emit
        self._notices = Notices(*begun)
        self._channels: tuple[Notification, ...] = ()
        self._outboxes: list[_Served] = []
        self._ending: set[asyncio.Task[None]] = set()

    async def use(self, notifications: Sequence[Notification]) -> None:
        """Tell these channels from here on; those before are told what waits for them, and then no more.

        Raises:
            SeatrialError: one lacks something; those before stay.
        """
        if tuple(notifications) == self._channels:
            return
        carriers = await open_carriers(notifications)
        before, self._outboxes = self._outboxes, []
        for number, (notification, carrier) in enumerate(zip(notifications, carriers, strict=True), start=1):
            outbox = Outbox(notification.spec, carrier, number=number, clock=self._clock, emit=self._emit)
            self._outboxes.append((outbox, asyncio.create_task(outbox.serve(), name=f"notify {carrier.name}")))
        self._channels = tuple(notifications)
        ending = asyncio.create_task(_finish(before, hurry=asyncio.Event()), name="notifications of before")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def follow(self, following: Following) -> None:
        """Tell what happens, until the end of what is followed."""
        while (record := await following.next()) is not None:
            try:
                self._take(record)
            except Exception:  # noqa: BLE001 -- a defect of ours: what comes next is to be told all the same
                _log.exception("a notification could not be made")

    def _take(self, record: Record) -> None:
        for notice in self._notices.of(record):
            for outbox, _ in self._outboxes:
                outbox.take(notice, run=self._notices.run)

    async def finish(self, hurry: asyncio.Event) -> None:
        """Send what waits, within a time; say what is lost."""
        await asyncio.gather(_finish(self._outboxes, hurry=hurry), *self._ending)


@asynccontextmanager
async def notifying(
    notifications: Sequence[Notification],
    *,
    events: EventStream,
    clock: Clock,
    hurry: asyncio.Event,
    begun: Sequence[RunStarted] = (),
) -> AsyncIterator[Notifier]:
    """Tell what is published in the block, and what waits at its end, unless `hurry` is set.

    `begun` has the run where that has begun before.

    Raises:
        SeatrialError: what a channel needs is missing; nobody was told anything.
    """
    notifier = Notifier(clock=clock, emit=events.publish, begun=begun)
    async with AsyncExitStack() as stack:
        await notifier.use(notifications)
        stack.push_async_callback(notifier.finish, hurry)
        following = Following(events, _TOLD)
        telling = asyncio.create_task(notifier.follow(following), name="notifications")
        try:
            yield notifier
        finally:
            await following.finish()
            await telling


async def _finish(outboxes: Sequence[_Served], *, hurry: asyncio.Event) -> None:
    if not outboxes:
        return
    for outbox, _ in outboxes:
        outbox.finish()
    serving = asyncio.gather(*(task for _, task in outboxes), return_exceptions=True)
    hurrying = asyncio.create_task(hurry.wait(), name="hurry")
    waited: set[asyncio.Future[Any]] = {serving, hurrying}
    try:
        await asyncio.wait(waited, timeout=_LAST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (hurrying, *(task for _, task in outboxes)):
            task.cancel()
        await asyncio.gather(serving, hurrying, return_exceptions=True)
        for outbox, _ in outboxes:
            outbox.give_up()
            await outbox.carrier.close()
