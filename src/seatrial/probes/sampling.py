"""How a probe looks again and again: so many times, each with so many tries, every look an event."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from seatrial.errors import ClusterError
from seatrial.runtime.context import Context
from seatrial.runtime.events import ProbeSampled
from seatrial.runtime.sightings import ServiceLook
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
    pace: Pace,
    context: Context,
    *,
    what: str,
    target: str,
    via: str,
    look: Callable[[], Awaitable[Look]],
    service: tuple[str, str] | None = None,
) -> Outcome:
    """Look as often as asked for; the first look that fails in all its tries fails the probe, named as `what`.

    `service` names the Service that is asked, by its namespace and name.

    Raises:
        ClusterError: the last try could not look, since the API server did not let it through.
    """
    for _ in range(pace.count):
        problem = await _look_with_retries(pace, context, target=target, via=via, look=look, service=service)
        if problem:
            tries = f" after {pace.retries} tries" if pace.retries > 1 else ""
            return failed(f"{what}: {problem}{tries}")
    return PASSED


async def _look_with_retries(
    pace: Pace,
    context: Context,
    *,
    target: str,
    via: str,
    look: Callable[[], Awaitable[Look]],
    service: tuple[str, str] | None,
) -> str:
    """The problem of the last try; empty when one succeeded."""
    problem, clock, taken = "", context.clock, context.sample
    first = clock.monotonic()
    for attempt in range(pace.retries):
        if attempt:
            await clock.sleep(pace.delay_ms / 1000)
        began = clock.monotonic()
        try:
            seen = await look()
        except ClusterError:
            # Nothing was seen: whether that passes is tried as often as for a service that doesn't answer.
            if attempt + 1 == pace.retries:
                raise
            continue
        problem, ended = seen.problem, clock.monotonic()
        since_due_ms = None
        if taken is not None and seen.latency_ms is not None:
            since_due_ms = taken.answered(after_seconds=ended - first)
        if service is not None:
            asked = ServiceLook(service=service, ok=not problem, began=began, ended=ended)
            context.scope.sightings.service_asked(asked, in_background=taken is not None)
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
                probe=taken.probe if taken else "",
                since_due_ms=since_due_ms,
            )
        )
        if not problem:
            break
    return problem
