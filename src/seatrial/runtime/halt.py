"""The mark that stops every experiment on a cluster, as a run sees it.

A run is handed a `HaltSwitch` and asks it before each action. Who reads the mark from the cluster, and ends a run in
the middle of an action, is `engine.halt`.
"""

from typing import Protocol

import msgspec

from seatrial.errors import Halted


class HaltMark(msgspec.Struct, frozen=True, kw_only=True):
    """Who halted all experiments on a cluster, when (ISO 8601) and why, as far as the mark says."""

    by: str = ""
    since: str = ""
    reason: str = ""

    def __str__(self) -> str:
        return halt_in_words(by=self.by, reason=self.reason, since=self.since)


class HaltSwitch(Protocol):
    """Whether experiments may act."""

    async def check(self) -> None:
        """Return when they may.

        Raises:
            Halted: they may not; the message says why and since when.
            ClusterError: it can't be seen whether they may, for a reason that may pass.
        """
        ...


class NeverHalted:
    """For plans, which change nothing, and for tests."""

    async def check(self) -> None:
        """They may."""


def halt_in_words(*, by: str, reason: str, since: str) -> str:
    """What the mark says, as messages have it."""
    when = f" since {since}" if since else ""
    return f"halted by {by or 'somebody'}{when}: {reason or 'no reason given'}"


def halted(mark: HaltMark) -> Halted:
    """The error that ends a run."""
    return Halted(str(mark), hint="when the reason is gone: seatrial resume")
