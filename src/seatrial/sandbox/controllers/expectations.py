"""What a controller has ordered and not yet seen happen.

An informer is always a little behind. A controller that has just created three pods and looks again before the
watch has told it would create three more. So it writes down what to expect, and acts on an object again only when
all of it was observed, or has been outstanding for so long that something must have been lost.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

_LOST_AFTER_SECONDS: Final = 300.0


@dataclass
class _Outstanding:
    creations: int = 0
    deletions: set[str] = field(default_factory=set)
    since: float = 0.0


class Expectations:
    """Outstanding creations and deletions, by the key of the object that ordered them."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[str, str], _Outstanding] = {}

    def expect_creations(self, key: tuple[str, str], count: int) -> None:
        """So many objects are about to be created."""
        outstanding = self._of(key)
        outstanding.creations += count

    def expect_deletion(self, key: tuple[str, str], uid: str) -> None:
        """The object with this UID is about to be deleted."""
        outstanding = self._of(key)
        outstanding.deletions.add(uid)

    def creation_observed(self, key: tuple[str, str], count: int = 1) -> None:
        """So many were seen, or will never be, since their creation failed."""
        outstanding = self._by_key.get(key)
        if outstanding is not None:
            outstanding.creations = max(0, outstanding.creations - count)

    def deletion_observed(self, key: tuple[str, str], uid: str) -> None:
        """Its end was seen, or will never be, since its deletion failed."""
        outstanding = self._by_key.get(key)
        if outstanding is not None:
            outstanding.deletions.discard(uid)

    def satisfied(self, key: tuple[str, str]) -> bool:
        """Nothing is outstanding, or it has been for too long."""
        outstanding = self._by_key.get(key)
        if outstanding is None or not (outstanding.creations or outstanding.deletions):
            return True
        return asyncio.get_running_loop().time() - outstanding.since > _LOST_AFTER_SECONDS

    def forget(self, key: tuple[str, str]) -> None:
        """The object is gone."""
        self._by_key.pop(key, None)

    def _of(self, key: tuple[str, str]) -> _Outstanding:
        outstanding = self._by_key.setdefault(key, _Outstanding())
        outstanding.since = asyncio.get_running_loop().time()
        return outstanding
