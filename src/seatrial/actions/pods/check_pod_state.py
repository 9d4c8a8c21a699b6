"""The pod action `checkPodState`: fail unless every pod is in a given state."""

from typing import Annotated

from pydantic import Field

from seatrial.actions.action_type import ActionType
from seatrial.kube.objects import Pod
from seatrial.kube.pod_status import printed_status
from seatrial.policy.base import Model
from seatrial.runtime.context import Context
from seatrial.runtime.verdict import PASSED, Outcome, failed
from seatrial.targets.pods import pod_ref

_MOST_SHOWN = 5


class CheckPodState(Model):
    """Fail unless every pod has this state."""

    state: Annotated[str, Field(min_length=1)]
    """The state as `kubectl get pods` prints it: `Running`, `Terminating`, `CrashLoopBackOff`, ..."""


async def run(spec: CheckPodState, pods: tuple[Pod, ...], context: Context) -> Outcome:  # noqa: ARG001 -- every action gets it
    """Fail unless every pod has this state, as the match of this step saw it."""
    others = [f"{pod_ref(pod)} is {printed_status(pod)}" for pod in pods if printed_status(pod) != spec.state]
    if not others:
        return PASSED
    shown = ", ".join(others[:_MOST_SHOWN]) + (", ..." if len(others) > _MOST_SHOWN else "")
    return failed(f"{len(others)} of {len(pods)} pods are not {spec.state}: {shown}")


ACTION = ActionType(key="checkPodState", model=CheckPodState, run=run)
