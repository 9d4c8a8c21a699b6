"""The steady state of a scenario: it holds before, is sampled all through, and holds again after clean-up.

Before the first step every probe has to pass, or nothing is touched. While the steps run, failures are counted for each
probe, and compared with what the policy tolerates. After clean-up, when the fault is gone for sure, all have to pass
again within the time that the policy gives; the time it took is a measurement.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from seatrial.engine.sampling import Sample, look, samples
from seatrial.policy.base import OneKey
from seatrial.policy.models import SteadyState
from seatrial.runtime.context import Context
from seatrial.runtime.events import (
    MeasurementTaken,
    SteadyStateHeld,
    SteadyStateLost,
    SteadyStateRegained,
    SteadyStateSampled,
)
from seatrial.runtime.scope import Observation
from seatrial.runtime.verdict import PASSED, Outcome, Verdict, combine, failed, not_carried_out, nothing_to_do

_LONGEST_PAUSE_SECONDS = 1.0


class SteadyStateWatch:
    """The steady state of one scenario; `held_before` tells whether it did."""

    def __init__(self, spec: SteadyState, context: Context) -> None:
        self.held_before = False
        self._spec = spec
        self._context = context
        self._probes = {name_of(probe, number): probe for number, probe in enumerate(spec.probes)}

    async def holds_before(self) -> Outcome:
        """Look once, before anything is touched."""
        clock = self._context.clock
        begun = clock.monotonic()
        broken = await self._broken()
        if broken:
            reasons = "; ".join(f"{name}: {', '.join(outcome.reasons)}" for name, outcome in broken.items())
            return not_carried_out(f"the system wasn't steady before the experiment: {reasons}; nothing was touched")
        self._say_held("before", seconds=clock.monotonic() - begun)
        self.held_before = True
        return PASSED

    async def watch(self, observation: Observation) -> Outcome:
        """Sample every probe until the steps have ended."""
        observation.begun.set()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._sample(name, probe, observation.ending)) for name, probe in self._probes.items()
            ]
        return combine(task.result() for task in tasks)

    async def returns(self) -> Outcome:
        """Look until all holds again, at most as long as the policy says."""
        clock, within = self._context.clock, self._spec.recover_within_seconds
        begun = clock.monotonic()
        pause = min(self._spec.interval_seconds, _LONGEST_PAUSE_SECONDS)
        while broken := await self._broken():
            if clock.monotonic() + pause - begun > within:
                reasons = "; ".join(f"{name}: {', '.join(outcome.reasons)}" for name, outcome in broken.items())
                text = f"the steady state did not return within {within:g} s after clean-up ({reasons})"
                was_seen = any(outcome.verdict is Verdict.FAILED for outcome in broken.values())
                return failed(text) if was_seen else nothing_to_do(text)
            await clock.sleep(pause)
        seconds = clock.monotonic() - begun
        self._say_held("after", seconds=seconds)
        scenario = self._context.where.scenario
        self._context.emit(MeasurementTaken(name="steadyStateReturned", of=scenario, seconds=seconds))
        return PASSED

    async def _broken(self) -> dict[str, Outcome]:
        """The probes that don't hold at the moment."""
        outcomes = await asyncio.gather(*(look(probe, self._context) for probe in self._probes.values()))
        return {name: outcome for name, outcome in zip(self._probes, outcomes, strict=True) if not outcome.passed}

    def _say_held(self, moment: str, *, seconds: float) -> None:
        self._context.emit(SteadyStateHeld(moment=moment, probes=len(self._probes), seconds=seconds))

    async def _sample(self, name: str, probe: OneKey, ending: asyncio.Event) -> Outcome:
        tally = _Tally(name, self._context)
        interval = self._spec.interval_seconds
        taken: AsyncIterator[Sample] = samples(probe, self._context, interval_seconds=interval, ending=ending)
        try:
            async with aclosing(taken):  # type: ignore[type-var] # an asynchronous generator, which has aclose
                async for sample in taken:
                    tally.take(sample)
        finally:
            tally.tell()  # also where the experiment is aborted or stopped
        return tally.verdict(self._spec)


class _Tally:
    """What the samples of one probe came to."""

    def __init__(self, probe: str, context: Context) -> None:
        self._probe = probe
        self._context = context
        self._samples = self._failed = self._unseen = 0
        self._longest_outage = 0.0
        self._lost_at: float | None = None

    def take(self, sample: Sample) -> None:
        """Count one more sample; what could not be seen neither begins an outage nor ends one."""
        self._samples += 1
        match sample.outcome.verdict:
            case Verdict.INCONCLUSIVE:
                self._unseen += 1
            case Verdict.FAILED:
                self._failed += 1
                if self._lost_at is None:
                    self._lost_at = sample.due
                    self._context.emit(SteadyStateLost(probe=self._probe, reason="; ".join(sample.outcome.reasons)))
                self._extend_outage(sample.due)
            case Verdict.PASSED if self._lost_at is not None:
                self._extend_outage(sample.due)
                self._context.emit(SteadyStateRegained(probe=self._probe, seconds=sample.due - self._lost_at))
                self._lost_at = None

    def tell(self) -> None:
        """Publish the figures."""
        self._context.emit(
            SteadyStateSampled(
                probe=self._probe,
                samples=self._samples,
                failed=self._failed,
                unseen=self._unseen,
                longest_outage_seconds=self._longest_outage,
            )
        )

    def verdict(self, spec: SteadyState) -> Outcome:
        """What they mean, with what the policy tolerates."""
        tolerance = spec.tolerance
        if tolerance is None:
            return PASSED
        most, longest = tolerance.failures, tolerance.outage_seconds
        counted = f"{self._probe} failed {self._failed} of {self._samples} samples"
        if most is not None and self._failed > most:
            return failed(f"steady state: {counted}, at most {most} may")
        if longest is not None and self._longest_outage > longest:
            return failed(
                f"steady state: {self._probe} failed for {self._longest_outage:.1f} s, at most {longest:g} s may pass"
            )
        hidden = f"steady state: {self._unseen} of {self._samples} samples of {self._probe} could not be taken"
        if self._unseen and (most is None or self._failed + self._unseen > most):
            return nothing_to_do(f"{hidden}: more may have failed than is tolerated")
        return PASSED

    def _extend_outage(self, until: float) -> None:
        if self._lost_at is not None:
            self._longest_outage = max(self._longest_outage, until - self._lost_at)


def name_of(probe: OneKey, number: int) -> str:
    """A probe as messages name it, by its place in the policy."""
    return f"probes[{number}] ({probe.key})"
