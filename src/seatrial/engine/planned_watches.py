"""What a scenario watches beside its steps, in the plan: `observe`, `steadyState`, `abortWhen`, a sentence each."""

from collections.abc import Awaitable, Callable
from typing import Literal

from seatrial.policy.base import OneKey
from seatrial.policy.models import AbortCondition, Scenario, SteadyState
from seatrial.probes.registry import observer_types
from seatrial.runtime.context import Context
from seatrial.runtime.plan import StepPlan, WatchPlan

PlanStep = Callable[[str, object, Context], Awaitable[StepPlan]]


async def plan_watches(scenario: Scenario, context: Context, plan_step: PlanStep) -> tuple[WatchPlan, ...]:
    """One sentence for each observer, probe of the steady state and condition; `plan_step` plans their probes."""

    async def probe(key: Literal["steadyState", "abortWhen"], chosen: OneKey, terms: str) -> WatchPlan:
        planned = await plan_step(chosen.key, chosen.spec, context)
        return WatchPlan(
            key=key,
            summary=f"{chosen.key}: {planned.summary}; {terms}",
            missing_permissions=planned.missing_permissions,
            unknown=planned.unknown,
        )

    watches = [_observer(each) for each in scenario.observe]
    if steady := scenario.steady_state:
        watches += [await probe("steadyState", each, _tolerance(steady)) for each in steady.probes]
    watches += [await probe("abortWhen", each.probe, _limit(each)) for each in scenario.abort_when]
    return tuple(watches)


def _observer(chosen: OneKey) -> WatchPlan:
    summary = observer_types()[chosen.key].summary(chosen.spec)
    return WatchPlan(key="observe", summary=f"{chosen.key}: {summary}" if summary else chosen.key)


def _tolerance(steady: SteadyState) -> str:
    tolerance = steady.tolerance
    if tolerance is None:
        may_fail = "failures are counted"
    else:
        failures = [] if tolerance.failures is None else [f"{tolerance.failures} times at most"]
        outage = [] if tolerance.outage_seconds is None else [f"for {tolerance.outage_seconds:g} s at most"]
        may_fail = f"may fail {' and '.join([*failures, *outage])}"
    return f"every {steady.interval_seconds:g} s, {may_fail}, back within {steady.recover_within_seconds:g} s"


def _limit(condition: AbortCondition) -> str:
    if condition.seconds is not None:
        met = f"for {condition.seconds:g} s"
    else:
        count = condition.failures or 1
        met = f"{count} times in a row" if count > 1 else "once"
    return f"every {condition.interval_seconds:g} s, ends the experiment when it fails {met}"
