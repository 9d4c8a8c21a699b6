"""What is kept of an Event of Kubernetes: what a component tells about an object, and how often it did.

Two generations of writers fill an Event differently. The older one counts in `count`, with `firstTimestamp` and
`lastTimestamp`; the one of `events.k8s.io` leaves these empty and has `eventTime` and `series` instead. Both are read
through the core API, which serves either. Source: Kubernetes API reference, "Event v1 core", "Event v1 events.k8s.io".
"""

import sys
from datetime import datetime
from typing import Any, ClassVar, Self

import msgspec

from seatrial.kube.objects import ObjectMeta, ObjectReference
from seatrial.kube.reduction import Reduced


class _Series(msgspec.Struct, frozen=True, rename="camel"):
    count: int = 0
    last_observed_time: datetime | None = None


class _Source(msgspec.Struct, frozen=True):
    component: str = ""
    host: str = ""


class _Event(msgspec.Struct, frozen=True, rename="camel"):
    metadata: ObjectMeta
    involved_object: ObjectReference = msgspec.field(default_factory=ObjectReference)
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int | None = None
    first_timestamp: datetime | None = None
    last_timestamp: datetime | None = None
    event_time: datetime | None = None
    series: _Series | None = None
    source: _Source | None = None
    reporting_component: str = ""


class LiveEvent(Reduced, frozen=True, kw_only=True, gc=False):
    """An Event; `count` is how often it was seen between `first` and `last`, `about` the object that it is about."""

    whole: ClassVar[Any] = _Event

    type: str
    """Normal or Warning."""
    reason: str
    message: str
    about_kind: str
    about_namespace: str
    about: str
    component: str
    count: int
    first: datetime | None
    last: datetime | None

    @classmethod
    def of(cls, whole: _Event) -> Self:
        """What is kept of an Event."""
        meta, about, series = whole.metadata, whole.involved_object, whole.series
        first = whole.first_timestamp or whole.event_time or meta.creation_timestamp
        observed = series.last_observed_time if series else None
        return cls(
            namespace=sys.intern(meta.namespace),
            name=meta.name,
            uid=meta.uid,
            version=meta.resource_version,
            type=sys.intern(whole.type),
            reason=sys.intern(whole.reason),
            message=whole.message,
            about_kind=sys.intern(about.kind),
            about_namespace=sys.intern(about.namespace),
            about=about.name,
            component=sys.intern(whole.reporting_component or (whole.source.component if whole.source else "")),
            count=(series.count if series else 0) or whole.count or 1,
            first=first,
            last=observed or whole.last_timestamp or first,
        )
