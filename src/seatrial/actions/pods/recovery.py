"""How long until a killed pod is replaced and its replacement Ready, measured from a watch opened before the kill.

Four moments are told apart, each in milliseconds since the kill was sent, each read from the watch's arrival time on
the monotonic clock: the pod gone, its replacement created, scheduled, running, Ready. Timestamps inside pods resolve
whole seconds only and come from other machines' clocks, so they are not used.

The same watch proves the fault from outside: the pod's UID is gone; and its end: a replacement is Ready. That Services
let go of the pod is seen by `endpoint_departures`.

A replacement is a pod that the watch had not shown before, of the same controller; the first new one belongs to the pod
of that controller that was killed first.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack

import msgspec

from seatrial.actions.parallel import follow
from seatrial.actions.pods.endpoint_departures import EndpointDepartures, track_endpoints
from seatrial.errors import ClusterError
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.kube.watch import WatchEvent
from seatrial.runtime.context import Context
from seatrial.runtime.events import (
    Event,
    FaultCleared,
    FaultProven,
    PodRecovered,
    PodRef,
    ProofMissing,
    RecoveryMissed,
)
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import PASSED, Outcome, nothing_to_do
from seatrial.targets.permissions import Permission, missing_permissions
from seatrial.targets.pods import pod_ref

REPLACING_KINDS = frozenset({"ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController"})
"""Controllers that replace a pod whenever one is missing (a Job does so only while it isn't complete)."""


def is_replaced(pod: Pod) -> bool:
    """Whether the pod's controller replaces it, so that a recovery can be measured."""
    owner = pod.metadata.controller
    return owner is not None and owner.kind in REPLACING_KINDS


class _Replacement(msgspec.Struct):
    pod: Pod
    created: float
    scheduled: float | None = None
    running: float | None = None
    ready: float | None = None


class _Victim(msgspec.Struct):
    ref: PodRef
    owner_uid: str
    sent: float | None = None
    gone: float | None = None
    replacement: _Replacement | None = None
    reported: bool = False


class RecoveryTracker:
    """Puts the events of pod watches together into recoveries; knows nothing of connections."""

    def __init__(self, victims: Iterable[Pod], *, emit: Callable[[Event], None]) -> None:
        self._victims: dict[str, _Victim] = {}
        self._leaving: dict[str, PodRef] = {}
        # One that was terminating before may be held by a finalizer: its end is told, and not waited for.
        self._awaited: set[str] = set()
        self._known: set[str] = set()
        self._emit = emit
        self._complete = asyncio.Event()
        self.endpoints: EndpointDepartures | None = None
        for pod in victims:
            self._leaving[pod.metadata.uid] = pod_ref(pod)
            if not pod.is_terminating:
                self._awaited.add(pod.metadata.uid)
            owner = pod.metadata.controller
            # A pod that is terminating has its replacement already.
            if owner and is_replaced(pod) and pod.metadata.deletion_timestamp is None:
                self._victims[pod.metadata.uid] = _Victim(pod_ref(pod), owner.uid)

    def already_there(self, pods: Iterable[Pod]) -> None:
        """Pods that existed when the watch began: none of them is a replacement."""
        self._known.update(pod.metadata.uid for pod in pods)

    def kill_sent(self, uid: str, at: float) -> None:
        """The request to delete that pod is about to be sent."""
        if victim := self._victims.get(uid):
            victim.sent = at
        if self.endpoints:
            self.endpoints.kill_sent(uid, at)

    def kill_refused(self, uid: str) -> None:
        """That pod was not deleted yet, though it may be later: what was taken for its replacement is another's."""
        if victim := self._victims.get(uid):
            victim.sent = None
            if victim.replacement:
                self._known.discard(victim.replacement.pod.metadata.uid)
                victim.replacement = None

    def kill_failed(self, uid: str) -> None:
        """That pod was not deleted, so nothing will replace it."""
        self._leaving.pop(uid, None)
        self._victims.pop(uid, None)
        self._check_complete()
        if self.endpoints:
            self.endpoints.kill_failed(uid)

    async def wait(self) -> None:
        """Wait until every killed pod is gone, and its replacement was Ready."""
        self._check_complete()
        await self._complete.wait()

    def give_up(self) -> list[tuple[PodRef, str]]:
        """The pods without a Ready replacement, and how far each came.

        A pod that takes its time to go, but whose replacement is Ready, counts as recovered.
        """
        for victim in self._victims.values():
            self._report(victim)
        return [(victim.ref, _how_far(victim)) for victim in self._victims.values() if not victim.reported]

    def still_there(self) -> list[PodRef]:
        """The pods that are not seen to be gone."""
        return list(self._leaving.values())

    def feed(self, event: WatchEvent[Pod]) -> None:
        """Take in one event of a watch."""
        uid = event.object.metadata.uid
        if event.type == "DELETED":
            self._gone(uid, event.received)
        elif victim := self._victim_for(event.object, event.received):
            self._progress(victim, event.object, event.received)

    def _victim_for(self, pod: Pod, at: float) -> _Victim | None:
        uid, owner = pod.metadata.uid, pod.metadata.controller
        if owner is None or uid in self._victims:
            return None
        waiting = [victim for victim in self._victims.values() if victim.owner_uid == owner.uid]
        for victim in waiting:
            if victim.replacement and victim.replacement.pod.metadata.uid == uid:
                return victim
        if uid in self._known:
            return None
        self._known.add(uid)
        free = (victim for victim in waiting if victim.replacement is None and victim.sent is not None)
        first = min(free, key=lambda each: each.sent or 0, default=None)
        if first is not None:
            first.replacement = _Replacement(pod, created=at)
        return first

    def _progress(self, victim: _Victim, pod: Pod, at: float) -> None:
        replacement = victim.replacement
        if replacement is None or victim.reported:
            return
        replacement.pod = pod
        if replacement.scheduled is None and pod.spec.node_name:
            replacement.scheduled = at
        if replacement.running is None and pod.status.phase == "Running":
            replacement.running = at
        if replacement.ready is None and pod.is_ready:
            replacement.ready = at
        if victim.gone is not None:
            self._report(victim)

    def _gone(self, uid: str, at: float) -> None:
        if leaving := self._leaving.pop(uid, None):
            self._emit(FaultProven(subject=f"pod {leaving}", proof=f"the pod with its UID ({uid}) is gone"))
            self._check_complete()
        if victim := self._victims.get(uid):
            victim.gone = at
            self._report(victim)
            return
        for victim in self._victims.values():
            if not victim.reported and victim.replacement and victim.replacement.pod.metadata.uid == uid:
                victim.replacement = None

    def _report(self, victim: _Victim) -> None:
        replacement, sent = victim.replacement, victim.sent
        if victim.reported or replacement is None or replacement.ready is None or sent is None:
            return
        victim.reported = True

        def since(moment: float | None) -> float | None:
            return None if moment is None else (moment - sent) * 1000

        self._emit(
            PodRecovered(
                pod=victim.ref,
                replacement=pod_ref(replacement.pod),
                gone_ms=since(victim.gone),
                created_ms=(replacement.created - sent) * 1000,
                scheduled_ms=since(replacement.scheduled),
                running_ms=since(replacement.running),
                ready_ms=(replacement.ready - sent) * 1000,
            )
        )
        proof = f"its replacement {replacement.pod.metadata.name} is Ready"
        self._emit(FaultCleared(subject=f"pod {victim.ref}", proof=proof))
        self._check_complete()

    def _check_complete(self) -> None:
        if self._awaited.isdisjoint(self._leaving) and all(victim.reported for victim in self._victims.values()):
            self._complete.set()


async def plan_tracking(pods: Iterable[Pod], context: Context) -> ActionPlan:
    """What a plan has to say about following the pods: whether that is allowed, where it is asked for."""
    if not context.settings.recovery_timeout_seconds:
        return ActionPlan()
    missing = await missing_permissions(pods, context.cluster, needed=(Permission("watch"),))
    return ActionPlan(missing_permissions=missing)


async def track_recovery(pods: Iterable[Pod], context: Context) -> RecoveryTracker:
    """Open the watches, and let the scenario wait for the recoveries of `pods`; call before the first kill.

    Raises:
        ClusterError: the watch could not be opened; nothing was changed.
    """
    victims = list(pods)
    tracker = RecoveryTracker(victims, emit=context.emit)
    namespaces = {pod.metadata.namespace for pod in victims}
    opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    context.scope.promise(
        _follow(tracker, namespaces, context, opened),
        name="recovery of killed pods",
        give_up=lambda: _give_up(tracker, context, when=f"within {context.settings.recovery_timeout_seconds:g} s"),
    )
    tracker.endpoints = await track_endpoints(victims, context)
    try:
        await opened
    except ClusterError:
        for pod in victims:
            tracker.kill_failed(pod.metadata.uid)
        raise
    return tracker


async def _follow(
    tracker: RecoveryTracker, namespaces: Iterable[str], context: Context, opened: asyncio.Future[None]
) -> Outcome:
    async with AsyncExitStack() as stack:
        try:
            watches = [
                await stack.enter_async_context(context.cluster.watch(PODS, namespace=namespace, type=Pod))
                for namespace in namespaces
            ]
        except ClusterError as error:
            opened.set_exception(error)  # the kill that waits for it says it
            return PASSED
        except BaseException:
            opened.cancel()
            raise
        for watch in watches:
            tracker.already_there(watch.snapshot)
        opened.set_result(None)
        try:
            await follow(watches, tracker.feed, until=tracker.wait)
        except ClusterError as error:
            return _give_up(tracker, context, when=f"before the pods could be watched no more ({error.message})")
    return PASSED


def _give_up(tracker: RecoveryTracker, context: Context, *, when: str) -> Outcome:
    """Tell what was not seen; `when` says until when it was looked for."""
    missing = tracker.give_up()
    for pod in tracker.still_there():
        context.emit(ProofMissing(subject=f"pod {pod}", reason=f"it was not seen to be gone {when}"))
    if not missing:
        return PASSED
    for pod, how_far in missing:
        context.emit(RecoveryMissed(pod=pod, reason=f"{how_far} {when}"))
    (first, how_far), others = missing[0], len(missing) - 1
    more = f" (and {others} more killed pod{'s' * (others > 1)} without a Ready replacement)" if others else ""
    return nothing_to_do(f"{first} was killed: {how_far} {when}{more}")


def _how_far(victim: _Victim) -> str:
    if victim.replacement is None:
        return "no replacement was created"
    return f"its replacement {victim.replacement.pod.metadata.name} was not Ready"
