"""One scenario: its steps in order, its observers in the background, and its clean-up, always.

The first step that fails ends it; one that had nothing to do makes it inconclusive and lets the others run. Then
it waits, bounded, for measurements that were promised, undoes what was done, and gives its verdict.
"""

import asyncio
import logging
from functools import partial

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

    async def clean_up() -> None:
        await scope.close()
        await unwind(context.journal.newer_than(mark), context, hurry=hurry)
        context.emit(
            ScenarioFinished(
                name=scenario.name,
                verdict=outcome.verdict,
                reasons=outcome.reasons,
                duration_ms=(context.clock.monotonic() - begun) * 1000,
            )
        )

    try:
        outcome = await _experiment(scenario, context)
    finally:
        await uncancellable(clean_up())
    return outcome


async def _experiment(scenario: Scenario, context: Context) -> Outcome:
    try:
        for observer in scenario.observe:
            watch = partial(observer_types()[observer.key].run, observer.spec, context)
            context.scope.observe(watch, name=f"observer {observer.key}")
        first = await context.scope.first_look()
        if first.ends_scenario:
            return first
        if not scenario.steps:
            return nothing_to_do(f"the scenario '{scenario.name}' has no steps")
        outcomes = await _steps(scenario, context)
        outcomes.append(await context.scope.settle(timeout_seconds=context.settings.recovery_timeout_seconds))
        outcomes.append(await context.scope.last_look())
        return combine(outcomes)
    except SeatrialError as error:
        return not_carried_out(error.message)


async def _steps(scenario: Scenario, context: Context) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for index, step in enumerate(scenario.steps):
        where = Where(round=context.where.round, scenario=scenario.name, step=index)
        outcome = await _step(step.key, step.spec, context.at(where=where), index=index, total=len(scenario.steps))
        outcomes.append(outcome)
        if outcome.ends_scenario:
            break
    return outcomes


async def _step(key: str, spec: object, context: Context, *, index: int, total: int) -> Outcome:
    context.emit(StepStarted(index=index, key=key, total=total))
    begun = context.clock.monotonic()
    try:
        outcome: Outcome = await step_types()[key].run(spec, context)
    except SeatrialError as error:
        outcome = not_carried_out(error.message)
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
