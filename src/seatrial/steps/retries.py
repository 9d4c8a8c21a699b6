"""How often a step that matches, filters and acts is tried again before it counts as failed."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from pydantic import Field

from seatrial.errors import AlertmanagerError, ClusterError, MachineError
from seatrial.policy.base import Model, OneKey, option
from seatrial.policy.scalars import Integer, Seconds
from seatrial.runtime.clock import Clock
from seatrial.runtime.halt import HaltSwitch, NeverHalted
from seatrial.runtime.verdict import Outcome, not_carried_out

_NEVER_HALTED = NeverHalted()
_SHORTEST_PAUSE_SECONDS = 0.05


class RetriesCount(Model):
    """Try a number of times."""

    count: Annotated[Integer, Field(ge=1)] = 3
    """How many times to try again after the first failure."""

    sleep: Seconds = 1.0
    """The pause between two tries, in seconds."""


class RetriesTimeout(Model):
    """Try until a span of time is over."""

    timeout: Seconds = 60.0
    """How long to try, in seconds of wall-clock time since the first try began."""

    sleep: Seconds = 1.0
    """The pause between two tries, in seconds."""


class Retries(OneKey):
    """How often to try the whole step again (match, filter, act) before it fails."""

    retries_count: RetriesCount = option()
    """Try a number of times."""

    retries_timeout: RetriesTimeout = option()
    """Try until a span of time is over."""


async def with_retries(
    retries: Retries | None,
    attempt: Callable[[int], Awaitable[Outcome]],
    clock: Clock,
    *,
    halt: HaltSwitch = _NEVER_HALTED,
) -> Outcome:
    """Attempt until it passes or the retries are used up; attempts count from 0.

    What an attempt could not do for an error of the cluster, a machine or an Alertmanager is tried again like what
    failed. A pause of 0 is lengthened a little, so that no policy makes a busy loop around an API server.

    Raises:
        SeatrialError: what another attempt can't mend: the experiment is halted, the policy or the journal is wrong.
    """
    begun, number = clock.monotonic(), 0
    while True:
        outcome = await _attempted(attempt, number)
        number += 1
        if outcome.passed or retries is None:
            return outcome
        spec = retries.spec
        pause = max(spec.sleep, _SHORTEST_PAUSE_SECONDS)
        if isinstance(spec, RetriesCount):
            over = number > spec.count
        else:
            over = clock.monotonic() + pause - begun > spec.timeout
        if over:
            return outcome
        await clock.sleep(pause)
        await halt.check()


async def _attempted(attempt: Callable[[int], Awaitable[Outcome]], number: int) -> Outcome:
    try:
        return await attempt(number)
    except (ClusterError, MachineError, AlertmanagerError) as error:
        return not_carried_out(error.in_full)
