"""The node action `wait`: a pause between two actions on the same nodes."""

from seatrial.actions.node_action_type import NodeActionType
from seatrial.actions.pods.wait import Wait
from seatrial.runtime.context import Context
from seatrial.runtime.verdict import PASSED, Outcome
from seatrial.targets.nodes import NodeTarget


async def run(spec: Wait, targets: tuple[NodeTarget, ...], context: Context) -> Outcome:  # noqa: ARG001 -- every action gets them
    """Pause before the next action."""
    await context.clock.sleep(spec.seconds)
    return PASSED


ACTION = NodeActionType(key="wait", model=Wait, run=run, accepts_empty=True, takes_machines=True)
