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

    def __str__(self) -> str:
        during = " during clean-up" if self.phase is Phase.CLEAN_UP else ""
        which = f" {self.change}" if self.change > 1 else ""
        return f"{self.kind}{during}, {self.moment} change{which}"


SIGNALS = (Kind.SIGINT, Kind.SIGTERM, Kind.SIGKILL)
OUTAGES = (Kind.ERROR_500, Kind.ERROR_429, Kind.HANGING, Kind.GONE)
_AT_THE_CHANGE = (Kind.EXCEPTION, Kind.DELETED, Kind.CHANGED, Kind.DISK_FULL, Kind.TWO_AT_ONCE)


def faults(*, changes: int = 1, undone: bool = True) -> list[Fault]:
    """Every column for a case whose experiment makes so many changes, and whose clean-up makes some or none."""
    kinds = (*SIGNALS, *OUTAGES)
    return [
        *(Fault(kind, moment) for kind in (*kinds, *_AT_THE_CHANGE) for moment in Moment),
        *(Fault(kind, moment, Phase.CLEAN_UP) for kind in kinds for moment in Moment if undone),
        # Where there is more than one change: death between them.
        *(Fault(Kind.SIGKILL, moment, change=number) for number in range(2, changes + 1) for moment in Moment),
    ]


def faults_of_a_machine() -> list[Fault]:
    """The columns for what takes seconds and can't be done twice at once: death, and what may hold it up."""
    return [
        *(Fault(Kind.SIGKILL, moment) for moment in Moment),
        *(Fault(kind, Moment.DURING) for kind in (Kind.SIGTERM, Kind.ERROR_500, Kind.GONE)),
        *(Fault(Kind.SIGKILL, moment, Phase.CLEAN_UP) for moment in Moment),
        *(Fault(kind, Moment.DURING, Phase.CLEAN_UP) for kind in (Kind.HANGING, Kind.GONE)),
    ]
