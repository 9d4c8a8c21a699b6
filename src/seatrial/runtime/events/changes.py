"""What else was changed: objects of the cluster, and who is alerted."""

from seatrial.runtime.events.event import Event


class ObjectApplied(Event, frozen=True, kw_only=True):
    """A manifest was applied; `created` tells whether its object was not there before."""

    kind: str
    namespace: str
    name: str
    created: bool


class ObjectDeleted(Event, frozen=True, kw_only=True):
    """An object was deleted and seen to be gone; `comes_back` tells whether clean-up makes it anew."""

    kind: str
    namespace: str
    name: str
    comes_back: bool


class AlertsMuted(Event, frozen=True, kw_only=True):
    """An Alertmanager keeps quiet about all alerts, for so many seconds at most; `silence` is the silence's id."""

    alertmanager: str
    silence: str
    seconds: float
