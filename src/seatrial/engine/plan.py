"""The plan: what the first round of a run would do, worked out by the code that does it, with the same seed.

It shows the cluster as it is; a step that changes the cluster changes what those after it find.
"""

from seatrial.engine.runner import pick
from seatrial.policy.models import Policy, Scenario
from seatrial.runtime.context import Context
from seatrial.runtime.events import Where
from seatrial.runtime.plan import Plan, ScenarioPlan, StepPlan
from seatrial.steps.registry import step_types


async def make_plan(policy: Policy, context: Context, *, name: str) -> Plan:
    """Work out what would be hit; nothing is changed.

    Raises:
        ClusterError: the API server refused or did not answer.
    """
    scenarios = pick(policy, number=1, randomness=context.randomness)
    return Plan(
        policy=name,
        seed=str(context.randomness.seed),
        server=context.cluster.server,
        scenarios=tuple([await _plan_scenario(scenario, context) for scenario in scenarios]),
    )


async def _plan_scenario(scenario: Scenario, context: Context) -> ScenarioPlan:
    steps: list[tuple[str, StepPlan]] = []
    for index, step in enumerate(scenario.steps):
        here = context.at(where=Where(round=1, scenario=scenario.name, step=index))
        steps.append((step.key, await step_types()[step.key].plan(step.spec, here)))
    return ScenarioPlan(name=scenario.name, steps=tuple(steps))
