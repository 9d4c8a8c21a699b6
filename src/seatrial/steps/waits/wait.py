"""What `waitFor` needs of whatever it waits for."""

from typing import Protocol

from seatrial.runtime.verdict import Outcome


class Wait(Protocol):
    """One wait: `what` says for what, in words. Moments are seconds of the event loop's clock.

    All methods raise `SeatrialError` where asking again can't help.
    """

    what: str

    async def until(self, *, holds_for_seconds: float, not_before: float) -> float:
        """Wait until it holds, and goes on to from `not_before` at the earliest; when it began to hold."""
        ...

    def known_missing_until(self) -> float | None:
        """Up to which moment it is known not to have held; None where that isn't known."""
        ...

    async def too_late(self, *, timeout_seconds: float) -> Outcome:
        """What to say when `until` did not end in time: how far it came."""
        ...

    async def at_present(self) -> str:
        """How far it is, in words; empty where looking would do something."""
        ...

    async def missing_permissions(self) -> tuple[str, ...]:
        """What this user may not do though the wait needs it."""
        ...
