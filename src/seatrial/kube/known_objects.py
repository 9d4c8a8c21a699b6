"""What a watch knows: the last state of every object, and so what a fresh list or a repeated event really changes.

Versions are compared as whole numbers where they are ones, which Kubernetes' documentation ("API Concepts",
"Resource versions") allows within one resource; other texts are only compared for being equal.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from seatrial.kube.reduction import Reduced

T = TypeVar("T")
ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]

_MOST_REMEMBERED = 10_000


class Change(NamedTuple, Generic[T]):
    """What happened to an object."""

    type: ChangeType
    object: T


class KnownObjects(Generic[T]):
    """The objects of a collection as far as they have been told to the reader."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, T]] = {}
        # An object that left a selector may come back: only events up to its deletion are repetitions.
        self._deleted: OrderedDict[str, str] = OrderedDict()

    def begin_with(self, objects: list[T]) -> None:
        """Take a list as the truth before anything else is known."""
        self._known = {key: (version, item) for item in objects for key, version in [_identity(item)]}

    def apply_list(self, objects: list[T], resource_version: str) -> list[Change[T]]:
        """Take a list as the truth: what changed against what was known, deletions first."""
        found = {key: (version, item) for item in objects for key, version in [_identity(item)]}
        gone = [(key, item) for key, (_, item) in self._known.items() if key not in found]
        for key, _ in gone:
            self._remember_deleted(key, resource_version)
        changes = [Change[T]("DELETED", item) for _, item in gone]
        changes.extend(self._differences(found))
        self._known = found
        return changes

    def apply_event(self, event_type: str, item: T) -> Change[T] | None:
        """Take an event of the stream; None if it tells nothing that wasn't told already."""
        key, version = _identity(item)
        known = self._known.get(key)
        if event_type == "DELETED":
            if known is None or _is_older(version, known[0]):
                return None
            del self._known[key]
            self._remember_deleted(key, version)
            return Change("DELETED", item)
        last = known[0] if known else self._deleted.get(key)
        if last is not None and (version == last or _is_older(version, last)):
            return None
        self._known[key] = (version, item)
        return Change("MODIFIED" if known else "ADDED", item)

    def _differences(self, found: Mapping[str, tuple[str, T]]) -> Iterator[Change[T]]:
        for key, (version, item) in found.items():
            known = self._known.get(key)
            if known is None:
                yield Change("ADDED", item)
            elif known[0] != version:
                yield Change("MODIFIED", item)

    def _remember_deleted(self, key: str, version: str) -> None:
        self._deleted[key] = version
        self._deleted.move_to_end(key)
        if len(self._deleted) > _MOST_REMEMBERED:
            self._deleted.popitem(last=False)


def resource_version_of(item: Any) -> str:
    """The resourceVersion of a decoded object."""
    return _identity(item)[1]


def _identity(item: Any) -> tuple[str, str]:
    """Key and version of an object, be it a dictionary, a structure of `objects` or what is kept of one."""
    if isinstance(item, Reduced):
        return (item.uid or f"{item.namespace}/{item.name}", item.version)
    if isinstance(item, dict):
        meta = item.get("metadata", {})
        key = meta.get("uid") or f"{meta.get('namespace', '')}/{meta.get('name', '')}"
        return (key, meta.get("resourceVersion", ""))
    meta = item.metadata
    return (meta.uid or f"{meta.namespace}/{meta.name}", meta.resource_version)


def _is_older(version: str, other: str) -> bool:
    if version.isdecimal() and other.isdecimal():
        return int(version) < int(other)
    return False
