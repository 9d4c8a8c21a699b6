"""The pod action `killContainer`: send a signal to the main process of a container, so that the kubelet restarts it.

The pod stays, with its address and its other containers: what is tested is the restart, not the replacement.

The kernel shields the first process of a process table from signals that come from inside it and that it has no
handler for; SIGKILL never has one (Linux manual, `pid_namespaces(7)`). Commands run by `exec` and ephemeral containers
with a target are inside. So a signal without a handler is refused before it is sent, and SIGKILL works only in pods
with `shareProcessNamespace: true`, where the first process is another. To end a pod at once, use `kill` with `force`.
SIGSTOP is as SIGKILL; `container_pause` has what it takes.
"""

import asyncio
import secrets
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from seatrial.actions.action_type import ActionType
from seatrial.actions.parallel import in_parallel
from seatrial.actions.pods.container_end import (
    container_before,
    expect_return,
    until_ended,
    watch_pod,
)
from seatrial.actions.pods.container_pause import FIND_MAIN_PROCESS, pause_container
from seatrial.actions.pods.containers import chosen_container, status_of
from seatrial.actions.pods.exec import EXEC_PERMISSIONS
from seatrial.actions.repetition import ONCE, Repeat, repeated
from seatrial.errors import ClusterError
from seatrial.kube.errors import RequestTimeout, UnexpectedAnswer
from seatrial.kube.objects import Container, Pod
from seatrial.kube.watch import Watch
from seatrial.policy.base import Complaint, Model
from seatrial.policy.scalars import WholeSeconds
from seatrial.runtime.context import Context
from seatrial.runtime.events import ContainerSignalled, FaultProven, ProofMissing
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import PASSED, Outcome, combine, not_carried_out
from seatrial.targets.permissions import Permission, missing_permissions
from seatrial.targets.pods import pod_ref

Signal = Literal["SIGHUP", "SIGINT", "SIGQUIT", "SIGABRT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGSTOP"]
_NUMBERS: dict[Signal, int] = {
    "SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGABRT": 6, "SIGKILL": 9, "SIGUSR1": 10, "SIGUSR2": 12, "SIGTERM": 15,
    "SIGSTOP": 19,
}  # fmt: skip

_NO_HANDLER, _NOT_FOUND, _REFUSED = 64, 65, 66

# $1 is the signal's name, $2 its number. The last eight hexadecimal digits of SigCgt are the handlers of signals 1-32.
_SIGNAL_FIRST = """
pid=1
while read -r key value; do [ "$key" = SigCgt: ] && caught=$value; done < /proc/$pid/status
[ $(( (0x${caught#????????} >> ($2 - 1)) & 1 )) = 1 ] || exit 64
kill -s "$1" $pid || exit 66
"""

_SIGNAL_SHARED = f"""{FIND_MAIN_PROCESS}
kill -s "$1" "$pid" || exit 66
"""


class KillContainer(Model):
    """Send a signal to the main process of a container of each pod, and see it end and run again."""

    container: Annotated[str, Field(min_length=1)] | None = None
    """The container; without it the one that kubectl would take: the annotated default, else the first."""

    signal: Signal = "SIGTERM"
    """The signal. The kernel passes on only signals that the process has a handler for; SIGKILL and SIGSTOP need a pod
    with `shareProcessNamespace: true`. SIGSTOP pauses the process, and only that one, for `resumeAfter` seconds."""

    resume_after: WholeSeconds | None = None
    """With SIGSTOP: after how many seconds the process goes on by itself, whatever becomes of Seatrial. Clean-up lets
    it go on at once."""

    via: Literal["exec", "ephemeral"] = "exec"
    """`exec`: a command in the container itself, whose image needs a shell. `ephemeral`: an ephemeral container beside
    it, which works with every image and stays in the pod, ended, until the pod is gone."""

    image: Annotated[str, Field(min_length=1)] = "busybox:1.37"
    """The image of the ephemeral container; it needs a shell."""

    expect_end: bool = True
    """Whether the container has to end of it. `false` is for signals that make a program reload or rotate its logs."""

    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30.0
    """How long to wait until the container is seen to have ended, in seconds."""

    repeat: Repeat = ONCE
    """The same again, to the containers that run in these pods by then. The kubelet waits longer before each restart:
    10 s before the second, twice as long before each after that, so `every` has to be longer."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """A pause has an end, and nothing else has one."""
        pauses, ends = given.get("signal") == "SIGSTOP", given.get("resumeAfter") is not None
        if pauses and not ends:
            yield Complaint("needs 'resumeAfter': a pause ends by itself", ("signal",), at_key=True)
        if ends and not pauses:
            yield Complaint("is for the signal SIGSTOP only", ("resumeAfter",), at_key=True)
        if pauses and given.get("expectEnd"):
            yield Complaint("can't be true with SIGSTOP: a paused container does not end", ("expectEnd",))
        if pauses and given.get("repeat"):
            yield Complaint("can't be given with SIGSTOP: a paused container does not end", ("repeat",), at_key=True)


async def run(spec: KillContainer, pods: tuple[Pod, ...], context: Context) -> Outcome:
    """Send the signal to all, bounded, and see each container end; as often as the pattern says."""
    most = context.settings.max_parallel

    async def kill_all(number: int) -> Outcome:
        return combine(await in_parallel(pods, lambda pod: _kill(pod, spec, context, number), most=most))

    return await repeated(spec.repeat, kill_all, context)


async def plan(spec: KillContainer, pods: tuple[Pod, ...], context: Context) -> ActionPlan:
    """What would be signalled, what can't be, and what stays behind."""
    changes, notes = [], []
    for pod in pods:
        if obstacle := _obstacle(pod, spec):
            notes.append(obstacle)
            continue
        container = chosen_container(pod, spec.container)
        name = container.name if container else ""
        pause = f", and SIGCONT after {spec.resume_after} s or at clean-up" if spec.resume_after else ""
        often = f", {spec.repeat}" if spec.repeat.times > 1 else ""
        changes.append(f"send {spec.signal} to container {name} of pod {pod_ref(pod)}{pause}{often}")
        if spec.resume_after:
            continue
        if pod.spec.restart_policy == "Never" and spec.expect_end:
            notes.append(f"{pod_ref(pod)} has restartPolicy Never: its container {name} would not come back")
        if spec.via == "ephemeral":
            changes.append(f"add an ephemeral container to pod {pod_ref(pod)}, which stays there until the pod is gone")
    needed = (Permission("watch"), *(EXEC_PERMISSIONS if spec.via == "exec" else _EPHEMERAL_PERMISSIONS))
    missing = await missing_permissions(pods, context.cluster, needed=needed)
    return ActionPlan(changes=tuple(changes), notes=tuple(notes), missing_permissions=missing)


_EPHEMERAL_PERMISSIONS = (Permission("patch", subresource="ephemeralcontainers"),)


def _obstacle(pod: Pod, spec: KillContainer) -> str:
    """Why the signal can't work in this pod; empty where it may."""
    ref, container = pod_ref(pod), chosen_container(pod, spec.container)
    if container is None:
        return f"{ref} has no container '{spec.container or ''}'"
    if container_before(pod, container.name) is None:
        return f"container {container.name} of pod {ref} doesn't run"
    if pod.spec.host_pid:
        return f"{ref} uses the process table of its node (hostPID): its main process can't be told from others"
    if pod.spec.share_process_namespace:
        return f"the containers of {ref} share a process table: use via: exec" if spec.via == "ephemeral" else ""
    if spec.signal in {"SIGKILL", "SIGSTOP"}:
        instead = "" if spec.signal == "SIGSTOP" else ", use SIGTERM, or the action kill with force: true"
        return (
            f"the kernel shields the main process of {ref} from {spec.signal} sent inside its process table: set"
            f" shareProcessNamespace: true in the pod{instead}"
        )
    return ""


async def _kill(chosen: Pod, spec: KillContainer, context: Context, number: int) -> Outcome:
    ref = pod_ref(chosen)
    try:
        async with watch_pod(ref, context.cluster) as watch:
            pod = next((each for each in watch.snapshot if each.metadata.uid == ref.uid), None)
            if pod is None:
                return not_carried_out(f"the pod {ref} was gone before the signal was sent")
            return await _signal(pod, spec, watch, context, number)
    except ClusterError as error:
        return not_carried_out(f"{spec.signal} could not be sent in {ref}: {error.in_full}")


async def _signal(pod: Pod, spec: KillContainer, watch: Watch[Pod], context: Context, number: int) -> Outcome:
    obstacle, container = _obstacle(pod, spec), chosen_container(pod, spec.container)
    before = container_before(pod, container.name) if container else None
    if obstacle or container is None or before is None:
        return not_carried_out(obstacle)
    if spec.resume_after:
        return await pause_container(before, seconds=spec.resume_after, context=context)
    sent = asyncio.get_running_loop().time()
    send = _by_exec if spec.via == "exec" else _by_ephemeral_container
    ending = asyncio.create_task(until_ended(before, watch), name=f"end of {before.subject}")
    try:
        if problem := await send(pod, container, spec, context, ending):
            return not_carried_out(problem)
        context.mark_change(sent, repetition=number)
        context.emit(
            ContainerSignalled(
                pod=before.pod,
                container=before.container,
                signal=spec.signal,
                via=spec.via,
                number=number,
                times=spec.repeat.times,
            )
        )
        if not spec.expect_end:
            return PASSED
        await asyncio.wait({ending}, timeout=spec.timeout)
        if not ending.done():
            reason = f"it was not seen to end within {spec.timeout:g} s of {spec.signal}"
            context.emit(ProofMissing(subject=before.subject, reason=reason))
            return not_carried_out(f"{before.subject}: {reason}")
        ended, words = ending.result()
    finally:
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)
    context.emit(FaultProven(subject=before.subject, proof=words))
    expect_return(before, context, sent=sent, ended=ended)
    return PASSED


async def _by_exec(
    pod: Pod, container: Container, spec: KillContainer, context: Context, ending: asyncio.Task[Any]
) -> str:
    """Send the signal by a command in the container; returns why that did not work."""
    try:
        result = await context.cluster.exec(
            pod.metadata.name,
            namespace=pod.metadata.namespace,
            container=container.name,
            command=_command(pod, spec),
            timeout_seconds=spec.timeout,
        )
    except (UnexpectedAnswer, RequestTimeout) as error:
        # The command goes down with the container it ends: whether it did its work, the pod's status tells.
        await asyncio.wait({ending}, timeout=spec.timeout)
        return "" if ending.done() else error.message
    words = " ".join(result.stderr.decode(errors="replace").split())
    return _explanation(result.exit_code, words, pod, container, spec)


async def _by_ephemeral_container(
    pod: Pod, container: Container, spec: KillContainer, context: Context, ending: asyncio.Task[Any]
) -> str:
    """Send the signal from an ephemeral container beside the container; returns why that did not work."""
    name = f"seatrial-{secrets.token_hex(4)}"
    body = {
        "name": name,
        "image": spec.image,
        "command": _command(pod, spec),
        "targetContainerName": container.name,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        # The same user may signal the process, and a namespace that restricts its pods has let this one in.
        **({"securityContext": container.security_context} if container.security_context else {}),
    }
    async with watch_pod(pod_ref(pod), context.cluster) as watch:
        await context.cluster.ephemeral_container(pod.metadata.name, body, namespace=pod.metadata.namespace)
        result = asyncio.create_task(_result_of(name, watch), name=f"ephemeral container {name}")
        try:
            await asyncio.wait({result, ending}, timeout=spec.timeout, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                return ""
            if not result.done():
                return f"the ephemeral container {name} did not end within {spec.timeout:g} s"
            code, words = result.result()
        finally:
            result.cancel()
            await asyncio.gather(result, return_exceptions=True)
    return words if code is None else _explanation(code, words, pod, container, spec)


async def _result_of(ephemeral: str, watch: Watch[Pod]) -> tuple[int | None, str]:
    """The exit code of an ephemeral container and its last words; None with the reason why it can't run."""
    async for event in watch:
        status = status_of(event.object, ephemeral)
        if status is None:
            continue
        if end := status.state.terminated:
            return end.exit_code, " ".join(end.message.split())
        if status.state.waiting and status.state.waiting.reason in _CANT_RUN:
            return None, f"the ephemeral container can't run: {status.state.waiting.reason}"
    raise AssertionError("a watch that is open ends with an error only")


_CANT_RUN = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError",
     "CreateContainerError", "RunContainerError"}
)  # fmt: skip


def _command(pod: Pod, spec: KillContainer) -> list[str]:
    script = _SIGNAL_SHARED if pod.spec.share_process_namespace else _SIGNAL_FIRST
    name = spec.signal.removeprefix("SIG")
    return ["sh", "-c", script, "seatrial", name, str(_NUMBERS[spec.signal])]


def _explanation(code: int, words: str, pod: Pod, container: Container, spec: KillContainer) -> str:
    """Why a signal was not sent, from what the script ended with; empty where it was."""
    subject = f"container {container.name} of pod {pod_ref(pod)}"
    said = f": {words[:200]}" if words else ""
    if code == _NO_HANDLER:
        return f"the main process of {subject} has no handler for {spec.signal}, so the kernel shields it from it"
    if code == _NOT_FOUND:
        return f"the main process of {subject} was not found in the pod's process table{said}"
    if code == _REFUSED:
        return f"{spec.signal} was not let through to {subject}{said}"
    if code in {126, 127}:
        return f"the image of {subject} has no shell: use via: ephemeral{said}"
    return ""


def _reached(spec: KillContainer, pods: tuple[Pod, ...], _context: Context) -> list[Pod]:
    return [pod for pod in pods if not _obstacle(pod, spec)]


ACTION = ActionType(key="killContainer", model=KillContainer, run=run, victims=_reached, plan=plan)
