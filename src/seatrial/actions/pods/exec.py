"""The pod action `exec`: run a command in a container of each pod, and one that takes it back at clean-up.

There is no shell in between: the command is a list of words, and its program has to be in the container's image. The
undo is written down before the command is sent, since a command that breaks off may have done its work.
"""

import shlex
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from seatrial.actions.action_type import ActionType
from seatrial.actions.parallel import in_parallel
from seatrial.actions.pods.containers import chosen_container
from seatrial.errors import ClusterError
from seatrial.kube.errors import NotFound
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.policy.base import Model
from seatrial.policy.scalars import FilledItems, Integer
from seatrial.runtime.context import Context
from seatrial.runtime.events import PodCommandExecuted
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

    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30.0
    """How long the command may take, in seconds. It may go on in its container after that."""

    undo: FilledItems[Word] | None = None
    """A command that takes back what the command does: run in the same container at clean-up."""


async def run(spec: Exec, pods: tuple[Pod, ...], context: Context) -> Outcome:
    """Run the command in all pods, bounded, and look at what it came to."""
    most = context.settings.max_parallel
    return combine(await in_parallel(pods, lambda pod: _execute(pod, spec, context), most=most))


async def plan(spec: Exec, pods: tuple[Pod, ...], context: Context) -> ActionPlan:  # noqa: ARG001 -- every action gets it
    """What would be run where."""
    back = f", and '{shlex.join(spec.undo)}' at clean-up" if spec.undo else "; nothing is known that takes it back"
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
    if spec.undo:
        await context.write_undo(_undo(pod, container.name, spec))
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
    except ClusterError as error:
        tell(None, error=error.message)
        return not_carried_out(f"'{spec.command[0]}' could not be run in {ref}: {error.message}")
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


def _undo(pod: Pod, container: str, spec: Exec) -> Undo:
    ref, command = pod_ref(pod), list(spec.undo or ())
    by_hand = ["kubectl", "exec", "-n", ref.namespace, ref.name, "-c", container, "--", *command]
    return Undo(
        kind=EXEC_IN_POD.kind,
        args={
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": ref.uid,
            "container": container,
            "command": command,
            "timeout": spec.timeout,
        },
        description=f"run '{shlex.join(command)}' in {ref}",
        manual=shlex.join(by_hand),
    )


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
    return ""


EXEC_IN_POD = UndoKind(kind="execInPod", run=_take_back)

ACTION = ActionType(
    key="exec", model=Exec, run=run, victims=lambda _spec, pods, _context: pods, permissions=EXEC_PERMISSIONS, plan=plan
)
