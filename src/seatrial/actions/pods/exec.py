"""The pod action `exec`: run a command in a container of each pod, and one that takes it back at clean-up.

There is no shell in between: the command is a list of words, and its program has to be in the container's image. The
undo is written down before the command is sent, since a command that breaks off may have done its work. With
`expiresAfter` a timer in the container runs it too (`pod_timers`), so that the fault ends without us.
"""

import asyncio
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from seatrial.actions.action_type import ActionType
from seatrial.actions.dead_man_timer import DeadManTimer
from seatrial.actions.parallel import in_parallel
from seatrial.actions.pods.containers import chosen_container
from seatrial.actions.pods.pod_timers import NotArmed, Place, arm, disarm
from seatrial.errors import ClusterError
from seatrial.kube.errors import NotFound
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.policy.base import Complaint, Model
from seatrial.policy.scalars import FilledItems, Integer, WholeSeconds
from seatrial.runtime.context import Context
from seatrial.runtime.events import PodCommandExecuted, ProofMissing
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.verdict import PASSED, Outcome, combine, failed, not_carried_out
from seatrial.runtime.world import World
from seatrial.targets.filters import Regex, any_matches
from seatrial.targets.permissions import Permission
from seatrial.targets.pods import pod_ref

MOST_OUTPUT = 2000
EXEC_PERMISSIONS = (Permission("get", subresource="exec"), Permission("create", subresource="exec"))
"""Over WebSocket it is a GET; Kubernetes 1.35 and later ask for the verb `create` as well."""

Word = Annotated[str, Field(min_length=1)]


class Exec(Model):
    """Run a command in a container of each pod."""

    command: FilledItems[Word]
    """The command as a list of words. There is no shell in between: `[sh, -c, "..."]` asks for one."""

    container: Annotated[str, Field(min_length=1)] | None = None
    """The container; without it the one that kubectl would take: the annotated default, else the first."""

    exit_code: Annotated[Integer, Field(ge=0, le=255)] = 0
    """The exit code that is expected; any other fails the step."""

    output: Regex | None = None
    """A regular expression that the beginning of a line of the standard output has to match, ignoring case."""

    timeout: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)] = 30.0
    """How long the command may take, in seconds. It may go on in its container after that."""

    undo: FilledItems[Word] | None = None
    """A command that takes back what the command does: run in the same container at clean-up."""

    expires_after: WholeSeconds | None = None
    """After how many seconds the fault ends by itself: a timer in the container, started before the command, runs
    `undo` even where Seatrial or the way to it is gone. Clean-up runs it at once and ends the timer. The image has to
    hold a shell and `sleep`, and the `undo` must be safe to repeat."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """A timer has to know what to run."""
        if given.get("expiresAfter") is not None and given.get("undo") is None:
            yield Complaint("needs 'undo': that is what its timer runs", ("expiresAfter",), at_key=True)


async def run(spec: Exec, pods: tuple[Pod, ...], context: Context) -> Outcome:
    """Run the command in all pods, bounded, and look at what it came to."""
    most = context.settings.max_parallel
    return combine(await in_parallel(pods, lambda pod: _execute(pod, spec, context), most=most))


async def plan(spec: Exec, pods: tuple[Pod, ...], context: Context) -> ActionPlan:  # noqa: ARG001 -- every action gets it
    """What would be run where."""
    back = f", and '{shlex.join(spec.undo)}' at clean-up" if spec.undo else "; nothing is known that takes it back"
    back += f" or after {spec.expires_after} s" if spec.expires_after else ""
    changes, notes = [], []
    for pod in pods:
        container = chosen_container(pod, spec.container)
        if container is None:
            notes.append(_no_container(pod, spec))
        else:
            changes.append(f"run '{shlex.join(spec.command)}' in {pod_ref(pod)}, container {container.name}{back}")
    return ActionPlan(changes=tuple(changes), notes=tuple(notes))


async def _execute(pod: Pod, spec: Exec, context: Context) -> Outcome:
    ref, container = pod_ref(pod), chosen_container(pod, spec.container)
    if container is None:
        return not_carried_out(_no_container(pod, spec))
    if spec.undo and (problem := await _prepare_end(pod, container.name, spec, spec.undo, context)):
        return not_carried_out(f"'{spec.command[0]}' was not run in {ref}: {problem}")
    begun = context.clock.monotonic()

    def tell(exit_code: int | None, *, output: str = "", error: str = "") -> None:
        context.emit(
            PodCommandExecuted(
                pod=ref,
                container=container.name,
                command=shlex.join(spec.command),
                exit_code=exit_code,
                output=output[:MOST_OUTPUT],
                duration_ms=(context.clock.monotonic() - begun) * 1000,
                error=error,
            )
        )

    try:
        result = await context.cluster.exec(
            ref.name,
            namespace=ref.namespace,
            container=container.name,
            command=spec.command,
            timeout_seconds=spec.timeout,
        )
    except asyncio.CancelledError:
        tell(None, error="interrupted; it may run on")
        raise
    except ClusterError as error:
        tell(None, error=error.message)
        return not_carried_out(f"'{spec.command[0]}' could not be run in {ref}: {error.in_full}")
    context.mark_change(begun)
    output = result.stdout.decode(errors="replace")
    problems = result.stderr.decode(errors="replace")
    tell(result.exit_code, output=output + problems)
    if result.exit_code != spec.exit_code:
        said = f": {problems.strip().splitlines()[-1][:200]}" if problems.strip() else ""
        return failed(f"'{spec.command[0]}' in {ref} ended with {result.exit_code}, expected {spec.exit_code}{said}")
    if spec.output is not None and not any_matches(spec.output, output.splitlines() or [""]):
        return failed(f"no line of what '{spec.command[0]}' printed in {ref} matches '{spec.output}'")
    return PASSED


def _no_container(pod: Pod, spec: Exec) -> str:
    return (
        f"{pod_ref(pod)} has no container '{spec.container}'" if spec.container else f"{pod_ref(pod)} has no container"
    )


async def _prepare_end(pod: Pod, container: str, spec: Exec, undo: Sequence[str], context: Context) -> str:
    """Write the undo down, and arm a timer with it where one is asked for; returns why none could be armed."""
    ref = pod_ref(pod)
    place = Place(namespace=ref.namespace, name=ref.name, container=container)
    timer = DeadManTimer.of(spec.expires_after) if spec.expires_after else None
    by_hand = shlex.join(place.by_hand(undo))
    if timer:
        by_hand += " && " + shlex.join(place.by_hand(timer.disarming(patience_seconds=spec.timeout)))
    written = await context.write_undo(
        Undo(
            kind=EXEC_IN_POD.kind,
            args={
                "namespace": ref.namespace,
                "name": ref.name,
                "uid": ref.uid,
                "container": container,
                "command": list(undo),
                "timeout": spec.timeout,
                **({"timer": timer.as_json()} if timer else {}),
            },
            description=f"run '{shlex.join(undo)}' in {ref}",
            manual=by_hand,
        )
    )
    if timer is None:
        return ""
    try:
        await arm(timer, undo, place, context)
    except NotArmed as error:
        await context.journal.settle(written)
        return error.message
    except ClusterError as error:
        return f"it is not known whether its timer was started: {error.message}"
    return ""


async def _take_back(args: Mapping[str, Any], world: World) -> str:
    cluster, name, namespace = world.cluster, args["name"], args["namespace"]
    try:
        pod = await cluster.get(PODS, name, namespace=namespace, type=Pod)
    except NotFound:
        return "the pod is gone, and with it what was done in it"
    if pod.metadata.uid != args["uid"]:
        return "another pod has its name by now: the pod is gone, and with it what was done in it"
    if pod.is_finished:
        return "the pod has ended, and with it what was done in it"
    result = await cluster.exec(
        name,
        namespace=namespace,
        container=args["container"],
        command=args["command"],
        timeout_seconds=args["timeout"],
    )
    if result.exit_code:
        said = " ".join(result.stderr.decode(errors="replace").split())[:200]
        raise ClusterError(f"the command ended with {result.exit_code}: {said or 'it printed no error'}")
    if timer := args.get("timer"):
        place = Place(namespace=namespace, name=name, container=args["container"])
        if not await disarm(DeadManTimer.from_json(timer), place, world, patience_seconds=args["timeout"]):
            reason = "its timer was not there any more: it may have ended before clean-up"
            world.emit(ProofMissing(subject=f"'{args['command'][0]}' in {namespace}/{name}", reason=reason))
    return ""


# As long as the longest command, its timer's run of the same, and the way there.
EXEC_IN_POD = UndoKind(kind="execInPod", run=_take_back, deadline_seconds=1320.0)

ACTION = ActionType(
    key="exec", model=Exec, run=run, victims=lambda _spec, pods, _context: pods, permissions=EXEC_PERMISSIONS, plan=plan
)
