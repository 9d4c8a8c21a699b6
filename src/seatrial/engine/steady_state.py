"""The steady state of a scenario: it holds before, is sampled all through, and holds again after clean-up.

Before the first step every probe has to pass, or nothing is touched. While the steps run, failures are counted for each
probe, and compared with what the policy tolerates. After clean-up, when the fault is gone for sure, all have to pass
again within the time that the policy gives; the time it took is a measurement, also where it takes longer than that.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Literal

from seatrial.engine.sampling import Sample, look, samples
from seatrial.policy.base import OneKey
from seatrial.policy.models import SteadyState
from seatrial.runtime.context import Context
from seatrial.runtime.events import (
    MeasurementTaken,
    OutageSeen,
    SampleTaken,
    SteadyStateHeld,
    SteadyStateLost,
    SteadyStateRegained,
    SteadyStateSampled,
)
from seatrial.runtime.scope import Observation
from seatrial.runtime.verdict import PASSED, Outcome, Verdict, combine, failed, not_carried_out, nothing_to_do

_LONGEST_PAUSE_SECONDS = 1.0
_RESULTS: Mapping[Verdict, Literal["ok", "failed", "unseen"]] = {
    Verdict.PASSED: "ok",
    Verdict.FAILED: "failed",
    Verdict.INCONCLUSIVE: "unseen",
}


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
                group.create_task(self._sample(number, name, probe, observation.ending))
                for number, (name, probe) in enumerate(self._probes.items())
            ]
        return combine(task.result() for task in tasks)

    async def returns(self) -> Outcome:
        """Look until all holds again, at most as long as the policy says."""
        clock, within = self._context.clock, self._spec.recover_within_seconds
        begun = clock.monotonic()
        pause = min(self._spec.interval_seconds, _LONGEST_PAUSE_SECONDS)
        while True:
            looked = clock.monotonic()
            broken = await self._broken()
            if not broken:
                break
            if clock.monotonic() + pause - begun > within:
                reasons = "; ".join(f"{name}: {', '.join(outcome.reasons)}" for name, outcome in broken.items())
                text = f"the steady state did not return within {within:g} s after clean-up ({reasons})"
                was_seen = any(outcome.verdict is Verdict.FAILED for outcome in broken.values())
                if not was_seen:
                    return nothing_to_do(text)
                self._say_returned(looked - begun, is_lower_bound=True)
                return failed(text)
            await clock.sleep(pause)
        seconds = clock.monotonic() - begun
        self._say_held("after", seconds=seconds)
        self._say_returned(seconds)
        return PASSED

    async def _broken(self) -> dict[str, Outcome]:
        """The probes that don't hold at the moment."""
        outcomes = await asyncio.gather(*(look(probe, self._context) for probe in self._probes.values()))
        return {name: outcome for name, outcome in zip(self._probes, outcomes, strict=True) if not outcome.passed}

    def _say_held(self, moment: str, *, seconds: float) -> None:
        self._context.emit(SteadyStateHeld(moment=moment, probes=len(self._probes), seconds=seconds))

    def _say_returned(self, seconds: float, *, is_lower_bound: bool = False) -> None:
        scenario = self._context.where.scenario
        taken = MeasurementTaken(
            name="steadyStateReturned", of=scenario, seconds=seconds, is_lower_bound=is_lower_bound
        )
        self._context.emit(taken)

    async def _sample(self, number: int, name: str, probe: OneKey, ending: asyncio.Event) -> Outcome:
        tally = _Tally(number, name, self._context)
        interval = self._spec.interval_seconds
        taken: AsyncIterator[Sample] = samples(
            probe, self._context, name=name, interval_seconds=interval, ending=ending
        )
        try:
            async with aclosing(taken):  # type: ignore[type-var] # an asynchronous generator, which has aclose
                async for sample in taken:
                    tally.take(sample)
        finally:
            tally.tell()  # also where the experiment is aborted or stopped
        return tally.verdict(self._spec)


class _Tally:
    """What the samples of one probe came to."""

    def __init__(self, number: int, probe: str, context: Context) -> None:
        self._number = number
        self._probe = probe
        self._context = context
        self._samples = self._failed = self._unseen = 0
        self._longest_outage = 0.0
        self._lost_at: float | None = None
        self._lost_until = 0.0

    def take(self, sample: Sample) -> None:
        """Count one more sample; what could not be seen neither begins an outage nor ends one."""
        self._samples += 1
        self._context.emit(
            SampleTaken(
                probe=self._probe,
                number=self._number,
                result=_RESULTS[sample.outcome.verdict],
                due=self._unix(sample.due),
                latency_ms=sample.latency_ms,
            )
        )
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
                self._tell_outage(self._lost_at, is_open=False)
                self._lost_at = None

    def tell(self) -> None:
        """Publish the figures, and the outage that is not over."""
        if self._lost_at is not None:
            self._tell_outage(self._lost_at, is_open=True)
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

    def _tell_outage(self, lost_at: float, *, is_open: bool) -> None:
        self._context.emit(
            OutageSeen(
                probe=self._probe,
                number=self._number,
                began=self._unix(lost_at),
                seconds=self._lost_until - lost_at,
                is_open=is_open,
            )
        )

    def _unix(self, moment: float) -> float:
        clock = self._context.clock
        return clock.now().timestamp() - (clock.monotonic() - moment)

    def _extend_outage(self, until: float) -> None:
        if self._lost_at is not None:
            self._lost_until = until
            self._longest_outage = max(self._longest_outage, until - self._lost_at)


def name_of(probe: OneKey, number: int) -> str:
    """A probe as messages name it, by its place in the policy."""
    return probe_name(probe.key, number)


def probe_name(key: str, number: int) -> str:
    """The same where only the key of the probe's step is known."""
    return f"probes[{number}] ({key})"
