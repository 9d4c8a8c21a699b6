"""The plan: what the first round of a run would do, worked out by the code that does it, with the same seed.

It shows the cluster as it is; a step that changes the cluster changes what those after it find. So a step that can't be
planned yet, because what it acts on isn't there, doesn't spoil the plan of the others.
"""

import hashlib
import json

from msgspec.structs import replace

from seatrial.engine.planned_watches import plan_watches
from seatrial.engine.runner import pick
from seatrial.errors import MachineError, SeatrialError
from seatrial.kube.errors import Forbidden, Unauthorized, Unreachable
from seatrial.policy.models import Policy, Scenario
from seatrial.runtime.context import Context
from seatrial.runtime.events import Where
from seatrial.runtime.plan import FailuresPlan, Plan, ScenarioPlan, StepPlan
from seatrial.steps.registry import step_types


async def make_plan(policy: Policy, context: Context, *, name: str) -> Plan:
    """Work out what would be hit; nothing is changed.

    Raises:
        ClusterError: the API server did not answer, or doesn't know us.
    """
    is_failures = policy.config.run_strategy.strategy == "failures"
    scenarios, failures = await (_plan_failures if is_failures else _plan_first_round)(policy, context)
    return Plan(
        policy=name,
        digest=policy_digest(policy),
        seed=str(context.randomness.seed),
        server=context.cluster.server,
        scenarios=scenarios,
        failures=failures,
    )


def policy_digest(policy: Policy) -> str:
    """What tells policies apart by what they say: neither by comments or layout, nor by what they leave to defaults."""
    said = policy.model_dump(mode="json", exclude_unset=True)
    return "sha256:" + hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


async def _plan_first_round(policy: Policy, context: Context) -> tuple[tuple[ScenarioPlan, ...], None]:
    scenarios = pick(policy, number=1, randomness=context.randomness)
    return tuple([await _plan_scenario(scenario, context, number=1) for scenario in scenarios]), None


async def _plan_failures(policy: Policy, context: Context) -> tuple[tuple[ScenarioPlan, ...], FailuresPlan]:
    from seatrial.engine.failures import Failures  # noqa: PLC0415 -- few policies name failures

    failures = Failures(policy.config.run_strategy, context)
    await failures.begin()
    foretold, strikes = failures.foretell()
    scenarios = {scenario.name: scenario for scenario in policy.scenarios}
    planned: dict[str, ScenarioPlan] = {}
    for number, strike in enumerate(strikes, start=1):
        name = failures.scenario(strike)
        if name not in planned:
            here = replace(context, failed=failures.failed(strike))
            planned[name] = await _plan_scenario(scenarios[name], here, number=number)
    return tuple(planned.values()), foretold


async def _plan_scenario(scenario: Scenario, context: Context, *, number: int) -> ScenarioPlan:
    """What a scenario would do in the round of that number."""
    steps: list[tuple[str, StepPlan]] = []
    for index, step in enumerate(scenario.steps):
        here = context.at(where=Where(round=number, scenario=scenario.name, step=index))
        steps.append((step.key, await plan_step(step.key, step.spec, here)))
    beside = context.at(where=Where(round=number, scenario=scenario.name))
    return ScenarioPlan(name=scenario.name, steps=tuple(steps), watches=await plan_watches(scenario, beside, plan_step))


async def plan_step(key: str, spec: object, context: Context) -> StepPlan:
    """What one step would do; nothing is changed.

    Raises:
        ClusterError: the API server did not answer, or doesn't know us.
    """
    try:
        planned: StepPlan = await step_types()[key].plan(spec, context)
    except (Unreachable, Unauthorized):
        raise
    except Forbidden as error:
        if not error.resource:
            return StepPlan(summary=_CANT_TELL, missing_permissions=(error.message,))
        where = f" in {error.namespace}" if error.namespace else ""
        return StepPlan(summary=_CANT_TELL, missing_permissions=(f"{error.verb} {error.resource}{where}",))
    except MachineError as error:  # no later step mends a cloud that can't be asked
        return StepPlan(summary=_CANT_TELL, refused=(error.in_full,))
    except SeatrialError as error:
        return StepPlan(summary=_CANT_TELL, unknown=error.message)
    return planned


_CANT_TELL = "can't be told"
