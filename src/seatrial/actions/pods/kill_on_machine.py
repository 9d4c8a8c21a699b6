"""Killing pods by their containers, on the machines that they run on: what `kill` does with `--execution-mode ssh`.

The API server isn't asked, so the pod stays, and its kubelet starts its containers again: what is tested is the node's
own healing, also of pods that can't be killed through the API, such as static ones. That the containers ended, and that
they run again, is seen from outside.
"""

import asyncio
from collections.abc import Callable, Sequence

from seatrial.actions.machine_needs import unmet_needs
from seatrial.actions.machine_shell import COMMAND_SECONDS, last_words
from seatrial.actions.parallel import in_parallel
from seatrial.actions.pods.container_end import (
    ContainerBefore,
    container_before,
    expect_return,
    has_ended,
    how_it_ended,
    watch_pod,
)
from seatrial.actions.pods.containers import status_of
from seatrial.actions.pods.kill_command import KillCommand
from seatrial.errors import ClusterError, MachineError, UsageError
from seatrial.kube.objects import Pod
from seatrial.kube.watch import Watch
from seatrial.runtime.context import Context
from seatrial.runtime.events import ContainerSignalled, FaultProven, PodKilled, PodKillSkipped, ProofMissing
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import PASSED, Outcome, combine, not_carried_out
from seatrial.targets.permissions import Permission, missing_permissions
from seatrial.targets.pods import pod_ref

_END_SECONDS = 30.0


async def kill_on_machines(
    victims: Sequence[Pod], context: Context, command: KillCommand, *, at_once: Callable[[Pod], bool]
) -> Outcome:
    """Kill the containers of pods: with SIGKILL those that `at_once` tells, the others with SIGTERM."""
    if unmet := await unmet_needs(context, (), runs_commands=True):
        return not_carried_out("; ".join(unmet))

    async def kill(pod: Pod) -> Outcome:
        return await _kill(pod, context, command, force=at_once(pod))

    return combine(await in_parallel(victims, kill, most=context.settings.max_parallel))


async def plan_on_machines(pods: Sequence[Pod], context: Context) -> ActionPlan:
    """On which machines a command would run."""
    if unmet := await unmet_needs(context, (), runs_commands=True):
        return ActionPlan(refused=unmet)
    return ActionPlan(
        changes=tuple(f"kill the containers of pod {pod_ref(pod)} by a command on its machine" for pod in pods),
        missing_permissions=await missing_permissions(pods, context.cluster, needed=(Permission("watch"),)),
    )


async def _kill(chosen: Pod, context: Context, command: KillCommand, *, force: bool) -> Outcome:
    ref = pod_ref(chosen)
    try:
        async with watch_pod(ref, context.cluster) as watch:
            pod = next((each for each in watch.snapshot if each.metadata.uid == ref.uid), None)
            if pod is None:
                problem = "was gone before the kill arrived"
            else:
                problem = await _kill_containers(pod, watch, context, command, force=force)
    except (ClusterError, MachineError, UsageError) as error:
        problem = error.in_full
    if not problem:
        return PASSED
    context.emit(PodKillSkipped(pod=ref, reason=problem, error=True))
    return not_carried_out(f"pod {ref} could not be killed on its machine: {problem}")


async def _kill_containers(pod: Pod, watch: Watch[Pod], context: Context, command: KillCommand, *, force: bool) -> str:
    """Kill all running containers of a pod and see them end; returns why that did not work."""
    befores = [container_before(pod, each.name) for each in pod.status.container_statuses]
    running = [each for each in befores if each is not None]
    if not running:
        return "none of its containers runs"
    signal = "SIGKILL" if force else "SIGTERM"
    commands = [command.filled_in(each.id, signal) for each in running]
    sent = asyncio.get_running_loop().time()
    ends = _Ends(running)
    following = asyncio.create_task(ends.follow(watch), name=f"ends of the containers of {pod_ref(pod)}")
    try:
        for before, text in zip(running, commands, strict=True):
            if problem := await _send(before, pod.spec.node_name, text, context):
                return problem
            context.mark_change(sent)
            context.emit(
                ContainerSignalled(pod=before.pod, container=before.container, signal=signal, via=context.executor.name)
            )
        duration_ms = (asyncio.get_running_loop().time() - sent) * 1000
        await asyncio.wait({following}, timeout=_END_SECONDS)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    if problem := _judge(running, ends, context, sent=sent, signal=signal):
        return problem
    context.emit(
        PodKilled(pod=pod_ref(pod), force=force, replaced=False, duration_ms=duration_ms, on_machine=pod.spec.node_name)
    )
    return ""


async def _send(before: ContainerBefore, node: str, command: str, context: Context) -> str:
    """Run the command for a container; returns why that did not work."""
    result = await context.executor.run(node, command, timeout_seconds=COMMAND_SECONDS)
    return f"container {before.container}: {last_words(result)}" if result.exit_code else ""


class _Ends:
    """When, on the loop's clock, and how each container ended, as far as it was seen."""

    def __init__(self, running: Sequence[ContainerBefore]) -> None:
        self.seen: dict[str, tuple[float, str]] = {}
        self.lost = ""
        self._running = running

    async def follow(self, watch: Watch[Pod]) -> None:
        """Until all have ended, or nobody can see it any more; `lost` says why."""
        try:
            await self._follow(watch)
        except ClusterError as error:
            self.lost = error.message

    async def _follow(self, watch: Watch[Pod]) -> None:
        async for event in watch:
            if event.object.metadata.uid != self._running[0].pod.uid:
                continue
            for before in self._running:
                status = status_of(event.object, before.container)
                if before.container in self.seen:
                    continue
                if event.type == "DELETED":
                    self.seen[before.container] = event.received, "its pod is gone"
                elif status is not None and has_ended(before, status):
                    self.seen[before.container] = event.received, how_it_ended(before, status)
            if len(self.seen) == len(self._running):
                return


def _judge(running: Sequence[ContainerBefore], ends: _Ends, context: Context, *, sent: float, signal: str) -> str:
    """Publish what was seen; returns what was not."""
    missing = []
    for before in running:
        if end := ends.seen.get(before.container):
            context.emit(FaultProven(subject=before.subject, proof=end[1]))
            expect_return(before, context, sent=sent, ended=end[0])
        else:
            within = f"within {_END_SECONDS:g} s of {signal}"
            reason = f"it was not seen to end{f': {ends.lost}' if ends.lost else f' {within}'}"
            context.emit(ProofMissing(subject=before.subject, reason=reason))
            missing.append(f"container {before.container}: {reason}")
    return "; ".join(missing)
