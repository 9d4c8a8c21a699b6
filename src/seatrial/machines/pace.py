"""How patiently a driver waits for its cloud: how often it asks again, how long it goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from seatrial.errors import MachineError
from seatrial.kube.retry import Backoff

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Delays that grow from `first_seconds` to `most_seconds`.

    One question, repetitions included, may take `answer_seconds`, one change `deadline_seconds`: a machine of iron may
    take minutes to boot.
    """

    first_seconds: float = 1.0
    most_seconds: float = 10.0
    answer_seconds: float = 60.0
    deadline_seconds: float = 600.0

    def backoff(self) -> Backoff:
        """Delays between tries, begun anew."""
        return Backoff(first_seconds=self.first_seconds, most_seconds=self.most_seconds)

    async def until(self, look: Callable[[], Awaitable[T]], reached: Callable[[T], bool]) -> T:
        """Look until what is seen is what was waited for."""
        backoff = self.backoff()
        while not reached(seen := await look()):  # noqa: ASYNC110 -- a cloud has to be asked
            await asyncio.sleep(backoff.next_delay(at_least=self.first_seconds))
        return seen

    async def within_deadline(self, change: Awaitable[T], *, late: Callable[[], str]) -> T:
        """The outcome of a change.

        Args:
            change: what to wait for.
            late: what to say where it takes too long.

        Raises:
            MachineError: the deadline passed.
        """
        try:
            async with asyncio.timeout(self.deadline_seconds) as timer:
                return await change
        except TimeoutError as error:
            if not timer.expired():
                raise
            raise MachineError(
                f"{late()} after {self.deadline_seconds:g} s", hint="look at it in the cloud's console: it may yet come"
            ) from error
