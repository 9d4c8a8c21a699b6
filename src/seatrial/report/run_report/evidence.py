"""The evidence of a run: faults proven to have happened and to be gone, and what could not be proven."""

from collections import Counter
from typing import Literal

from seatrial.report.run_report.model import EvidenceTold, Proof
from seatrial.runtime.events import FaultCleared, FaultProven, ProofMissing, Record

_MOST_LATEST = 60

Kind = Literal["proven", "cleared", "missing"]


class EvidenceCollector:
    """Counts all proofs; keeps those told last in words, missing ones before others."""

    def __init__(self) -> None:
        self._counts: Counter[Kind] = Counter()
        self._told: dict[tuple[Kind, str, str], Proof] = {}

    def add(self, record: Record) -> None:
        """Take in one event."""
        match record.event:
            case FaultProven(subject=subject, proof=proof):
                self._add("proven", subject, proof, record.where.round)
            case FaultCleared(subject=subject, proof=proof):
                self._add("cleared", subject, proof, record.where.round)
            case ProofMissing(subject=subject, reason=reason):
                self._add("missing", subject, reason, record.where.round)

    def _add(self, kind: Kind, subject: str, text: str, round_number: int) -> None:
        self._counts[kind] += 1
        key = (kind, subject, text)
        earlier = self._told.pop(key, None)
        times = earlier.times + 1 if earlier else 1
        self._told[key] = Proof(kind=kind, subject=subject, text=text, times=times, round=round_number)
        if len(self._told) > 2 * _MOST_LATEST:
            self._told = {(each.kind, each.subject, each.text): each for each in self._latest()}

    def _latest(self) -> list[Proof]:
        """In the order in which they were told."""
        told = list(self._told.values())
        missing = [each for each in told if each.kind == "missing"][-_MOST_LATEST:]
        others = [each for each in told if each.kind != "missing"]
        room = _MOST_LATEST - len(missing)
        kept = {id(each) for each in [*missing, *(others[-room:] if room else [])]}
        return [each for each in told if id(each) in kept]

    def told(self) -> EvidenceTold:
        """What there is."""
        return EvidenceTold(
            proven=self._counts["proven"],
            cleared=self._counts["cleared"],
            missing=self._counts["missing"],
            latest=tuple(self._latest()),
        )
