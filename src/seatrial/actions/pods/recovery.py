"""How long until a killed pod is replaced and its replacement Ready, measured from a watch opened before the kill.

Four moments are told apart, each in milliseconds since the kill was sent, each read from the watch's arrival time on
the monotonic clock: the pod gone, its replacement created, scheduled, running, Ready. Timestamps inside pods resolve
whole seconds only and come from other machines' clocks, so they are not used.

The same watch proves the fault from outside: the pod's UID is gone; and its end: a replacement is Ready. That Services
let go of the pod is seen by `endpoint_departures`.

Which new pod stands for which killed one is told by `replacements`.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack

from seatrial.actions.image_pulls import measure_pulls
from seatrial.actions.parallel import follow
from seatrial.actions.pods.controllers import is_replaced
from seatrial.actions.pods.endpoint_departures import EndpointWatch, track_endpoints
from seatrial.actions.pods.replacements import Replacements, Victim
from seatrial.errors import ClusterError
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.kube.watch import Watch, WatchEvent
from seatrial.runtime.context import Context
from seatrial.runtime.events import (
    Event,
    FaultCleared,
    FaultProven,
    MeasurementMissed,
    MeasurementTaken,
    PodRecovered,
    PodRef,
    ProofMissing,
    RecoveryMissed,
)
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import PASSED, Outcome, nothing_to_do
from seatrial.targets.permissions import Permission, missing_permissions
from seatrial.targets.pods import pod_ref


class RecoveryTracker:
    """Puts the events of pod watches together into recoveries; knows nothing of connections.

    Args:
        victims: what is about to be killed.
        emit: where recoveries and proofs go.
        replacements: what is known of the other kills of the scenario.
    """

    def __init__(
        self, victims: Iterable[Pod], *, emit: Callable[[Event], None], replacements: Replacements | None = None
    ) -> None:
        self._victims: dict[str, Victim] = {}
        self._leaving: dict[str, PodRef] = {}
        # One that was terminating before may be held by a finalizer: its end is told, and not waited for.
        self._awaited: set[str] = set()
        self._sent: dict[str, float] = {}
        self._before: set[str] = set()
        self._replacements = replacements or Replacements()
        self._emit = emit
        self._complete = asyncio.Event()
        self._is_over = False
        self._endpoints: EndpointWatch | None = None
        for pod in victims:
            self._leaving[pod.metadata.uid] = pod_ref(pod)
            if not pod.is_terminating:
                self._awaited.add(pod.metadata.uid)
            owner = pod.metadata.controller
            # A pod that is terminating has its replacement already.
            if owner and is_replaced(pod) and pod.metadata.deletion_timestamp is None:
                victim = Victim(pod_ref(pod), owner.uid, self._before)
                if self._replacements.add(victim):
                    self._victims[pod.metadata.uid] = victim

    def follow_endpoints(self, endpoints: EndpointWatch | None) -> None:
        """Let who watches the endpoints of these pods know of what becomes of them."""
        self._endpoints = endpoints
        for uid in self._leaving.keys() - self._victims.keys():
            if endpoints and endpoints.returns:
                endpoints.returns.expect_none(uid)

    def already_there(self, pods: Iterable[Pod]) -> None:
        """Pods that existed when the watch began: none of them is a replacement."""
        self._before.update(pod.metadata.uid for pod in pods)

    def kill_sent(self, uid: str, at: float) -> None:
        """The request to delete that pod is about to be sent."""
        self._sent[uid] = at
        if victim := self._victims.get(uid):
            victim.sent = at
        if self._endpoints and (ref := self._leaving.get(uid)):
            self._endpoints.kill_sent(ref, at)

    def kill_refused(self, uid: str) -> None:
        """That pod was not deleted yet, though it may be later: what was taken for its replacement is another's."""
        self._sent.pop(uid, None)
        if victim := self._victims.get(uid):
            victim.sent = None
            self._replacements.release(victim)

    def kill_failed(self, uid: str) -> None:
        """That pod was not deleted, so nothing will replace it."""
        self._leaving.pop(uid, None)
        self._sent.pop(uid, None)
        if victim := self._victims.pop(uid, None):
            self._replacements.forget(victim)
        self._check_complete()
        if self._endpoints:
            self._endpoints.kill_failed(uid)

    async def wait(self) -> None:
        """Wait until every killed pod is gone, and its replacement was Ready."""
        self._check_complete()
        await self._complete.wait()

    def give_up(self, *, at: float, when: str) -> list[tuple[PodRef, str]]:
        """The pods without a Ready replacement, and how far each came; what was measured of them is told.

        A pod that takes its time to go, but whose replacement is Ready, counts as recovered. `at` is the moment up to
        which it was looked, `when` says that in words.
        """
        if self._is_over:
            return []
        self._is_over = True
        for victim in self._victims.values():
            self._report(victim)
        missing = [victim for victim in self._victims.values() if not victim.reported]
        for victim in missing:
            self._emit(_missed(victim, at=at, when=when))
        told = {victim.ref.uid for victim in missing}
        for uid, ref in self._leaving.items():
            self._emit(ProofMissing(subject=f"pod {ref}", reason=f"it was not seen to be gone {when}"))
            if uid in self._sent and uid not in told:
                seconds = at - self._sent[uid]
                self._emit(MeasurementTaken(name="timeToGone", of=str(ref), seconds=seconds, is_lower_bound=True))
        return [(victim.ref, _how_far(victim)) for victim in missing]

    def recovered(self) -> list[PodRef]:
        """The replacements that were Ready."""
        return [pod_ref(each.replacement.pod) for each in self._victims.values() if each.reported and each.replacement]

    def feed(self, event: WatchEvent[Pod]) -> None:
        """Take in one event of a watch."""
        uid = event.object.metadata.uid
        if event.type == "DELETED":
            self._gone(uid, event.received)
            self._replacements.gone(uid)
            concerned = self._replacements.concerned(uid)
        elif replacement := self._replacements.take(event.object, event.received):
            concerned = replacement.victim.concerned
        else:
            return
        for victim in concerned:
            if victim.gone is not None and victim.ref.uid in self._victims:
                self._report(victim)

    def _gone(self, uid: str, at: float) -> None:
        if leaving := self._leaving.pop(uid, None):
            self._emit(FaultProven(subject=f"pod {leaving}", proof=f"the pod with its UID ({uid}) is gone"))
            self._check_complete()
        if victim := self._victims.get(uid):
            victim.gone = at
        elif leaving and uid in self._sent:
            self._emit(MeasurementTaken(name="timeToGone", of=str(leaving), seconds=at - self._sent[uid]))

    def _report(self, victim: Victim) -> None:
        replacement, sent = victim.replacement, victim.sent
        if victim.reported or replacement is None or replacement.ready is None or sent is None:
            return
        victim.reported = True

        def since(moment: float | None) -> float | None:
            return None if moment is None else (moment - sent) * 1000

        new = pod_ref(replacement.pod)
        self._emit(
            PodRecovered(
                pod=victim.ref,
                replacement=new,
                gone_ms=since(victim.gone),
                created_ms=(replacement.created - sent) * 1000,
                scheduled_ms=since(replacement.scheduled),
                running_ms=since(replacement.running),
                ready_ms=(replacement.ready - sent) * 1000,
            )
        )
        self._emit(FaultCleared(subject=f"pod {victim.ref}", proof=f"its replacement {new.name} is Ready"))
        if self._endpoints:
            self._endpoints.recovered(victim.ref, new)
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
    replacements = context.scope.shared.setdefault(Replacements, Replacements())
    tracker = RecoveryTracker(victims, emit=context.emit, replacements=replacements)
    namespaces = {pod.metadata.namespace for pod in victims}
    opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    context.scope.promise(
        _follow(tracker, namespaces, context, opened),
        name="recovery of killed pods",
        give_up=lambda: _give_up(tracker, when=f"within {context.settings.recovery_timeout_seconds:g} s"),
    )
    tracker.follow_endpoints(await track_endpoints(victims, context))
    try:
        await opened
    except ClusterError:
        for pod in victims:
            tracker.kill_failed(pod.metadata.uid)
        raise
    _say_who_is_not_replaced(victims, context)
    return tracker


def _say_who_is_not_replaced(victims: Sequence[Pod], context: Context) -> None:
    lost = [pod for pod in victims if not is_replaced(pod)]
    if lost:
        of = f"pod {pod_ref(lost[0])}" if len(lost) == 1 else f"{len(lost)} pods"
        jobs = any(owner.kind == "Job" for pod in lost if (owner := pod.metadata.controller))
        reason = "nothing replaces it for sure" if jobs else "nothing replaces it"
        context.emit(MeasurementMissed(name="timeToRecover", of=of, reason=reason))


async def _follow(
    tracker: RecoveryTracker, namespaces: Iterable[str], context: Context, opened: asyncio.Future[None]
) -> Outcome:
    watches: list[Watch[Pod]] = []
    async with AsyncExitStack() as stack:
        try:
            for namespace in namespaces:
                watch = context.cluster.watch(PODS, namespace=namespace, type=Pod)
                watches.append(await stack.enter_async_context(watch))
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
            until = min(watch.seen_until for watch in watches)
            return _give_up(tracker, when=f"before the pods could be watched no more ({error.message})", at=until)
        except asyncio.CancelledError:
            _give_up(tracker, when="when the scenario was stopped")
            raise
    await measure_pulls(tracker.recovered(), context)
    return PASSED


def _give_up(tracker: RecoveryTracker, *, when: str, at: float | None = None) -> Outcome:
    """Tell what was not seen; `when` says until when it was looked for."""
    missing = tracker.give_up(at=asyncio.get_running_loop().time() if at is None else at, when=when)
    if not missing:
        return PASSED
    (first, how_far), others = missing[0], len(missing) - 1
    more = f" (and {others} more killed pod{'s' * (others > 1)} without a Ready replacement)" if others else ""
    return nothing_to_do(f"{first} was killed: {how_far} {when}{more}")


def _missed(victim: Victim, *, at: float, when: str) -> RecoveryMissed:
    sent, replacement = victim.sent, victim.replacement

    def since(moment: float | None) -> float | None:
        return None if moment is None or sent is None else (moment - sent) * 1000

    return RecoveryMissed(
        pod=victim.ref,
        reason=f"{_how_far(victim)} {when}",
        waited_ms=since(at),
        gone_ms=since(victim.gone),
        created_ms=since(replacement.created) if replacement else None,
        scheduled_ms=since(replacement.scheduled) if replacement else None,
        running_ms=since(replacement.running) if replacement else None,
    )


def _how_far(victim: Victim) -> str:
    if victim.replacement is None:
        return "no replacement was created"
    return f"its replacement {victim.replacement.pod.metadata.name} was not Ready"
