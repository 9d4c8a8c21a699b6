"""Seeing that killed pods get no more traffic: their addresses leave the ready endpoints of the Services that had them.

Services send traffic to what their EndpointSlices list as ready, each endpoint with the UID of its pod; one that is
terminating is listed until it is gone, but not as ready (Kubernetes documentation, "EndpointSlices"). The watch is
opened before the kill, on the slices of those Services alone that select a victim. This is a proof beside others: it
never changes a verdict, and where it would cost much, because of many victims or Services, or isn't allowed, it is
left out and said.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack

import msgspec

from seatrial.actions.parallel import follow
from seatrial.actions.pods.controllers import is_replaced
from seatrial.actions.pods.endpoint_returns import EndpointReturns
from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.errors import Forbidden
from seatrial.kube.objects import EndpointSlice, Pod, Service
from seatrial.kube.resources import ENDPOINTSLICES, SERVICES
from seatrial.kube.selectors import LabelSelector
from seatrial.kube.watch import Watch, WatchEvent
from seatrial.runtime.context import Context
from seatrial.runtime.events import Event, FaultProven, PodRef, ProofMissing
from seatrial.runtime.verdict import PASSED, Outcome
from seatrial.targets.pods import pod_ref

MOST_VICTIMS = 20
"""Of more pods than that, nobody follows the endpoints."""

_MOST_SERVICES = 10
_SERVICE_LABEL = "kubernetes.io/service-name"

Behind = tuple[str, str]
"""A Service, by its namespace and name."""


class EndpointDepartures:
    """Puts the events of EndpointSlice watches together; knows nothing of connections."""

    def __init__(self, victims: Iterable[Pod], *, emit: Callable[[Event], None]) -> None:
        self._victims = {pod.metadata.uid: pod_ref(pod) for pod in victims}
        self._slices: dict[str, tuple[Behind, dict[str, str]]] = {}
        self._awaited: set[tuple[str, Behind]] = set()
        self._sent: dict[str, float] = {}
        self._emit = emit
        self._complete = asyncio.Event()
        self.returns: EndpointReturns | None = None

    def already_there(self, slices: Iterable[EndpointSlice]) -> None:
        """The slices as they were when the watch began: what of the victims stands there has to go."""
        for each in slices:
            behind, endpoints = _parts(each)
            self._slices[each.metadata.uid] = behind, endpoints
            self._awaited |= {(uid, behind) for uid in endpoints if uid in self._victims}

    def kill_sent(self, uid: str, at: float) -> None:
        """The request to delete that pod is about to be sent."""
        self._sent[uid] = at

    def kill_failed(self, uid: str) -> None:
        """That pod was not deleted: its endpoints may stay."""
        self._awaited = {each for each in self._awaited if each[0] != uid}
        self._check_complete()

    def feed(self, event: WatchEvent[EndpointSlice]) -> None:
        """Take in one event of a watch."""
        uid = event.object.metadata.uid
        _, before = self._slices.pop(uid, (None, {}))
        behind, after = _parts(event.object)
        if event.type != "DELETED":
            self._slices[uid] = behind, after
            if self.returns:
                for pod in after.keys() - before.keys():
                    self.returns.endpoint_ready(pod, behind, event.received)
        for victim in [pod for pod in before if (pod, behind) in self._awaited]:
            if not self._stands(victim, behind):
                self._departed(victim, behind, address=before[victim], at=event.received)
        self._check_complete()

    async def wait(self) -> None:
        """Wait until no victim is an endpoint any more."""
        self._check_complete()
        await self._complete.wait()

    def behind(self) -> dict[str, list[Behind]]:
        """The Services that each victim is a ready endpoint of, by its UID."""
        found: dict[str, list[Behind]] = {}
        for uid, service in sorted(self._awaited):
            found.setdefault(uid, []).append(service)
        return found

    def forget(self) -> None:
        """Nobody looks any more."""
        self._awaited.clear()

    def still_there(self) -> list[tuple[PodRef, str]]:
        """The pods that are endpoints yet, and of which Service."""
        return [(self._victims[uid], "/".join(behind)) for uid, behind in sorted(self._awaited)]

    def _stands(self, victim: str, service: Behind) -> bool:
        # A Service has several slices, and an endpoint may move from one to the other.
        return any(behind == service and victim in endpoints for behind, endpoints in self._slices.values())

    def _departed(self, victim: str, service: Behind, *, address: str, at: float) -> None:
        self._awaited.discard((victim, service))
        if (sent := self._sent.get(victim)) is None:
            return  # it went before we did anything
        proof = f"{address} left the ready endpoints of Service {'/'.join(service)} after {at - sent:.3g} s"
        self._emit(FaultProven(subject=f"pod {self._victims[victim]}", proof=proof))

    def _check_complete(self) -> None:
        if not self._awaited:
            self._complete.set()


class EndpointWatch(msgspec.Struct, frozen=True):
    """What is read from the endpoints of pods that are about to go: that they leave, and that others take their place.

    `returns` is None where none of them is an endpoint.
    """

    departures: EndpointDepartures
    returns: EndpointReturns | None = None

    def kill_sent(self, victim: PodRef, at: float) -> None:
        """The request to delete that pod is about to be sent."""
        self.departures.kill_sent(victim.uid, at)
        if self.returns:
            self.returns.kill_sent(victim, at)

    def kill_failed(self, uid: str) -> None:
        """That pod was not deleted."""
        self.departures.kill_failed(uid)
        if self.returns:
            self.returns.expect_none(uid)

    def recovered(self, victim: PodRef, replacement: PodRef) -> None:
        """That pod is gone, and another stands for it."""
        if self.returns:
            self.returns.recovered(victim, replacement)

    async def wait(self) -> None:
        """Wait until all have left, and others stand in their places."""
        await self.departures.wait()
        if self.returns:
            await self.returns.wait()

    def give_up(self, context: Context, *, when: str, at: float) -> Outcome:
        """Tell what was not seen; `when` says until when it was looked for. It never changes a verdict."""
        if self.returns:
            self.returns.give_up(at=at)
        for pod, service in self.departures.still_there():
            context.emit(ProofMissing(subject=f"pod {pod}", reason=f"it did not leave Service {service} {when}"))
        self.departures.forget()
        return PASSED


async def track_endpoints(victims: Sequence[Pod], context: Context) -> EndpointWatch | None:
    """Watch the endpoints of pods that are about to go, and let the scenario wait until others stand in their places.

    None where no Service selects one of them, or nobody looks; why nobody does is published.
    """
    if len(victims) > MOST_VICTIMS:
        _leave_out(f"endpoints are followed of at most {MOST_VICTIMS} pods", victims, context)
        return None
    try:
        services = await _services_of(victims, context.cluster)
    except ClusterError as error:
        _leave_out(_reason(error), victims, context)
        return None
    if len(services) > _MOST_SERVICES:
        _leave_out(f"{len(services)} Services select them, and {_MOST_SERVICES} are followed", victims, context)
        return None
    if not services:
        return None
    opened: asyncio.Future[EndpointWatch | str] = asyncio.get_running_loop().create_future()
    context.scope.promise(
        _follow(victims, services, context, opened),
        name="endpoints of killed pods",
        give_up=lambda: _give_up(opened, context),
    )
    watch = await opened
    if isinstance(watch, str):
        _leave_out(watch, victims, context)
        return None
    return watch


async def _services_of(victims: Sequence[Pod], cluster: Client) -> list[Behind]:
    found = []
    for namespace in sorted({pod.metadata.namespace for pod in victims}):
        labels = [pod.metadata.labels for pod in victims if pod.metadata.namespace == namespace]
        services = await cluster.list(SERVICES, namespace=namespace, type=Service)
        found += [(namespace, each.metadata.name) for each in services.items if _selects(each, labels)]
    return found


def _selects(service: Service, several_labels: Iterable[dict[str, str] | None]) -> bool:
    if not service.spec.selector:
        return False
    selector = LabelSelector.from_labels(service.spec.selector)
    return any(selector.matches(labels) for labels in several_labels)


async def _follow(
    victims: Sequence[Pod],
    services: Sequence[Behind],
    context: Context,
    opened: "asyncio.Future[EndpointWatch | str]",
) -> Outcome:
    departures = EndpointDepartures(victims, emit=context.emit)
    async with AsyncExitStack() as stack:
        try:
            watches = [
                await stack.enter_async_context(_watch(namespace, services, context.cluster))
                for namespace in sorted({namespace for namespace, _ in services})
            ]
        except ClusterError as error:
            opened.set_result(_reason(error))
            return PASSED
        except BaseException:
            opened.cancel()
            raise
        for watch in watches:
            departures.already_there(watch.snapshot)
        behind = {uid: found for uid, found in departures.behind().items() if uid in _replaced(victims)}
        returns = EndpointReturns(behind, sightings=context.scope.sightings, emit=context.emit) if behind else None
        departures.returns = returns
        watching = EndpointWatch(departures, returns)
        opened.set_result(watching)
        try:
            await follow(watches, departures.feed, until=watching.wait)
        except ClusterError as error:
            until = min(each.seen_until for each in watches)
            when = f"before its slices could be watched no more ({error.message})"
            return watching.give_up(context, when=when, at=until)
        except asyncio.CancelledError:
            watching.give_up(context, when="when the scenario was stopped", at=asyncio.get_running_loop().time())
            raise
    return PASSED


def _replaced(victims: Iterable[Pod]) -> set[str]:
    """Those that something replaces, by their UIDs."""
    return {pod.metadata.uid for pod in victims if is_replaced(pod) and not pod.is_terminating}


def _give_up(opened: "asyncio.Future[EndpointWatch | str]", context: Context) -> Outcome:
    watching = opened.result() if opened.done() and not opened.cancelled() else ""
    if isinstance(watching, str):
        return PASSED
    when = f"within {context.settings.recovery_timeout_seconds:g} s"
    return watching.give_up(context, when=when, at=asyncio.get_running_loop().time())


def _watch(namespace: str, services: Sequence[Behind], cluster: Client) -> Watch[EndpointSlice]:
    names = ",".join(name for at, name in services if at == namespace)
    selector = f"{_SERVICE_LABEL} in ({names})"
    return cluster.watch(ENDPOINTSLICES, namespace=namespace, label_selector=selector, type=EndpointSlice)


def _parts(each: EndpointSlice) -> tuple[Behind, dict[str, str]]:
    """The Service of a slice, and the addresses of its ready pods by their UIDs; where it isn't said they are."""
    service = (each.metadata.labels or {}).get(_SERVICE_LABEL, "")
    endpoints = {
        endpoint.target_ref.uid: endpoint.addresses[0]
        for endpoint in each.endpoints or ()
        if endpoint.conditions.ready is not False
        and endpoint.target_ref is not None
        and endpoint.target_ref.kind == "Pod"
        and endpoint.addresses
    }
    return (each.metadata.namespace, service), endpoints


def _leave_out(reason: str, victims: Sequence[Pod], context: Context) -> None:
    whose = f"pod {pod_ref(victims[0])}" if len(victims) == 1 else f"{len(victims)} pods"
    context.emit(ProofMissing(subject=f"the endpoints of {whose}", reason=reason))


def _reason(error: ClusterError) -> str:
    allowed = "this user may not read Services and EndpointSlices there"
    return allowed if isinstance(error, Forbidden) else error.message
