"""Sampling a probe on a fixed schedule while other things happen.

Each sample begins when it is due, whatever became of those before: a sampler that waited for slow answers would look
least often when there is most to see. Samples are handed out in the order in which they were due.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import msgspec
from msgspec.structs import replace

from seatrial.errors import SeatrialError
from seatrial.policy.base import OneKey
from seatrial.runtime.background_sample import BackgroundSample
from seatrial.runtime.context import Context
from seatrial.runtime.verdict import Outcome, not_carried_out
from seatrial.steps.registry import step_types

_log = logging.getLogger(__name__)
_MOST_UNDER_WAY = 20


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe came to, and when it was due; `latency_ms` is as in `SampleTaken`."""

    due: float
    outcome: Outcome
    latency_ms: float | None = None


async def look(probe: OneKey, context: Context) -> Outcome:
    """Run a probe once; whatever keeps it from seeing anything is an inconclusive outcome."""
    try:
        outcome: Outcome = await step_types()[probe.key].run(probe.spec, context)
    except SeatrialError as error:
        return not_carried_out(error.in_full)
    except Exception as error:  # noqa: BLE001 -- a probe is anybody's code; clean-up must go on
        _log.exception("the probe %s broke", probe.key)
        return not_carried_out(f"{probe.key} broke: {type(error).__name__}: {error}")
    return outcome


async def samples(
    probe: OneKey, context: Context, *, name: str, interval_seconds: float, ending: asyncio.Event
) -> AsyncIterator[Sample]:
    """Sample a probe, called `name`, every so many seconds, the first time at once, until `ending` is set.

    Where the answers are so slow that twenty looks are under way, those that are due meanwhile are not taken, and count
    as looks that saw nothing.
    """
    waiting: asyncio.Queue[asyncio.Task[Sample] | None] = asyncio.Queue()
    started: set[asyncio.Task[Sample]] = set()

    async def take(due: float) -> Sample:
        taken = BackgroundSample(name, late_seconds=max(0.0, context.clock.monotonic() - due))
        outcome = await look(probe, replace(context, sample=taken))
        return Sample(due=due, outcome=outcome, latency_ms=taken.latency_ms)

    async def start_when_due() -> None:
        begun, number = context.clock.monotonic(), 0
        while not ending.is_set():
            due = begun + number * interval_seconds
            if await _is_over(ending, after=due - context.clock.monotonic()):
                break
            under_way = sum(not each.done() for each in started)
            work = take(due) if under_way < _MOST_UNDER_WAY else _not_taken(due)
            task = asyncio.create_task(work, name=f"sample of {probe.key}")
            started.add(task)
            task.add_done_callback(started.discard)
            waiting.put_nowait(task)
            number += 1
        waiting.put_nowait(None)

    starter = asyncio.create_task(start_when_due(), name=f"schedule of {probe.key}")
    try:
        while (task := await waiting.get()) is not None:
            yield await task
    finally:
        tasks = [starter, *started]
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _is_over(ending: asyncio.Event, *, after: float) -> bool:
    """Wait so many seconds, or until the end; tells whether it is the end."""
    if after > 0:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(after):
                await ending.wait()
    return ending.is_set()


async def _not_taken(due: float) -> Sample:
    reason = f"{_MOST_UNDER_WAY} looks before it were still waiting for an answer"
    return Sample(due=due, outcome=not_carried_out(reason))
