"""A session by hand, put together as a run of a policy is: for the interactive shell and for the dashboard."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from seatrial.by_hand.session import HandSession
from seatrial.cli.session import SessionOptions, load, opened
from seatrial.engine.interrupts import Interrupts
from seatrial.policy.models import Policy
from seatrial.runtime.events import Listener
from seatrial.runtime.uncancellable import uncancellable
from seatrial.runtime.verdict import Verdict

EMPTY_POLICY = Policy(scenarios=())
"""What a session begins with; `SessionOptions` wants a policy."""


@asynccontextmanager
async def hand_session(
    options: SessionOptions, listeners: Sequence[Listener], interrupts: Interrupts, *, keeps: Callable[[], bool]
) -> AsyncIterator[HandSession]:
    """Begin a session, and take back at the end what it did, unless `keeps` says otherwise then.

    Raises:
        SeatrialError: it could not begin.
    """
    sessions: list[HandSession] = []
    halting: set[asyncio.Task[None]] = set()

    def halt(words: str) -> None:
        for session in sessions:
            halting.add(asyncio.create_task(session.halt(words), name="halt"))

    async with opened(options, listeners, interrupts, stop=halt) as ground:
        session = HandSession(ground.context, hurry=interrupts.hurry)
        sessions.append(session)
        try:
            await load(options, ground.context)
            yield session
        finally:
            await uncancellable(_end(session, halting, keep=keeps()))


async def _end(session: HandSession, halting: set["asyncio.Task[None]"], *, keep: bool) -> None:
    await asyncio.gather(*halting)
    await session.close(keep=keep)
    await session.context.journal.finish(Verdict.INCONCLUSIVE if session.undo_failures else Verdict.PASSED)
