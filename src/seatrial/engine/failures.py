"""The run strategy `failures`: waits until something fails of itself, as often as its kind does, only faster.

Time passes for what fails only here, between scenarios. While one runs nothing else fails: its seconds are not
accelerated, as the repair that they are spent on isn't. So two failures never overlap but where a whole zone fails, and
how long scenarios take does not change which failures come.

Who is there is looked at every few seconds, and right before a failure: what has gone does not fail.
"""

import asyncio
import logging
import math
from collections.abc import Sequence
from typing import Literal

from seatrial.engine.failure_sequence import FailureSequence, Population, Strike
from seatrial.errors import SeatrialError
from seatrial.policy.models import RunStrategy
from seatrial.policy.spans import parse_span
from seatrial.runtime.context import Context
from seatrial.runtime.events import FailureAwaited, FailuresCounted, FailureStruck
from seatrial.runtime.failed_units import FailedUnits
from seatrial.runtime.plan import FailureRate, FailuresPlan, PlannedFailure
from seatrial.runtime.verdict import Outcome, combine, nothing_to_do
from seatrial.targets.failing_units import failed_units, list_units

_LOOK_AGAIN_SECONDS = 5.0
_MOST_FORETOLD = 5
_log = logging.getLogger(__name__)


class Failures:
    """The failures of a run, as they come."""

    def __init__(self, strategy: RunStrategy, context: Context) -> None:
        self._strategy = strategy
        self._context = context
        self._sequence = FailureSequence(strategy.failures, context.randomness)
        self._ends = parse_span(strategy.duration) if strategy.duration else None
        self._announced: float | str | None = None
        self._unseen = ""
        self._empty: dict[int, str] = {}

    async def begin(self) -> Outcome:
        """Have a first look; tells of what there is none.

        Raises:
            SeatrialError: the API server or the cloud refused or did not answer.
        """
        await self._look()
        return combine(nothing_to_do(f"nothing that could fail: {reason}") for reason in self._empty.values())

    @property
    def are_possible(self) -> bool:
        """Whether there is anything that could fail."""
        return len(self._empty) < len(self._strategy.failures)

    async def next(self) -> Strike | None:
        """Wait for the next failure; None where none comes any more within the duration."""
        while True:
            strike = self._sequence.next()
            if self._is_beyond_the_end(strike):
                self._sequence.pass_time(self._ends or 0.0)
                return None
            if strike is not None and strike.at_seconds <= self._sequence.now:
                self._sequence.happen(strike)
                return strike
            self._announce(strike)
            await self._wait_for(strike)
            await self._look_again()

    def failed(self, strike: Strike) -> FailedUnits:
        """What a scenario is told of a failure."""
        return failed_units(self._strategy.failures[strike.kind], strike.units)

    def scenario(self, strike: Strike) -> str:
        """The name of the scenario that a failure is."""
        name: str = self._strategy.failures[strike.kind].scenario
        return name

    def struck(self, strike: Strike, *, number: int) -> FailureStruck:
        """The event that tells of a failure."""
        return FailureStruck(
            number=number,
            scenario=self.scenario(strike),
            kind=self.failed(strike).kind,
            units=tuple(unit.name for unit in strike.units),
            zone=strike.zone,
            life_seconds=strike.at_seconds,
        )

    def counts(self) -> list[FailuresCounted]:
        """What came of each kind, and what was to be expected."""
        return [
            FailuresCounted(
                scenario=each.failure.scenario,
                kind=_kind(each),
                mttf=each.failure.mttf,
                seen=each.seen,
                expected=each.expected,
                life_seconds=self._sequence.now,
            )
            for each in self._sequence.populations
        ]

    def foretell(self) -> tuple[FailuresPlan, Sequence[Strike]]:
        """The first failures if those who are there stay; to be asked before the first, and of nothing that runs."""
        rates = tuple(
            FailureRate(
                scenario=each.failure.scenario,
                kind=_kind(each),
                mttf=each.failure.mttf,
                units=len(each.units),
                per_day=each.rate * 86400,
                mean_seconds_between=1 / (each.rate * self._strategy.accelerate) if each.units else None,
                note=self._empty.get(index, ""),
            )
            for index, each in enumerate(self._sequence.populations)
        )
        strikes: list[Strike] = []
        while len(strikes) < min(_MOST_FORETOLD, self._strategy.runs or _MOST_FORETOLD):
            strike = self._sequence.next()
            if strike is None or self._is_beyond_the_end(strike):
                break
            self._sequence.happen(strike)
            strikes.append(strike)
        first = tuple(
            PlannedFailure(
                scenario=self.scenario(strike),
                kind=self.failed(strike).kind,
                units=tuple(unit.name for unit in strike.units),
                zone=strike.zone,
                life_seconds=strike.at_seconds,
                waiting_seconds=strike.at_seconds / self._strategy.accelerate,
            )
            for strike in strikes
        )
        return FailuresPlan(accelerate=self._strategy.accelerate, rates=rates, first=first), strikes

    def _is_beyond_the_end(self, strike: Strike | None) -> bool:
        if self._ends is None:
            return False
        return strike.at_seconds > self._ends if strike is not None else self._sequence.now >= self._ends

    def _announce(self, strike: Strike | None) -> None:
        """Tell what is awaited, where that has changed; who it will be may change again until then."""
        note = "" if strike else "; ".join(self._empty.values())
        moment = strike.at_seconds if strike else note
        if moment == self._announced:
            return
        self._announced = moment
        away = strike.at_seconds - self._sequence.now if strike else None
        seconds = None if away is None else away / self._strategy.accelerate
        self._context.emit(FailureAwaited(seconds=seconds, life_seconds=away, note=note))

    async def _wait_for(self, strike: Strike | None) -> None:
        """Let time pass until a failure or the end, or until it is time to look again.

        What passes is what was to be slept: a process that was held up for longer has not made anything older, or all
        that should have failed meanwhile would do so at once.
        """
        clock, accelerate = self._context.clock, self._strategy.accelerate
        moment = min(math.inf if strike is None else strike.at_seconds, math.inf if self._ends is None else self._ends)
        away = (moment - self._sequence.now) / accelerate
        began = clock.monotonic()
        try:
            await clock.sleep(min(away, _LOOK_AGAIN_SECONDS))
        except asyncio.CancelledError:
            self._pass_time(min(clock.monotonic() - began, _LOOK_AGAIN_SECONDS) * accelerate, at_most_until=moment)
            raise
        self._pass_time(
            math.inf if away <= _LOOK_AGAIN_SECONDS else _LOOK_AGAIN_SECONDS * accelerate, at_most_until=moment
        )

    def _pass_time(self, seconds: float, *, at_most_until: float) -> None:
        self._sequence.pass_time(min(self._sequence.now + seconds, at_most_until))

    async def _look_again(self) -> None:
        try:
            await self._look()
        except SeatrialError as error:
            # An experiment may have taken the API server with it: who was there is taken to be there still.
            if error.message != self._unseen:
                _log.warning("who may fail could not be looked at: %s", error.message)
            self._unseen = error.message
        else:
            self._unseen = ""

    async def _look(self) -> None:
        found = [await list_units(each, self._context) for each in self._strategy.failures]
        self._empty = {index: each.empty_reason for index, each in enumerate(found) if not each.units}
        self._sequence.see([each.units for each in found])


def _kind(population: Population) -> Literal["node", "pod"]:
    return "node" if population.failure.nodes else "pod"
