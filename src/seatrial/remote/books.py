"""What an executor makes in the cluster to get to machines, and who answers for it.

An executor that needs objects there (`node_shell`: a pod on each node) is handed the books of the run: each object is
written down in the journal before it is made, so that clean-up finds it also when this process is gone.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import msgspec

Object = dict[str, Any]
StrikeOut = Callable[[], Awaitable[None]]
"""Takes an entry back: the object was certainly not made."""


class Books(msgspec.Struct, frozen=True):
    """The books of a run.

    `labels` are those that all of its objects carry; `write_down` is to be awaited before an object is made; in the
    `protected` namespaces none may be made.
    """

    run_id: str
    labels: Mapping[str, str]
    write_down: Callable[[Object], Awaitable[StrikeOut]]
    protected: frozenset[str] = frozenset()


@runtime_checkable
class KeepsBooks(Protocol):
    """An executor that makes objects, or stands for one that may."""

    def keep_books(self, books: Books) -> None:
        """Write down there what is made from here on."""
        ...
