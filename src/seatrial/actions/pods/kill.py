"""The pod action `kill`: delete each pod, as a crash or an operator would make it disappear.

All deletions go out together, bounded, each with the UID of the very pod that was chosen as a precondition: a pod that
was replaced under the same name meanwhile is left alone, and said.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from seatrial.actions.action_type import ActionType
from seatrial.actions.machine_needs import unmet_needs
from seatrial.actions.parallel import in_parallel
from seatrial.actions.pods.controllers import is_replaced
from seatrial.actions.pods.recovery import RecoveryTracker, plan_tracking, track_recovery
from seatrial.errors import ClusterError
from seatrial.kube.errors import Conflict, NotFound
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.policy.base import Model
from seatrial.policy.scalars import Fraction
from seatrial.runtime.context import Context
from seatrial.runtime.events import PodKilled, PodKillSkipped, ProofMissing
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import PASSED, Outcome, not_carried_out, nothing_to_do
from seatrial.targets.permissions import Permission, missing_permissions
from seatrial.targets.pods import pod_ref, why_beyond_api


class Kill(Model):
    """Delete the pods; with `--execution-mode ssh`, kill their containers on their machines instead."""

    probability: Fraction = 1.0
    """How likely each pod is to be killed, from 0 to 1; decided for every pod by itself."""

    force: bool = False
    """Kill at once (grace period 0; SIGKILL over SSH) instead of giving the pod its own grace period (SIGTERM)."""


async def run(spec: Kill, pods: tuple[Pod, ...], context: Context) -> Outcome:
    """Delete the pods, and let the scenario wait for their replacements."""
    victims = choose(spec, pods, context)
    chosen = {pod.metadata.uid for pod in victims}
    for pod in pods:
        if pod.metadata.uid not in chosen:
            _skip(pod, _why_spared(pod, spec), context)
    if not victims:
        return nothing_to_do(f"no pod was killed: {_why_spared(pods[0], spec)}")
    return await kill_pods(victims, context, at_once=lambda _pod: spec.force)


async def kill_pods(victims: Sequence[Pod], context: Context, *, at_once: Callable[[Pod], bool]) -> Outcome:
    """Delete pods, `at_once` those it tells, and let the scenario wait for their replacements.

    Where the command line says so, their containers are killed on their machines instead.
    """
    if (command := context.settings.kill_command) is not None:
        from seatrial.actions.pods.kill_command import KillCommand  # noqa: PLC0415 -- few kill pods so
        from seatrial.actions.pods.kill_on_machine import kill_on_machines  # noqa: PLC0415 -- likewise

        return await kill_on_machines(victims, context, KillCommand(command), at_once=at_once)
    tracker = await track_recovery(victims, context) if context.settings.recovery_timeout_seconds else None
    if tracker is None:
        reason = "with a recovery timeout of 0 nobody watches the pods go"
        context.emit(ProofMissing(subject=f"the kill of {len(victims)} pods", reason=reason))
    problems = await in_parallel(
        victims, lambda pod: _kill(pod, context, tracker, force=at_once(pod)), most=context.settings.max_parallel
    )
    return _outcome(problems)


def choose(spec: Kill, pods: tuple[Pod, ...], context: Context) -> list[Pod]:
    """The pods that the action's own probability leaves and that aren't going anyway; a plan shows the same ones."""
    random = context.random("kill")
    drawn = [pod for pod in pods if random.random() < spec.probability]
    return [pod for pod in drawn if not _is_going(pod, spec)]


async def plan(spec: Kill, pods: tuple[Pod, ...], context: Context) -> ActionPlan:
    """What killing the chosen ones takes."""
    return await plan_kills(choose(spec, pods, context), context)


async def plan_kills(victims: Sequence[Pod], context: Context) -> ActionPlan:
    """Whether pods could be killed and their recovery followed, and which can't be killed."""
    if context.settings.kill_command is not None:
        from seatrial.actions.pods.kill_on_machine import plan_on_machines  # noqa: PLC0415 -- few kill pods so

        return await plan_on_machines(victims, context)
    missing = await missing_permissions(victims, context.cluster, needed=[Permission("delete")])
    tracking = await plan_tracking(victims, context)
    return replace(
        tracking,
        missing_permissions=(*missing, *tracking.missing_permissions),
        notes=notes_on_static(victims),
    )


def notes_on_static(pods: Sequence[Pod]) -> tuple[str, ...]:
    """Which pods can't be ended through the API, and why."""
    return tuple(f"{pod_ref(pod)} would stay: {why}" for pod in pods if (why := why_beyond_api(pod)))


async def unmet_kill_needs(context: Context) -> tuple[str, ...]:
    """What killing can't do without and isn't there."""
    on_machines = context.settings.kill_command is not None
    return await unmet_needs(context, (), runs_commands=True) if on_machines else ()


async def _kill(pod: Pod, context: Context, tracker: RecoveryTracker | None, *, force: bool) -> str:
    """Kill one pod; returns an empty text, or why it could not be killed (`_GONE` where it was not there)."""
    meta, clock = pod.metadata, context.clock
    if problem := why_beyond_api(pod):
        _skip(pod, problem, context, error=True)
        if tracker:
            tracker.kill_failed(meta.uid)
        return problem
    sent = clock.monotonic()
    if tracker:
        tracker.kill_sent(meta.uid, sent)
    try:
        await context.cluster.delete(
            PODS, meta.name, namespace=meta.namespace, uid=meta.uid, grace_period_seconds=0 if force else None
        )
    except (NotFound, Conflict):
        problem = _GONE
        _skip(pod, "was gone before the kill arrived", context)
    except ClusterError as error:
        problem = error.message
        _skip(pod, error.message, context, error=True)
    else:
        duration_ms = (clock.monotonic() - sent) * 1000
        context.mark_change(sent)
        context.scope.sightings.pod_hit(meta.namespace, meta.name, at=sent)
        ref, replaced = pod_ref(pod), is_replaced(pod)
        context.emit(PodKilled(pod=ref, force=force, replaced=replaced, duration_ms=duration_ms))
        return ""
    if tracker:
        tracker.kill_failed(meta.uid)
    return problem


_GONE = "gone"


def _is_going(pod: Pod, spec: Kill) -> bool:
    return pod.metadata.deletion_timestamp is not None and not spec.force


def _why_spared(pod: Pod, spec: Kill) -> str:
    return "it is terminating already" if _is_going(pod, spec) else f"spared by probability {spec.probability:g}"


def _skip(pod: Pod, reason: str, context: Context, *, error: bool = False) -> None:
    context.emit(PodKillSkipped(pod=pod_ref(pod), reason=reason, error=error))


def _outcome(problems: list[str]) -> Outcome:
    errors = Counter(problem for problem in problems if problem not in {"", _GONE})
    if errors:
        worst, _ = errors.most_common(1)[0]
        return not_carried_out(f"{errors.total()} of {len(problems)} pods could not be killed: {worst}")
    if all(problem == _GONE for problem in problems):
        return nothing_to_do("every chosen pod was gone before the kill arrived")
    return PASSED


async def _unmet_needs(_spec: Kill, context: Context) -> tuple[str, ...]:
    return await unmet_kill_needs(context)


ACTION = ActionType(
    key="kill",
    model=Kill,
    run=run,
    victims=choose,
    reads_status=False,
    plan=plan,
    unmet_needs=_unmet_needs,
)
