"""The pod action `evict`: ask for each pod's eviction, as `kubectl drain` and cluster autoscalers do.

An eviction honours PodDisruptionBudgets: what a budget forbids stays, is reported as blocked, and is tried again as
long as the policy says. That a budget held is no failure of the system; but it leaves the experiment undone.
"""

from collections import Counter
from typing import Annotated

from msgspec.structs import replace
from pydantic import Field

from seatrial.actions.action_type import ActionType
from seatrial.actions.parallel import in_parallel
from seatrial.actions.pods.kill import notes_on_static
from seatrial.actions.pods.recovery import RecoveryTracker, plan_tracking, track_recovery
from seatrial.errors import ClusterError
from seatrial.kube.errors import Conflict, DisruptionBudgetBlocked, NotFound
from seatrial.kube.objects import Pod
from seatrial.policy.base import Model
from seatrial.policy.scalars import Fraction, Integer, Seconds
from seatrial.runtime.context import Context
from seatrial.runtime.events import EvictionBlocked, EvictionSkipped, PodEvicted, ProofMissing
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import PASSED, Outcome, not_carried_out, nothing_to_do
from seatrial.targets.impact import budget_impacts
from seatrial.targets.permissions import Permission
from seatrial.targets.pods import pod_ref, why_beyond_api

_SHORTEST_PAUSE_SECONDS = 0.05


class Evict(Model):
    """Evict the pods, as far as PodDisruptionBudgets allow."""

    probability: Fraction = 1.0
    """How likely each pod is to be evicted, from 0 to 1; decided for every pod by itself."""

    grace_period_seconds: Annotated[Integer, Field(ge=0)] | None = None
    """How long the pod may take to end; without it, as long as it says itself."""

    timeout: Seconds = 0.0
    """How long to try again, in seconds, where a PodDisruptionBudget forbids an eviction; 0 tries once."""

    sleep: Seconds = 5.0
    """The pause between two tries, in seconds."""


async def run(spec: Evict, pods: tuple[Pod, ...], context: Context) -> Outcome:
    """Evict the pods, and let the scenario wait for their replacements."""
    victims = choose(spec, pods, context)
    chosen = {pod.metadata.uid for pod in victims}
    for pod in pods:
        if pod.metadata.uid not in chosen:
            context.emit(EvictionSkipped(pod=pod_ref(pod), reason=_why_spared(pod, spec)))
    if not victims:
        return nothing_to_do(f"no pod was evicted: {_why_spared(pods[0], spec)}")
    tracker = await track_recovery(victims, context) if context.settings.recovery_timeout_seconds else None
    if tracker is None:
        reason = "with a recovery timeout of 0 nobody watches the pods go"
        context.emit(ProofMissing(subject=f"the eviction of {len(victims)} pods", reason=reason))
    problems = await in_parallel(
        victims, lambda pod: _evict(pod, spec, context, tracker), most=context.settings.max_parallel
    )
    return _outcome(problems)


def choose(spec: Evict, pods: tuple[Pod, ...], context: Context) -> list[Pod]:
    """The pods that the action's own probability leaves and that aren't going anyway; a plan shows the same ones."""
    random = context.random("evict")
    drawn = [pod for pod in pods if random.random() < spec.probability]
    return [pod for pod in drawn if not pod.is_terminating]


async def plan(spec: Evict, pods: tuple[Pod, ...], context: Context) -> ActionPlan:
    """Which evictions a budget would block at the moment, and whether the recovery could be followed."""
    victims = choose(spec, pods, context)
    blocked = [each for each in await budget_impacts(victims, context.cluster) if each.broken]
    return replace(
        await plan_tracking(victims, context),
        notes=(
            *notes_on_static(victims),
            *(
                f"PodDisruptionBudget {each.namespace}/{each.budget} would block {each.hit - each.allowed}"
                f" of {each.hit} evictions"
                for each in blocked
            ),
        ),
    )


async def _evict(pod: Pod, spec: Evict, context: Context, tracker: RecoveryTracker | None) -> str:
    """Evict one pod; returns an empty text, or what it came to (`_BLOCKED`, `_GONE`, an error)."""
    ref, begun = pod_ref(pod), context.clock.monotonic()
    try:
        await _try_until(spec, pod, context, tracker)
    except DisruptionBudgetBlocked as error:
        budgets = tuple(cause.message for cause in error.causes if cause.message)
        context.emit(EvictionBlocked(pod=ref, budgets=budgets, reason=error.message))
        problem = _BLOCKED
    except (NotFound, Conflict):
        context.emit(EvictionSkipped(pod=ref, reason="was gone before the eviction arrived"))
        problem = _GONE
    except ClusterError as error:
        context.emit(EvictionSkipped(pod=ref, reason=error.message, error=True))
        problem = error.message
    else:
        context.emit(PodEvicted(pod=ref, duration_ms=(context.clock.monotonic() - begun) * 1000))
        return ""
    if tracker:
        tracker.kill_failed(pod.metadata.uid)
    return problem


_GONE = "gone"
_BLOCKED = "blocked"


async def _try_until(spec: Evict, pod: Pod, context: Context, tracker: RecoveryTracker | None) -> None:
    if why := why_beyond_api(pod):
        raise ClusterError(why)
    meta, clock = pod.metadata, context.clock
    end = clock.monotonic() + spec.timeout
    pause = max(spec.sleep, _SHORTEST_PAUSE_SECONDS)
    while True:
        sent = clock.monotonic()
        if tracker:
            tracker.kill_sent(meta.uid, sent)
        try:
            await context.cluster.evict(
                meta.name, namespace=meta.namespace, uid=meta.uid, grace_period_seconds=spec.grace_period_seconds
            )
        except DisruptionBudgetBlocked:
            if tracker:
                tracker.kill_refused(meta.uid)
            if clock.monotonic() + pause > end:
                raise
        else:
            context.mark_change(sent)
            context.scope.sightings.pod_hit(meta.namespace, meta.name, at=sent)
            return
        await clock.sleep(pause)
        await context.halt.check()


def _outcome(problems: list[str]) -> Outcome:
    total, counts = len(problems), Counter(problems)
    blocked, errors = counts[_BLOCKED], [each for each in problems if each not in {"", _GONE, _BLOCKED}]
    if errors:
        return not_carried_out(f"{len(errors)} of {total} pods could not be evicted: {errors[0]}")
    if blocked:
        return nothing_to_do(f"{blocked} of {total} pods were not evicted: PodDisruptionBudgets blocked it")
    if counts[_GONE] == total:
        return nothing_to_do("every chosen pod was gone before the eviction arrived")
    return PASSED


def _why_spared(pod: Pod, spec: Evict) -> str:
    return "it is terminating already" if pod.is_terminating else f"spared by probability {spec.probability:g}"


ACTION = ActionType(
    key="evict",
    model=Evict,
    run=run,
    victims=choose,
    reads_status=False,
    honours_budgets=True,
    permissions=(Permission("create", subresource="eviction"),),
    plan=plan,
)
