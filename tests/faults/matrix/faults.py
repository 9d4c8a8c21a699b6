"""What goes wrong, and when: the columns of the matrix.

A fault strikes at one request that changes something: before the API server gets it, after it took effect and before
its answer is sent, or after the answer.
"""

from dataclasses import dataclass
from enum import StrEnum


class Moment(StrEnum):
    """When a fault strikes, seen from the request it is meant for."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


class Phase(StrEnum):
    """Which requests count: those of the experiment, or those of its clean-up."""

    ACTION = "action"
    CLEAN_UP = "clean-up"


class Kind(StrEnum):
    """What goes wrong."""

    SIGINT = "SIGINT"
    SIGTERM = "SIGTERM"
    SIGKILL = "SIGKILL"
    EXCEPTION = "exception inside the step"
    ERROR_500 = "API server answers 500"
    ERROR_429 = "API server answers 429"
    HANGING = "API server hangs"
    GONE = "API server is gone"
    DELETED = "object deleted by somebody else"
    CHANGED = "object changed by somebody else"
    DISK_FULL = "journal's disk full"
    TWO_AT_ONCE = "two Seatrials at once"


@dataclass(frozen=True, slots=True)
class Fault:
    """One column: what, when, in which phase, and at which change (counted from 1) of it."""

    kind: Kind
    moment: Moment
    phase: Phase = Phase.ACTION
    change: int = 1
    is_long: bool = False
    """An outage of 20 seconds, with the deadlines that Seatrial has by itself."""

    def __str__(self) -> str:
        during = " during clean-up" if self.phase is Phase.CLEAN_UP else ""
        which = f" {self.change}" if self.change > 1 else ""
        return f"{self.kind}{self.length}{during}, {self.moment} change{which}"

    @property
    def length(self) -> str:
        """How long an outage is, in words; empty for a short one."""
        return f" for {LONG_OUTAGE_SECONDS:g} s" if self.is_long else ""


LONG_OUTAGE_SECONDS = 20.0
SIGNALS = (Kind.SIGINT, Kind.SIGTERM, Kind.SIGKILL)
OUTAGES = (Kind.ERROR_500, Kind.ERROR_429, Kind.HANGING, Kind.GONE)
_AT_THE_CHANGE = (Kind.EXCEPTION, Kind.DELETED, Kind.CHANGED, Kind.DISK_FULL, Kind.TWO_AT_ONCE)


def faults(*, changes: int = 1, undone: bool = True, long: bool = False) -> list[Fault]:
    """Every column for a case whose experiment makes so many changes, and whose clean-up makes some or none."""
    kinds = (*SIGNALS, *OUTAGES)
    phases = (Phase.ACTION, Phase.CLEAN_UP) if undone else (Phase.ACTION,)
    return [
        *(Fault(kind, moment) for kind in (*kinds, *_AT_THE_CHANGE) for moment in Moment),
        *(Fault(kind, moment, Phase.CLEAN_UP) for kind in kinds for moment in Moment if undone),
        # Where there is more than one change: death between them.
        *(Fault(Kind.SIGKILL, moment, change=number) for number in range(2, changes + 1) for moment in Moment),
        *(
            Fault(kind, moment, phase, is_long=True)
            for kind in OUTAGES
            for phase in phases
            for moment in Moment
            if long
        ),
    ]
