"""One scenario: its steps in order, its observers in the background, and its clean-up, always.

The first step that fails ends it; one that had nothing to do makes it inconclusive and lets the others run. Then
it waits, bounded, for measurements that were promised, undoes what was done, looks whether the steady state returns
where the policy has one, and gives its verdict. A condition of `abortWhen` ends it at once.
"""

import asyncio
import logging
from functools import partial

from seatrial.engine.abort import AbortWatch
from seatrial.engine.steady_state import SteadyStateWatch
from seatrial.engine.unwind import unwind
from seatrial.errors import SeatrialError
from seatrial.policy.models import Scenario
from seatrial.probes.registry import observer_types
from seatrial.runtime.context import Context
from seatrial.runtime.events import ScenarioFinished, ScenarioStarted, StepFinished, StepStarted, Where
from seatrial.runtime.scope import ScenarioScope
from seatrial.runtime.uncancellable import uncancellable
from seatrial.runtime.verdict import Outcome, combine, not_carried_out, nothing_to_do
from seatrial.steps.registry import step_types

_log = logging.getLogger(__name__)


async def run_scenario(scenario: Scenario, context: Context, *, hurry: asyncio.Event) -> Outcome:
    """Run a scenario and clean up after it; undos that failed stand in `context.journal.failures`.

    Raises:
        asyncio.CancelledError: it was asked to stop; clean-up is done.
    """
    scope = ScenarioScope()
    context = context.at(where=Where(round=context.where.round, scenario=scenario.name), scope=scope)
    context.emit(ScenarioStarted(name=scenario.name, description=scenario.description or ""))
    begun, mark = context.clock.monotonic(), context.journal.mark
    outcome = not_carried_out("stopped before its end")
    steady = SteadyStateWatch(scenario.steady_state, context) if scenario.steady_state else None

    async def clean_up() -> None:
        await scope.close()
        await unwind(context.journal.newer_than(mark), context, hurry=hurry)

    try:
        try:
            outcome = await _experiment(scenario, context, steady)
        finally:
            await uncancellable(clean_up())
        if steady and steady.held_before:
            so_far, outcome = outcome, not_carried_out("stopped before the steady state returned")
            outcome = combine((so_far, await steady.returns()))
    finally:
        context.emit(
            ScenarioFinished(
                name=scenario.name,
                verdict=outcome.verdict,
                reasons=outcome.reasons,
                duration_ms=(context.clock.monotonic() - begun) * 1000,
            )
        )
    return outcome


async def _experiment(scenario: Scenario, context: Context, steady: SteadyStateWatch | None) -> Outcome:
    abort = AbortWatch(scenario.abort_when, context)
    try:
        if unmet := await _unmet_needs(scenario, context):
            return not_carried_out("; ".join(unmet))
        if steady:
            before = await steady.holds_before()
            if not before.passed:
                return before
            context.scope.observe(steady.watch, name="steady state")
        abort.begin()
        for observer in scenario.observe:
            watch = partial(observer_types()[observer.key].run, observer.spec, context)
            context.scope.observe(watch, name=f"observer {observer.key}")
        for step in scenario.steps:
            await step_types()[step.key].begin_early(step.spec, context)
        first = await context.scope.first_look()
        if first.ends_scenario:
            return first
        if not scenario.steps:
            return nothing_to_do(f"the scenario '{scenario.name}' has no steps")
        outcome = await abort.guard(_steps_and_promises(scenario, context))
        # Who was told to stop at once does not wait for what observers may still see.
        return outcome if abort.verdict else combine((outcome, await context.scope.last_look()))
    except SeatrialError as error:
        return not_carried_out(error.in_full)


async def _unmet_needs(scenario: Scenario, context: Context) -> list[str]:
    """What steps can't do without and isn't there: said before the first of them touches anything."""
    asked = [await step_types()[step.key].unmet_needs(step.spec, context) for step in scenario.steps]
    return list(dict.fromkeys(reason for reasons in asked for reason in reasons))


async def _steps_and_promises(scenario: Scenario, context: Context) -> Outcome:
    outcomes: list[Outcome] = []
    for index, step in enumerate(scenario.steps):
        where = Where(round=context.where.round, scenario=scenario.name, step=index)
        outcome = await run_step(step.key, step.spec, context.at(where=where), index=index, total=len(scenario.steps))
        outcomes.append(outcome)
        if outcome.ends_scenario:
            break
    outcomes.append(await context.scope.settle(timeout_seconds=context.settings.recovery_timeout_seconds))
    return combine(outcomes)


async def run_step(key: str, spec: object, context: Context, *, index: int, total: int) -> Outcome:
    """Run one step, unless experiments are halted; never raises for what it comes to."""
    context.emit(StepStarted(index=index, key=key, total=total))
    begun = context.clock.monotonic()
    try:
        await context.halt.check()
        outcome: Outcome = await step_types()[key].run(spec, context)
    except SeatrialError as error:
        outcome = not_carried_out(error.in_full)
    except Exception as error:  # noqa: BLE001 -- a step is anybody's code; clean-up must go on
        # A defect of ours or of a plugin: said loudly, cleaned up after, and never taken for a result.
        _log.exception("step %d (%s) broke", index, key)
        outcome = not_carried_out(f"{key} broke: {type(error).__name__}: {error}")
    context.emit(
        StepFinished(
            index=index,
            key=key,
            verdict=outcome.verdict,
            reasons=outcome.reasons,
            duration_ms=(context.clock.monotonic() - begun) * 1000,
        )
    )
    return outcome
