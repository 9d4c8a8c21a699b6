"""Time as a run sees it: a monotonic clock for durations, a wall clock for people, and sleeping.

Durations come from the event loop's clock alone, so that a wall clock that jumps changes no measurement, and so
that a test whose loop fast-forwards time fast-forwards everything.
"""

import asyncio
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What a step may ask about time."""

    def monotonic(self) -> float:
        """Seconds since some moment in the past; never goes back."""
        ...

    def now(self) -> datetime:
        """The time of day, with its zone."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellation ends it."""
        ...


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """The event loop's clock, in seconds."""
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        """The wall clock, UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait for that many seconds."""
        await asyncio.sleep(seconds)
