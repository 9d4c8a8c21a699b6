"""The pod action `checkPodCount`: fail unless the set has a given size, also where it is empty."""

from typing import Annotated

from pydantic import Field

from seatrial.actions.action_type import ActionType
from seatrial.kube.objects import Pod
from seatrial.policy.base import Model
from seatrial.policy.scalars import Integer
from seatrial.runtime.context import Context
from seatrial.runtime.verdict import PASSED, Outcome, failed


class CheckPodCount(Model):
    """Fail unless there are exactly so many pods."""

    count: Annotated[Integer, Field(ge=0)]
    """How many pods there must be; 0 is a number like any other."""


async def run(spec: CheckPodCount, pods: tuple[Pod, ...], context: Context) -> Outcome:  # noqa: ARG001 -- every action gets it
    """Fail unless there are exactly so many pods."""
    return PASSED if len(pods) == spec.count else failed(f"expected {spec.count} pods, found {len(pods)}")


ACTION = ActionType(key="checkPodCount", model=CheckPodCount, run=run, accepts_empty=True, reads_status=False)
