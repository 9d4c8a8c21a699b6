"""The step `waitFor`: wait until something holds, at most so long; the time it took is a measurement.

What Kubernetes reports is followed by a watch, so the time is that of the change, not of the next look. What only a
probe can tell is looked at again and again.
"""

import asyncio
from typing import Annotated, Any, Literal

from pydantic import Field

from seatrial.policy.base import Model, OneKey, option
from seatrial.policy.scalars import Number, Seconds
from seatrial.runtime.context import Context
from seatrial.runtime.events import MeasurementTaken
from seatrial.runtime.plan import StepPlan
from seatrial.runtime.verdict import PASSED, Outcome, Verdict, nothing_to_do
from seatrial.steps import probe_command, probe_dns, probe_http, probe_tcp
from seatrial.steps.probe_command import ProbeCommand
from seatrial.steps.probe_dns import ProbeDNS
from seatrial.steps.probe_http import ProbeHTTP
from seatrial.steps.probe_tcp import ProbeTCP
from seatrial.steps.step_type import StepType
from seatrial.steps.waits.objects import (
    DaemonSetWait,
    DeploymentWait,
    JobWait,
    NodeWait,
    ObjectsWait,
    PodWait,
    ReadyPods,
    StatefulSetWait,
    wait_for_objects,
)
from seatrial.steps.waits.probes import ProbeWait, wait_for_probe
from seatrial.steps.waits.wait import Wait

_PROBES = {step.model: step for step in (probe_http.STEP, probe_tcp.STEP, probe_dns.STEP, probe_command.STEP)}


class Until(OneKey):
    """What to wait for."""

    pod: PodWait = option()
    """Pods to be in a condition."""

    deployment: DeploymentWait = option()
    """Deployments to be in a condition."""

    stateful_set: StatefulSetWait = option()
    """StatefulSets to be in a condition."""

    daemon_set: DaemonSetWait = option()
    """DaemonSets to be in a condition."""

    job: JobWait = option()
    """Jobs to be in a condition."""

    node: NodeWait = option()
    """Nodes to be in a condition."""

    ready_pods: ReadyPods = option()
    """So many pods to be Ready."""

    probe_http: ProbeHTTP = option(alias="probeHTTP")
    """An HTTP probe to pass; each look has one try."""

    probe_tcp: ProbeTCP = option(alias="probeTCP")
    """A TCP probe to pass; each look has one try."""

    probe_dns: ProbeDNS = option(alias="probeDNS")
    """A DNS probe to pass; each look has one try."""

    probe_command: ProbeCommand = option()
    """A command to end as expected; each look has one try."""


class WaitFor(Model):
    """Wait until something holds, and fail when it doesn't in time."""

    until: Until
    """What to wait for."""

    timeout_seconds: Annotated[Number, Field(gt=0)] = Field(default=60.0, alias="timeout")
    """How long to wait at most, in seconds."""

    holds_for_seconds: Seconds = Field(default=0.0, alias="holdsFor")
    """How long it must go on to hold, in seconds, within the timeout; the time measured is when it began to.
    Against what holds for a moment only: a Deployment is Ready until its controller has noticed that a pod died."""

    interval_seconds: Annotated[Number, Field(gt=0)] = Field(default=0.5, alias="interval")
    """The pause between two looks of a probe, in seconds. Objects need none: their changes are followed."""

    since: Literal["wait", "change"] = "wait"
    """From when the time is measured: from the beginning of this step, or from the last change that a step of the
    scenario made: the moment before its first request. Objects are followed from before the first step then, so that
    a change is timed right also where this step comes late."""

    measurement: Annotated[str, Field(min_length=1)] = "waitFor"
    """The name under which the time it took is published."""


async def run(spec: WaitFor, context: Context) -> Outcome:
    """Wait until it holds, and publish how long that took; where it took too long, that it takes longer."""
    wait: Wait = context.scope.early.pop(id(spec), None) or _wait(spec, context)
    begun = now = asyncio.get_running_loop().time()
    change = context.scope.last_change
    if spec.since == "change" and change is not None:
        begun = change

    def measured(seconds: float, *, is_lower_bound: bool = False) -> None:
        taken = MeasurementTaken(
            name=spec.measurement, of=wait.what, seconds=max(0.0, seconds), is_lower_bound=is_lower_bound
        )
        context.emit(taken)

    try:
        async with asyncio.timeout_at(now + spec.timeout_seconds):
            since = await wait.until(holds_for_seconds=spec.holds_for_seconds, not_before=begun)
    except TimeoutError:
        outcome, until = await wait.too_late(timeout_seconds=spec.timeout_seconds), wait.known_missing_until()
        if outcome.verdict is Verdict.FAILED and until is not None and until >= begun:
            measured(until - begun, is_lower_bound=True)
        return outcome
    except asyncio.CancelledError:
        if (until := wait.known_missing_until()) is not None and until >= begun:
            measured(until - begun, is_lower_bound=True)
        raise
    if spec.since == "change" and change is None:
        return nothing_to_do(f"{wait.what}: it holds, but no step has changed anything before, so nothing is measured")
    measured(since - begun)
    return PASSED


async def begin_early(spec: WaitFor, context: Context) -> None:
    """Follow the changes from before the first step, where the time is that since a change: none is missed then."""
    wait = _wait(spec, context)
    if spec.since == "change" and isinstance(wait, ObjectsWait):
        context.scope.early[id(spec)] = wait
        context.scope.observe(wait.begin_early, name=f"wait for {wait.what}")


def _wait(spec: WaitFor, context: Context) -> ObjectsWait | ProbeWait:
    target: Any = spec.until.spec
    step = _PROBES.get(type(target))
    if step is not None:
        return wait_for_probe(step, target, context, interval_seconds=spec.interval_seconds)
    return wait_for_objects(target, context.cluster)


async def plan(spec: WaitFor, context: Context) -> StepPlan:
    """A pause of unknown length, and what is to be seen at present."""
    wait = _wait(spec, context)
    missing = await wait.missing_permissions()
    at_present = "" if missing else await wait.at_present()
    return StepPlan(
        summary=f"wait up to {spec.timeout_seconds:g} s for {wait.what}",
        notes=(f"at present: {at_present}",) if at_present else (),
        missing_permissions=missing,
    )


STEP = StepType(key="waitFor", model=WaitFor, run=run, plan=plan, changes_nothing=True, begin_early=begin_early)
