"""The pod action `wait`: a pause between two actions on the same pods."""

from seatrial.actions.action_type import ActionType
from seatrial.kube.objects import Pod
from seatrial.policy.base import Model
from seatrial.policy.scalars import Seconds
from seatrial.runtime.context import Context
from seatrial.runtime.verdict import PASSED, Outcome


class Wait(Model):
    """Pause before the next action."""

    seconds: Seconds
    """How long, in seconds."""


async def run(spec: Wait, pods: tuple[Pod, ...], context: Context) -> Outcome:  # noqa: ARG001 -- every action gets them
    """Pause before the next action."""
    await context.clock.sleep(spec.seconds)
    return PASSED


ACTION = ActionType(key="wait", model=Wait, run=run, accepts_empty=True, reads_status=False)
