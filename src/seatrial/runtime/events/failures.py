"""Failures that come of themselves: awaited, there, and counted at the end."""

from typing import Literal

from seatrial.runtime.events.event import Event


class FailureAwaited(Event, frozen=True, kw_only=True):
    """Something will fail in so many seconds, which is `life_seconds` of the cluster's life; None while nothing can.

    `note` says why nothing can.
    """

    seconds: float | None
    life_seconds: float | None
    note: str = ""


class FailureStruck(Event, frozen=True, kw_only=True):
    """Something fails, a whole zone where that is named: the scenario that a failure is begins.

    `number` counts failures from 1; `life_seconds` is how long the cluster has lived in the run.
    """

    number: int
    scenario: str
    kind: Literal["node", "pod"]
    units: tuple[str, ...]
    zone: str
    life_seconds: float


class FailuresCounted(Event, frozen=True, kw_only=True):
    """How often something failed in a run, and how often that was to be expected of what was there and for how long."""

    scenario: str
    kind: Literal["node", "pod"]
    mttf: str
    seen: int
    expected: float
    life_seconds: float
