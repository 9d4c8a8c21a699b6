"""Turns the store's changes into the events that one watch sees.

An object that begins to match a selector is ADDED, one that stops is DELETED with its old content and the new
resourceVersion, as Kubernetes does it. See "Efficient detection of changes" in the Kubernetes API concepts.
"""

from typing import NamedTuple

from seatrial.sandbox.api import EventType, Object
from seatrial.sandbox.apiserver.selectors import Selector
from seatrial.sandbox.apiserver.store import Change, Record


class Event(NamedTuple):
    """One event of one watch."""

    type: EventType
    record: Record


def event_of(change: Change, namespace: str | None, selector: Selector) -> Event | None:
    """What a watch with this scope sees of a change; None for nothing."""
    if namespace and change.record.namespace != namespace:
        return None
    if selector.everything:
        return Event(change.type, change.record)
    before = change.previous is not None and selector.matches(change.previous.object)
    if change.type == "DELETED":
        return Event("DELETED", change.record) if before else None
    after = selector.matches(change.record.object)
    if after:
        return Event("MODIFIED" if before else "ADDED", change.record)
    if before and change.previous is not None:
        return Event("DELETED", with_revision(change.previous.object, change.revision))
    return None


def with_revision(obj: Object, revision: int) -> Record:
    """An object under another resourceVersion."""
    return Record({**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}, revision)
