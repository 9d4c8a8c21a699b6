"""The step `wait`: a pause in a scenario."""

from seatrial.policy.base import Model
from seatrial.policy.scalars import Seconds
from seatrial.runtime.context import Context
from seatrial.runtime.plan import StepPlan
from seatrial.runtime.verdict import PASSED, Outcome
from seatrial.steps.step_type import StepType


class Wait(Model):
    """Pause before the next step."""

    seconds: Seconds
    """How long, in seconds."""


async def run(spec: Wait, context: Context) -> Outcome:
    """Pause before the next step."""
    await context.clock.sleep(spec.seconds)
    return PASSED


async def plan(spec: Wait, context: Context) -> StepPlan:  # noqa: ARG001 -- every step gets it
    """A pause."""
    return StepPlan(summary=f"pause for {spec.seconds:g} s")


STEP = StepType(key="wait", model=Wait, run=run, plan=plan)
