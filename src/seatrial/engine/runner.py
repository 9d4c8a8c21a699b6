"""Rounds of a policy: which scenarios, in which order, with which pauses or at which times, until when.

`round-robin` runs all scenarios in the order written, `random` one picked by the seed; with `failures` a round is one
failure that comes of itself (`engine.failures`). Before each round the policy's file is looked at (`policy_file`): it
may say something else by now. A run ends after the configured number of rounds, at the first failure where the policy
says fail-fast, after a clean-up that failed (to go on would pile damage on damage), or when somebody asks it to stop.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from seatrial.engine.interrupts import Interrupts
from seatrial.engine.policy_file import PolicyFile, timetable_of
from seatrial.engine.scenario import run_scenario
from seatrial.engine.unwind import unwind
from seatrial.errors import SeatrialError
from seatrial.policy.models import Policy, Scenario
from seatrial.runtime.context import Context
from seatrial.runtime.events import PauseStarted, RoundStarted, RunFinished, Where
from seatrial.runtime.randomness import Randomness
from seatrial.runtime.uncancellable import uncancellable
from seatrial.runtime.verdict import RunResult, Tally, Verdict, not_carried_out, nothing_to_do

if TYPE_CHECKING:
    from seatrial.engine.failure_sequence import Strike
    from seatrial.engine.failures import Failures
    from seatrial.engine.schedule_wait import ScheduleWait

_log = logging.getLogger(__name__)
_IDLE_SECONDS = 15.0

Preparation = Callable[[Context], Awaitable[None]]


async def run_policy(
    policy: Policy,
    context: Context,
    interrupts: Interrupts,
    *,
    prepare: Preparation | None = None,
    earlier_failures: Sequence[str] = (),
    directory: Path = Path(),
    file: PolicyFile | None = None,
) -> RunResult:
    """Run all rounds of a policy, clean-up included; never raises for what an experiment comes to.

    Args:
        policy: what to run.
        context: what to run it with.
        interrupts: who may ask it to stop.
        prepare: sets up what must be there before the first round; what it wrote to the journal is undone after the
            last.
        earlier_failures: clean-up of earlier runs on this cluster that failed again: this run's is incomplete too.
        directory: where the files are that the policy names.
        file: what is looked at before each round for another policy; None keeps this one.
    """
    begun = context.clock.monotonic()
    run = _Run(policy, context, interrupts.hurry, directory=directory, file=file)
    task = asyncio.create_task(run.whole(prepare), name="experiment")
    # To the very end: a request that comes when the experiment is over must not lose its result.
    with interrupts.guarding(task):
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()
        result = run.result(interrupts if task.cancelled() else None, earlier_failures=earlier_failures)
        await context.journal.finish(result.verdict)
        context.emit(
            RunFinished(
                verdict=result.verdict,
                reasons=(*result.reasons, *result.undo_failures),
                exit_code=result.exit_code,
                duration_ms=(context.clock.monotonic() - begun) * 1000,
                rounds=result.rounds,
            )
        )
        return result


def pick(policy: Policy, *, number: int, randomness: Randomness) -> Sequence[Scenario]:
    """The scenarios of a round; rounds count from 1."""
    if policy.config.run_strategy.strategy == "random" and policy.scenarios:
        return [randomness.stream(number, "scenario").choice(policy.scenarios)]
    return policy.scenarios


class _Run:
    """The state of a run between its rounds."""

    def __init__(
        self, policy: Policy, context: Context, hurry: asyncio.Event, *, directory: Path, file: PolicyFile | None
    ) -> None:
        self._policy = policy
        self._context = context
        self._hurry = hurry
        self._directory = directory
        self._file = file
        self._schedule: ScheduleWait | None = None
        self._tally = Tally()
        self._rounds = 0

    async def whole(self, prepare: Preparation | None) -> None:
        try:
            if prepare is not None:
                await self._context.halt.check()
                await prepare(self._context)
            if self._policy.config.run_strategy.strategy == "failures":
                await self._all_failures()
            else:
                await self._all_rounds()
        except SeatrialError as error:
            self._tally.add(not_carried_out(error.in_full))
        except Exception as error:  # noqa: BLE001 -- a defect is no failure of the system under test
            _log.exception("the run broke")
            self._tally.add(not_carried_out(f"the run broke: {type(error).__name__}: {error}"))
        finally:
            undos = self._context.journal.newer_than(0)
            await uncancellable(unwind(undos, self._context, hurry=self._hurry))

    def result(self, stopped: Interrupts | None, *, earlier_failures: Sequence[str]) -> RunResult:
        """What it all came to; `stopped` tells who ended it, where somebody did."""
        journal = self._context.journal
        if stopped is not None:
            where = f"in round {self._rounds}" if self._rounds else "before the first round"
            # Why it was halted is somebody's own text, which "in round 1" would seem to be a part of.
            why = f"{stopped.halted} ({where})" if stopped.halted else f"stopped by {stopped.reason} {where}"
            self._tally.add(not_carried_out(why))
        objectives = self._context.judge.outcome(self._policy.scenarios)
        if not objectives.passed:
            self._tally.add(objectives)
        if not self._policy.scenarios and not self._rounds:
            self._tally.add(nothing_to_do("the policy has no scenarios"))
        failures = tuple(dict.fromkeys((*earlier_failures, *journal.failures)))
        if failures:
            self._tally.add(nothing_to_do("clean-up is incomplete"))
        return RunResult(
            verdict=self._tally.verdict,
            reasons=(*self._tally.reasons, *journal.disk_problems),
            undo_failures=failures,
            interrupted=stopped is not None and not stopped.halted,
            rounds=self._rounds,
        )

    async def _all_rounds(self) -> None:
        self._keep_to_schedule()
        while not self._is_over and await self._begins():
            self._rounds += 1
            context = self._context.at(where=Where(round=self._rounds))
            context.emit(RoundStarted(number=self._rounds))
            scenarios = pick(self._policy, number=self._rounds, randomness=context.randomness)
            if not await self._round(scenarios, context):
                return

    @property
    def _is_over(self) -> bool:
        runs = self._policy.config.run_strategy.runs
        return runs is not None and self._rounds >= runs

    async def _begins(self) -> bool:
        """Return when the next round may begin, True; or False where there is none."""
        has_paused = not self._rounds
        while True:
            await self._look()
            if self._is_over:
                return False
            if not self._policy.scenarios:
                if self._file is None or not self._rounds:
                    return False
                await self._context.clock.sleep(_IDLE_SECONDS)
            elif not has_paused and not (self._schedule and self._schedule.has_times):
                await self._pause()
                has_paused = True
            elif self._schedule is None:
                return True
            else:
                match await self._schedule.until_due(self._look):
                    case "now":
                        return True
                    case "never":
                        self._tally.add(nothing_to_do("the schedule has no time left at which a round may begin"))
                        return False

    async def _look(self) -> bool:
        """Take over what the policy's file says, where it says something else by now; whether it does."""
        if self._file is None:
            return False
        found = await self._file.look(self._policy, self._context)
        if found is None:
            return False
        before = self._policy.config.schedule
        self._policy, self._context = found
        if self._policy.config.schedule != before:
            self._keep_to_schedule()
        return True

    def _keep_to_schedule(self) -> None:
        timetable = timetable_of(self._policy, directory=self._directory)
        if timetable is None:
            self._schedule = None
            return
        from seatrial.engine.schedule_wait import ScheduleWait  # noqa: PLC0415 -- few policies have a schedule

        self._schedule = ScheduleWait(timetable, self._context)

    async def _all_failures(self) -> None:
        from seatrial.engine.failures import Failures  # noqa: PLC0415 -- few policies name failures

        strategy = self._policy.config.run_strategy
        failures = Failures(strategy, self._context)
        first_look = await failures.begin()
        if not first_look.passed:
            self._tally.add(first_look)
        if not failures.are_possible:
            return
        try:
            while self._rounds != strategy.runs and (strike := await failures.next()):
                await self._look()
                self._rounds += 1
                if not await self._failure(strike, failures):
                    return
        finally:
            for count in failures.counts():
                self._context.emit(count)
        if not self._rounds:
            self._tally.add(nothing_to_do(f"nothing failed within {strategy.duration} of the cluster's life"))

    async def _failure(self, strike: "Strike", failures: "Failures") -> bool:
        here = self._context.at(where=Where(round=self._rounds))
        context = replace(here, failed=failures.failed(strike))
        context.emit(RoundStarted(number=self._rounds))
        context.emit(failures.struck(strike, number=self._rounds))
        name = failures.scenario(strike)
        return await self._round([each for each in self._policy.scenarios if each.name == name], context)

    async def _round(self, scenarios: Sequence[Scenario], context: Context) -> bool:
        """Run the scenarios of a round; whether there is to be another."""
        fail_fast = self._policy.config.exit_strategy.strategy == "fail-fast"
        for scenario in scenarios:
            outcome = await run_scenario(scenario, context, hurry=self._hurry)
            self._tally.add(outcome)
            await context.judge.after(scenario, context)
            if context.journal.failures or (fail_fast and outcome.verdict is Verdict.FAILED):
                return False
        return not context.judge.is_decided(self._policy.scenarios)

    async def _pause(self) -> None:
        strategy = self._policy.config.run_strategy
        stream = self._context.randomness.stream(self._rounds, "pause")
        seconds = stream.uniform(strategy.min_seconds_between_runs, strategy.max_seconds_between_runs)
        until = self._context.clock.now() + timedelta(seconds=seconds)
        self._context.emit(PauseStarted(seconds=seconds, until=until))
        await self._context.clock.sleep(seconds)
