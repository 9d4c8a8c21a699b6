"""Proof from outside that a fault happened, and that it is gone."""

from seatrial.runtime.events.event import Event


class FaultProven(Event, frozen=True, kw_only=True):
    """Proof that a fault happened: what was seen from outside, not what was asked for."""

    subject: str
    proof: str


class FaultCleared(Event, frozen=True, kw_only=True):
    """Proof that a fault is gone."""

    subject: str
    proof: str


class ProofMissing(Event, frozen=True, kw_only=True):
    """A fault, or its end, could not be proven, and why."""

    subject: str
    reason: str
