"""The plan: what the first round of a run would do, worked out by the code that does it, with the same seed.

It shows the cluster as it is; a step that changes the cluster changes what those after it find. So a step that can't be
planned yet, because what it acts on isn't there, doesn't spoil the plan of the others.
"""

import hashlib
import json

from seatrial.engine.planned_watches import plan_watches
from seatrial.engine.runner import pick
from seatrial.errors import SeatrialError
from seatrial.kube.errors import Forbidden, Unauthorized, Unreachable
from seatrial.policy.models import Policy, Scenario
from seatrial.runtime.context import Context
from seatrial.runtime.events import Where
from seatrial.runtime.plan import Plan, ScenarioPlan, StepPlan
from seatrial.steps.registry import step_types


async def make_plan(policy: Policy, context: Context, *, name: str) -> Plan:
    """Work out what would be hit; nothing is changed.

    Raises:
        ClusterError: the API server did not answer, or doesn't know us.
    """
    scenarios = pick(policy, number=1, randomness=context.randomness)
    return Plan(
        policy=name,
        digest=policy_digest(policy),
        seed=str(context.randomness.seed),
        server=context.cluster.server,
        scenarios=tuple([await _plan_scenario(scenario, context) for scenario in scenarios]),
    )


def policy_digest(policy: Policy) -> str:
    """What tells policies apart by what they say: neither by comments or layout, nor by what they leave to defaults."""
    said = policy.model_dump(mode="json", exclude_unset=True)
    return "sha256:" + hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


async def _plan_scenario(scenario: Scenario, context: Context) -> ScenarioPlan:
    steps: list[tuple[str, StepPlan]] = []
    for index, step in enumerate(scenario.steps):
        here = context.at(where=Where(round=1, scenario=scenario.name, step=index))
        steps.append((step.key, await _plan_step(step.key, step.spec, here)))
    beside = context.at(where=Where(round=1, scenario=scenario.name))
    return ScenarioPlan(
        name=scenario.name, steps=tuple(steps), watches=await plan_watches(scenario, beside, _plan_step)
    )


async def _plan_step(key: str, spec: object, context: Context) -> StepPlan:
    try:
        planned: StepPlan = await step_types()[key].plan(spec, context)
    except (Unreachable, Unauthorized):
        raise
    except Forbidden as error:
        if not error.resource:
            return StepPlan(summary=_CANT_TELL, missing_permissions=(error.message,))
        where = f" in {error.namespace}" if error.namespace else ""
        return StepPlan(summary=_CANT_TELL, missing_permissions=(f"{error.verb} {error.resource}{where}",))
    except SeatrialError as error:
        return StepPlan(summary=_CANT_TELL, unknown=error.message)
    return planned


_CANT_TELL = "can't be told"
