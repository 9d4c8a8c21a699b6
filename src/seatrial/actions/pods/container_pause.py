"""Pausing a container: SIGSTOP to its main process, which goes on by itself after a while.

The first process of a process table can't be stopped from inside it, whatever handlers it has (Linux manual,
`pid_namespaces(7)`); so this works in pods with `shareProcessNamespace: true`, where the first process is another. A
dead-man timer in the container that lets the process go on is armed before it is stopped, so a pause never outlasts it.
That it is stopped, and that it goes on, is read from its state in `/proc`.
"""

import shlex
from collections.abc import Mapping
from typing import Any

from seatrial.actions.dead_man_timer import DeadManTimer
from seatrial.actions.pods.container_end import ContainerBefore
from seatrial.actions.pods.containers import status_of
from seatrial.actions.pods.pod_timers import NotArmed, Place, arm, disarm
from seatrial.errors import ClusterError
from seatrial.kube.errors import NotFound
from seatrial.kube.exec import ExecResult
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.runtime.context import Context
from seatrial.runtime.events import ContainerSignalled, FaultCleared, FaultProven
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.verdict import PASSED, Outcome, not_carried_out
from seatrial.runtime.world import World

_COMMAND_SECONDS = 30.0

FIND_MAIN_PROCESS = """
mine=$(readlink /proc/self/ns/mnt) || exit 65
pid=
for each in /proc/[0-9]*; do
  [ "$(readlink $each/ns/mnt 2>/dev/null)" = "$mine" ] || continue
  number=${each#/proc/}
  [ -z "$pid" ] || [ "$number" -lt "$pid" ] && pid=$number
done
[ -n "$pid" ] && [ "$pid" != $$ ] || exit 65
"""
"""Shell, for a shared process table: the oldest process with the command's file tree is its container's main one."""

_READ_STATE = """
look() { state=; while read -r key value rest; do [ "$key" = State: ] && state=$value; done < /proc/$pid/status; }
looks=0
look
"""
PAUSE = f"""{FIND_MAIN_PROCESS}
kill -s STOP "$pid" || exit 66
{_READ_STATE}
while [ "$state" != T ]; do
  [ "$looks" -lt 55 ] || {{ echo "its state is $state" >&2; exit 67; }}
  looks=$((looks + 1))
  [ "$looks" -lt 50 ] || sleep 1
  look
done
echo "$pid"
"""
RESUME = f"""{FIND_MAIN_PROCESS}
kill -s CONT "$pid" || exit 66
{_READ_STATE}
while [ "$state" = T ]; do
  [ "$looks" -lt 55 ] || {{ echo "it is still stopped" >&2; exit 67; }}
  looks=$((looks + 1))
  [ "$looks" -lt 50 ] || sleep 1
  look
done
echo "$state"
"""
_RESUMING = ("sh", "-c", RESUME)


async def pause_container(before: ContainerBefore, *, seconds: int, context: Context) -> Outcome:
    """Stop the main process for so many seconds at most; clean-up lets it go on at once.

    Raises:
        ClusterError: it is not known what became of it; clean-up sees to it.
    """
    place = Place(namespace=before.pod.namespace, name=before.pod.name, container=before.container)
    timer = DeadManTimer.of(seconds)
    written = await context.write_undo(_undo(before, place, timer))
    try:
        await arm(timer, _RESUMING, place, context)
    except NotArmed as error:
        await context.journal.settle(written)
        return not_carried_out(f"{before.subject} was not paused: {error.in_full}")
    result = await _run(("sh", "-c", PAUSE), place, context.world)
    if result.exit_code:
        return not_carried_out(f"{before.subject} could not be paused: {_why(result)}")
    context.emit(ContainerSignalled(pod=before.pod, container=before.container, signal="SIGSTOP", via="exec"))
    pid = result.stdout.decode(errors="replace").strip()
    proof = f"its main process {pid} is stopped (state T), for {seconds} s at most"
    context.emit(FaultProven(subject=f"pause of {before.subject}", proof=proof))
    return PASSED


def _undo(before: ContainerBefore, place: Place, timer: DeadManTimer) -> Undo:
    return Undo(
        kind=RESUME_CONTAINER.kind,
        args={
            "namespace": before.pod.namespace,
            "name": before.pod.name,
            "uid": before.pod.uid,
            "container": before.container,
            "id": before.id,
            "timer": timer.as_json(),
        },
        description=f"let {before.subject} go on",
        manual=shlex.join(place.by_hand(_RESUMING)),
    )


async def _resume(args: Mapping[str, Any], world: World) -> str:
    namespace, name, container = args["namespace"], args["name"], args["container"]
    try:
        pod = await world.cluster.get(PODS, name, namespace=namespace, type=Pod)
    except NotFound:
        return "the pod is gone"
    status = status_of(pod, container)
    if pod.metadata.uid != args["uid"] or status is None or status.container_id != args["id"]:
        return "the container that was paused is gone"
    if status.state.running is None:
        return "the container has ended"
    place = Place(namespace=namespace, name=name, container=container)
    result = await _run(_RESUMING, place, world)
    if result.exit_code:
        raise ClusterError(f"{place} could not be made to go on: {_why(result)}")
    state = result.stdout.decode(errors="replace").strip()
    world.emit(FaultCleared(subject=f"pause of {place}", proof=f"its main process goes on (state {state})"))
    await disarm(DeadManTimer.from_json(args["timer"]), place, world, patience_seconds=_COMMAND_SECONDS)
    return ""


async def _run(command: tuple[str, ...], place: Place, world: World) -> ExecResult:
    return await world.cluster.exec(
        place.name,
        namespace=place.namespace,
        container=place.container,
        command=command,
        timeout_seconds=_COMMAND_SECONDS,
    )


def _why(result: ExecResult) -> str:
    words = " ".join(result.stderr.decode(errors="replace").split())[:200]
    return words or f"the command ended with {result.exit_code}"


RESUME_CONTAINER = UndoKind(kind="resumeContainer", run=_resume)
