"""Waiting until a copy is there, and telling why where it doesn't come.

The Deployment controller says when it has given up (`ProgressDeadlineExceeded`). Before that, what doesn't go away by
itself as a rule (an image that can't be pulled, a quota that refuses pods, a container that crashes) is given a short
while: the original's deadline is ten minutes in most cases, and nobody would wait so long for nothing.
"""

import asyncio
from collections.abc import Iterable

from seatrial.errors import ClusterError
from seatrial.kube.objects import Condition, ContainerStatus, Deployment, Pod
from seatrial.kube.resources import DEPLOYMENTS
from seatrial.runtime.context import Context
from seatrial.steps.clone.copied_deployment import Copy
from seatrial.steps.clone.keeper import Keeper

PATIENCE_SECONDS = 30.0
"""How long what doesn't go away by itself may last."""

_DEFAULT_DEADLINE_SECONDS = 600
# The controller tells by itself; this is for one that is down.
_GRACE_SECONDS = 15
_STUCK = frozenset(
    {
        "ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName", "RegistryUnavailable",
        "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff", "StartError",
    }
)  # fmt: skip


_OTHER_IMAGES = "give other images: imageIptables, imageToxiproxy, or image of tc"
# What kernels and runtimes say to images that are too old for them, in lower case, and what helps.
_HINTS = (
    ("can't initialize ip", "its node's kernel has nftables alone: give an imageIptables whose iptables is for that"),
    ("exec format error", f"the image is for another kind of processor: {_OTHER_IMAGES}"),
    ("manifest.v1+prettyjws", f"its container runtime reads no such old images any more: {_OTHER_IMAGES}"),
)


class NotInPlaceError(ClusterError):
    """The copy did not get ready with the fault in place, and why."""


async def wait_until_in_place(copy: Copy, keeper: Keeper, context: Context) -> None:
    """Wait until the copy's pods are Ready with the fault in place.

    Raises:
        NotInPlaceError: they are not in time, or can't become so.
        SeatrialError: the pods can't be watched, or a sidecar refuses what it is told.
    """
    rollout = _Rollout(copy, keeper, context)
    tasks = [
        asyncio.create_task(work)
        for work in (keeper.wait_until_in_place(), rollout.watch_deployment(), rollout.run_out_of_time())
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        # In place and given up at the same moment: it is in place.
        for task in (each for each in tasks if each in done):
            task.result()
            return
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Rollout:
    """What the controllers and the kubelets say of one copy."""

    def __init__(self, copy: Copy, keeper: Keeper, context: Context) -> None:
        self._copy = copy
        self._keeper = keeper
        self._context = context
        self._refusal = ""

    async def watch_deployment(self) -> None:
        """Follow what the Deployment's controller says, until it gives up."""
        watching = self._context.cluster.watch(
            DEPLOYMENTS,
            namespace=self._copy.namespace,
            field_selector=f"metadata.name={self._copy.name}",
            type=Deployment,
        )
        async with watching as watch:
            for deployment in watch.snapshot:
                self._see(deployment)
            async for event in watch:
                if event.type == "DELETED":
                    raise self._given_up("somebody deleted it")
                self._see(event.object)

    async def run_out_of_time(self) -> None:
        """Wait for the deadline, or for what is stuck to stay so."""
        clock = self._context.clock
        begun, stuck_since = clock.monotonic(), None
        deadline = self._copy.body["spec"].get("progressDeadlineSeconds", _DEFAULT_DEADLINE_SECONDS) + _GRACE_SECONDS
        count = 0
        while True:
            await clock.sleep(1)
            now = clock.monotonic()
            if self._keeper.count > count:  # a pod more is progress, for which the controller counts anew, too
                count, begun = self._keeper.count, now
            if not self._stuck():
                stuck_since = None
            elif stuck_since is None:
                stuck_since = now
            if stuck_since is not None and now - stuck_since >= PATIENCE_SECONDS:
                raise self._given_up(f"it doesn't get ready: {self._stuck()}")
            if now - begun >= deadline:
                raise self._given_up(f"it wasn't ready after {deadline} s: {self._reason()}")

    def _see(self, deployment: Deployment) -> None:
        conditions = {each.type: each for each in deployment.status.conditions}
        failure, progress = conditions.get("ReplicaFailure"), conditions.get("Progressing")
        self._refusal = failure.message if failure is not None and failure.is_true else ""
        if progress is not None and progress.reason == "ProgressDeadlineExceeded":
            raise self._given_up(f"it wasn't ready before its progress deadline: {self._reason()}")

    def _given_up(self, reason: str) -> NotInPlaceError:
        copy = f"{self._copy.namespace}/{self._copy.name}"
        hint = next((hint for words, hint in _HINTS if words in reason.lower()), "")
        return NotInPlaceError(f"the copy {copy} is not in place: {reason}", hint=hint)

    def _stuck(self) -> str:
        return self._refusal or "; ".join(_stuck_containers(self._keeper.pods))

    def _reason(self) -> str:
        """What is known of why, in words."""
        said = [self._refusal, *_stuck_containers(self._keeper.pods), *_unschedulable(self._keeper.pods)]
        said += self._keeper.problems
        wanted = self._copy.replicas
        return "; ".join(filter(None, said)) or f"{self._keeper.count} of {wanted} pods are Ready with the fault"


def _stuck_containers(pods: Iterable[Pod]) -> list[str]:
    """Each container that waits for what won't come, and why; once, where several pods say the same."""
    said = []
    for pod in pods:
        for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
            waiting = status.state.waiting
            if waiting is not None and waiting.reason in _STUCK:
                said.append(f"container {status.name}: {waiting.reason}{_details(status)}")
    return list(dict.fromkeys(said))


def _details(status: ContainerStatus) -> str:
    """What is said beside the reason: of a container that crashes, how it ended."""
    waiting, ended = status.state.waiting, status.last_state.terminated
    if ended is not None:
        message = " ".join(ended.message.split())
        return f" (exit code {ended.exit_code}{f': {message}' if message else ''})"
    message = " ".join(waiting.message.split()) if waiting else ""
    return f" ({message})" if message else ""


def _unschedulable(pods: Iterable[Pod]) -> list[str]:
    conditions: list[Condition] = [each for pod in pods if (each := pod.condition("PodScheduled"))]
    said = [f"no node takes a pod: {each.message}" for each in conditions if each.reason == "Unschedulable"]
    return list(dict.fromkeys(said))
