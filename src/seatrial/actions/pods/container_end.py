"""Seeing, from outside, that a container ended and that it runs again.

A watch on the one pod is opened before anything is done to the container. It shows the end by the container's state,
its id or its restart count, and its return by being ready under another id. The action waits for the end; the scenario
waits for the return, as it does for the replacements of killed pods.
"""

import asyncio

import msgspec

from seatrial.actions.pods.containers import status_of
from seatrial.kube.client import Client
from seatrial.kube.objects import ContainerStatus, Pod
from seatrial.kube.resources import PODS
from seatrial.kube.watch import Watch
from seatrial.runtime.context import Context
from seatrial.runtime.events import ContainerRestarted, FaultCleared, MeasurementTaken, PodRef, ProofMissing
from seatrial.runtime.verdict import PASSED, Outcome, nothing_to_do
from seatrial.targets.pods import pod_ref


class ContainerBefore(msgspec.Struct, frozen=True, kw_only=True):
    """A container as it was before it was touched."""

    pod: PodRef
    container: str
    id: str
    restarts: int
    restart_policy: str

    @property
    def subject(self) -> str:
        """What proofs are about."""
        return f"container {self.container} of pod {self.pod}"


def container_before(pod: Pod, container: str) -> ContainerBefore | None:
    """The container as it is; None where it doesn't run."""
    status = status_of(pod, container)
    if status is None or status.state.running is None or pod.is_terminating:
        return None
    return ContainerBefore(
        pod=pod_ref(pod),
        container=container,
        id=status.container_id,
        restarts=status.restart_count,
        restart_policy=pod.spec.restart_policy,
    )


def watch_pod(pod: PodRef, cluster: Client) -> Watch[Pod]:
    """A watch of one pod, by its name."""
    return cluster.watch(PODS, namespace=pod.namespace, field_selector=f"metadata.name={pod.name}", type=Pod)


def has_ended(before: ContainerBefore, status: ContainerStatus) -> bool:
    """Whether a status is of a time after the container's end."""
    return status.state.running is None or status.container_id != before.id or status.restart_count > before.restarts


def how_it_ended(before: ContainerBefore, status: ContainerStatus) -> str:
    """The end in words, as far as the status tells."""
    end = status.state.terminated or status.last_state.terminated
    code = f" with exit code {end.exit_code}" if end else ""
    return f"it ended{code}; {_restarts(status.restart_count)}, {before.restarts} before"


async def until_ended(before: ContainerBefore, watch: Watch[Pod]) -> tuple[float, str]:
    """Follow the pod until the container has ended: when, on the loop's clock, and how in words."""
    async for event in watch:
        if event.object.metadata.uid != before.pod.uid:
            continue
        if event.type == "DELETED":
            return event.received, "its pod is gone"
        status = status_of(event.object, before.container)
        if status is not None and has_ended(before, status):
            return event.received, how_it_ended(before, status)
    raise AssertionError("a watch that is open ends with an error only")


def expect_return(before: ContainerBefore, context: Context, *, sent: float, ended: float) -> None:
    """Let the scenario wait until the container runs again and is ready; times are on the loop's clock."""
    if before.restart_policy == "Never" or not context.settings.recovery_timeout_seconds:
        return
    last: list[str] = []

    def give_up() -> Outcome:
        within = f"within {context.settings.recovery_timeout_seconds:g} s"
        reason = f"it was not ready again {within}{last[-1] if last else ''}"
        context.emit(ProofMissing(subject=before.subject, reason=reason))
        seconds = asyncio.get_running_loop().time() - sent
        taken = MeasurementTaken(name="containerRestart", of=before.subject, seconds=seconds, is_lower_bound=True)
        context.emit(taken)
        return nothing_to_do(f"{before.subject} was ended: {reason}")

    work = _until_returned(before, context, sent=sent, ended=ended, last=last)
    context.scope.promise(work, name=f"return of {before.subject}", give_up=give_up)


async def _until_returned(
    before: ContainerBefore, context: Context, *, sent: float, ended: float, last: list[str]
) -> Outcome:
    async with watch_pod(before.pod, context.cluster) as watch:
        now = asyncio.get_running_loop().time()
        found = [pod for pod in watch.snapshot if pod.metadata.uid == before.pod.uid]
        if not found:
            return nothing_to_do(f"{before.subject} was ended: its pod went with it")
        if _has_returned(before, found[0], context, sent=sent, ended=ended, at=now, last=last):
            return PASSED
        async for event in watch:
            if event.object.metadata.uid != before.pod.uid:
                continue
            if event.type == "DELETED":
                return nothing_to_do(f"{before.subject} was ended: its pod went with it")
            if _has_returned(before, event.object, context, sent=sent, ended=ended, at=event.received, last=last):
                return PASSED
    return PASSED


def _has_returned(
    before: ContainerBefore, pod: Pod, context: Context, *, sent: float, ended: float, at: float, last: list[str]
) -> bool:
    status = status_of(pod, before.container)
    if status is None:
        return False
    if status.state.waiting and status.state.waiting.reason:
        last.append(f": {status.state.waiting.reason}")
    if status.state.running is None or not status.ready or status.container_id == before.id:
        return False
    context.emit(
        ContainerRestarted(
            pod=before.pod,
            container=before.container,
            ended_ms=(ended - sent) * 1000,
            ready_ms=(at - sent) * 1000,
            restarts=status.restart_count,
        )
    )
    context.emit(MeasurementTaken(name="containerRestart", of=before.subject, seconds=at - sent))
    context.emit(FaultCleared(subject=before.subject, proof=f"it is ready again; {_restarts(status.restart_count)}"))
    return True


def _restarts(count: int) -> str:
    return f"{count} restart{'' if count == 1 else 's'}"
