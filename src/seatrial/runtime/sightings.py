"""What the parts of a scenario let each other know while it runs: which Services were asked, which pods were hit.

A probe doesn't know of kills, nor a kill of probes; but how long a Service took to answer again after a kill is only
to be told with both. Moments are of the event loop's clock.
"""

from collections.abc import Callable, Sequence

import msgspec

Service = tuple[str, str]
"""A Service, by its namespace and name."""


class ServiceLook(msgspec.Struct, frozen=True, kw_only=True):
    """A probe asked a Service: whether that passed, and from when to when it took."""

    service: Service
    ok: bool
    began: float
    ended: float


class PodHit(msgspec.Struct, frozen=True, kw_only=True):
    """A pod was killed, and when the request for that was sent."""

    namespace: str
    name: str
    at: float


class Sightings:
    """What was seen in a scenario so far, and who wants to hear of what is seen next."""

    def __init__(self) -> None:
        self._hits: list[PodHit] = []
        self._in_background: set[Service] = set()
        self._listeners: list[Callable[[ServiceLook], None]] = []
        self._told: set[tuple[str, str]] = set()

    @property
    def pods_hit(self) -> Sequence[PodHit]:
        """The pods that were killed, in order."""
        return self._hits

    def pod_hit(self, namespace: str, name: str, *, at: float) -> None:
        """Remember that a pod was killed."""
        self._hits.append(PodHit(namespace=namespace, name=name, at=at))

    def service_asked(self, look: ServiceLook, *, in_background: bool) -> None:
        """Tell who listens that a Service was asked; `in_background` by a probe that goes on asking."""
        if in_background:
            self._in_background.add(look.service)
        for listener in self._listeners:
            listener(look)

    def is_asked_on_and_on(self, service: Service) -> bool:
        """Whether a probe asks that Service all through the scenario."""
        return service in self._in_background

    def listen(self, listener: Callable[[ServiceLook], None]) -> None:
        """Hear of every look at a Service from here on; the listener returns at once and raises nothing."""
        self._listeners.append(listener)

    def is_new(self, topic: str, what: str) -> bool:
        """Whether that is asked for the first time: what several parts find is told by one of them."""
        is_new = (topic, what) not in self._told
        self._told.add((topic, what))
        return is_new
