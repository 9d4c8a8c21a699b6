"""The mark that stops every experiment on a cluster, as a run sees it.

A run is handed a `HaltSwitch` and asks it before each action. Who reads the mark from the cluster, and ends a run in
the middle of an action, is `engine.halt`.
"""

from typing import Protocol


class HaltSwitch(Protocol):
    """Whether experiments may act."""

    async def check(self) -> None:
        """Return when they may.

        Raises:
            Halted: they may not; the message says why and since when.
        """
        ...


class NeverHalted:
    """For plans, which change nothing, and for tests."""

    async def check(self) -> None:
        """They may."""
