"""How a probe looks again and again: so many times, each with so many tries, every look an event."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from seatrial.errors import ClusterError
from seatrial.runtime.context import Context
from seatrial.runtime.events import ProbeSampled
from seatrial.runtime.verdict import PASSED, Outcome, failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look of a probe showed; `problem` is empty when it was as expected, the rest as in `ProbeSampled`."""

    problem: str = ""
    answer: str = ""
    status: int | None = None
    latency_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None


class Pace(Protocol):
    """What a probe's model says about how often it looks."""

    @property
    def retries(self) -> int:
        """How many tries each look has."""
        ...

    @property
    def delay_ms(self) -> float:
        """The pause between two tries."""
        ...

    @property
    def count(self) -> int:
        """How many looks have to succeed."""
        ...


async def sample(
    pace: Pace, context: Context, *, what: str, target: str, via: str, look: Callable[[], Awaitable[Look]]
) -> Outcome:
    """Look as often as asked for; the first look that fails in all its tries fails the probe, named as `what`.

    Raises:
        ClusterError: the last try could not look, since the API server did not let it through.
    """
    for _ in range(pace.count):
        problem = await _look_with_retries(pace, context, target=target, via=via, look=look)
        if problem:
            tries = f" after {pace.retries} tries" if pace.retries > 1 else ""
            return failed(f"{what}: {problem}{tries}")
    return PASSED


async def _look_with_retries(
    pace: Pace, context: Context, *, target: str, via: str, look: Callable[[], Awaitable[Look]]
) -> str:
    """The problem of the last try; empty when one succeeded."""
    problem = ""
    for attempt in range(pace.retries):
        if attempt:
            await context.clock.sleep(pace.delay_ms / 1000)
        try:
            seen = await look()
        except ClusterError:
            # Nothing was seen: whether that passes is tried as often as for a service that doesn't answer.
            if attempt + 1 == pace.retries:
                raise
            continue
        problem = seen.problem
        context.emit(
            ProbeSampled(
                target=target,
                via=via,
                ok=not problem,
                attempt=attempt,
                status=seen.status,
                latency_ms=seen.latency_ms,
                error=problem,
                answer=seen.answer,
                connect_ms=seen.connect_ms,
                tls_ms=seen.tls_ms,
                first_byte_ms=seen.first_byte_ms,
            )
        )
        if not problem:
            break
    return problem
