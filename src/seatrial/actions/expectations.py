"""Expecting a consequence of a fault: its watch is open before the fault, and the scenario waits for it at its end."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from seatrial.runtime.context import Context
from seatrial.runtime.events import ProofMissing
from seatrial.runtime.verdict import Outcome

Follow = Callable[["asyncio.Future[float]", "asyncio.Future[None]"], Coroutine[Any, Any, Outcome]]
"""Follows what happens, told when the fault began; it sets the second future when its watch is open."""


async def expect(
    name: str, follow: Follow, *, give_up: Callable[[], Outcome], unwatched: str, context: Context
) -> "asyncio.Future[float]":
    """Promise the scenario a consequence under that name; the future takes when the fault began.

    With a recovery timeout of 0 nobody waits: then `unwatched` says why there is no proof.

    Raises:
        ClusterError: it can't be watched; nothing was changed.
    """
    loop = asyncio.get_running_loop()
    begun: asyncio.Future[float] = loop.create_future()
    if not context.settings.recovery_timeout_seconds:
        context.emit(ProofMissing(subject=name, reason=unwatched))
        return begun
    opened: asyncio.Future[None] = loop.create_future()
    context.scope.promise(follow(begun, opened), name=name, give_up=give_up)
    await opened
    return begun


def expect_no_more(name: str, begun: "asyncio.Future[float]", context: Context) -> None:
    """Let nobody wait for the consequence of a fault that did not happen."""
    context.scope.withdraw(name)
    begun.cancel()
