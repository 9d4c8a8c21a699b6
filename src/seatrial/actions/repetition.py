"""Faults in patterns: the same once, or several times with pauses between their beginnings.

Before each, the halt is asked; the pauses are the run's clock's, so that an interruption ends them at once.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from pydantic import Field

from seatrial.policy.base import Model
from seatrial.policy.scalars import Integer
from seatrial.runtime.context import Context
from seatrial.runtime.verdict import Outcome, combine


class Repeat(Model):
    """The same again, a number of times."""

    times: Annotated[Integer, Field(ge=1, le=10_000)]
    """How many times in all."""

    every: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 10.0
    """How many seconds lie between the beginning of one and of the next; one that takes longer is followed at once."""

    def __str__(self) -> str:
        return f"{self.times} times, every {self.every:g} s" if self.times > 1 else "once"


ONCE = Repeat(times=1)


async def repeated(repeat: Repeat, work: Callable[[int], Awaitable[Outcome]], context: Context) -> Outcome:
    """Do it that often; what could not be carried out, or failed, ends the pattern."""
    outcomes: list[Outcome] = []
    for number in range(1, repeat.times + 1):
        await context.halt.check()
        begun = context.clock.monotonic()
        outcomes.append(await work(number))
        if outcomes[-1].ends_scenario:
            break
        if number < repeat.times:
            await context.clock.sleep(max(0.0, begun + repeat.every - context.clock.monotonic()))
    return combine(outcomes)
