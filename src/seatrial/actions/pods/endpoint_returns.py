"""How long until what replaces a killed pod serves.

That is until it is a ready endpoint of the Services that the pod was behind (`timeToEndpoint`), and until a probe that
asks such a Service all along passes with it there (`timeToServe`). A Service with more pods answers all the while, so
the first answer that counts is that to a request which began when the replacement could have got it. What does not
come in time is a lower bound.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping

import msgspec

from seatrial.runtime.events import Event, MeasurementTaken, PodRef
from seatrial.runtime.sightings import Service, ServiceLook, Sightings


class _Expected(msgspec.Struct):
    """The return of one pod to one Service, and how far it is; moments are of the loop's clock."""

    victim: PodRef
    service: Service
    sent: float
    replacement: str = ""
    is_endpoint: bool = False
    endpoint: float = 0.0


class EndpointReturns:
    """Puts endpoints, recoveries and probes together; knows nothing of connections.

    Args:
        behind: the Services that each pod which is about to be killed is behind, by its UID.
        sightings: where the probes of the scenario tell what they saw.
        emit: where measurements go.
    """

    def __init__(
        self, behind: Mapping[str, Iterable[Service]], *, sightings: Sightings, emit: Callable[[Event], None]
    ) -> None:
        self._behind = {uid: set(services) for uid, services in behind.items()}
        self._sightings = sightings
        self._emit = emit
        self._first_ready: dict[tuple[str, Service], float] = {}
        self._expected: list[_Expected] = []
        self._complete = asyncio.Event()
        sightings.listen(self._asked)
        self._check_complete()

    def kill_sent(self, victim: PodRef, at: float) -> None:
        """The request to delete that pod is about to be sent: what it was behind has to get another."""
        self._expected = [each for each in self._expected if each.victim.uid != victim.uid]
        services = self._behind.get(victim.uid, ())
        self._expected += [_Expected(victim=victim, service=each, sent=at) for each in services]

    def expect_none(self, uid: str) -> None:
        """That pod was not killed, or nothing replaces it."""
        self._behind.pop(uid, None)
        self._expected = [each for each in self._expected if each.victim.uid != uid]
        self._check_complete()

    def recovered(self, victim: PodRef, replacement: PodRef) -> None:
        """That is what stands for it."""
        self._behind.pop(victim.uid, None)
        for each in [each for each in self._expected if each.victim.uid == victim.uid]:
            each.replacement = replacement.uid
            self._look(each)
        self._check_complete()

    def endpoint_ready(self, pod_uid: str, service: Service, at: float) -> None:
        """A pod is a ready endpoint of a Service."""
        self._first_ready.setdefault((pod_uid, service), at)
        for each in [each for each in self._expected if each.replacement == pod_uid and each.service == service]:
            self._look(each)

    async def wait(self) -> None:
        """Wait until all that is expected has come."""
        await self._complete.wait()

    def give_up(self, *, at: float) -> None:
        """What has not come by then takes longer."""
        for each in self._expected:
            if not each.is_endpoint:
                self._tell("timeToEndpoint", each, at, is_lower_bound=True)
            if self._sightings.is_asked_on_and_on(each.service):
                self._tell("timeToServe", each, at, is_lower_bound=True)
        self._expected.clear()

    def _look(self, each: _Expected) -> None:
        at = self._first_ready.get((each.replacement, each.service))
        if at is None or each.is_endpoint:
            return
        each.is_endpoint, each.endpoint = True, at
        self._tell("timeToEndpoint", each, at)
        if not self._sightings.is_asked_on_and_on(each.service):
            self._expected.remove(each)
            self._check_complete()

    def _asked(self, look: ServiceLook) -> None:
        for each in list(self._expected):
            if look.ok and each.service == look.service and each.is_endpoint and look.began >= each.endpoint:
                self._tell("timeToServe", each, look.ended)
                self._expected.remove(each)
        self._check_complete()

    def _tell(self, name: str, each: _Expected, at: float, *, is_lower_bound: bool = False) -> None:
        of = f"pod {each.victim} in Service {'/'.join(each.service)}"
        seconds = max(0.0, at - each.sent)
        self._emit(MeasurementTaken(name=name, of=of, seconds=seconds, is_lower_bound=is_lower_bound))

    def _check_complete(self) -> None:
        if not self._expected and not self._behind:
            self._complete.set()
