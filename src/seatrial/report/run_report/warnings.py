"""What a reader of a report should know beside the verdict, in the words of the account."""

from collections import Counter

from seatrial.policy.wording import counted
from seatrial.report.account import Account
from seatrial.runtime.events import (
    ChangesKept,
    EarlierRunFound,
    Event,
    ExperimentAborted,
    GuardrailHeld,
    HaltUnreadable,
    MachineStopFailed,
    MeasurementMissed,
    MoveMissed,
    ObjectiveJudged,
    PolicyRejected,
    PolicyReloaded,
    Record,
    RecoveryMissed,
    ReplacementForeseen,
    RunHalted,
    ScheduleMissed,
    StopRequested,
)

_MOST = 100
_OTHERS = "others"
_KINDS: tuple[type[Event], ...] = (
    ChangesKept,
    EarlierRunFound,
    ExperimentAborted,
    GuardrailHeld,
    HaltUnreadable,
    MachineStopFailed,
    MeasurementMissed,
    MoveMissed,
    PolicyRejected,
    PolicyReloaded,
    RecoveryMissed,
    ReplacementForeseen,
    RunHalted,
    ScheduleMissed,
    StopRequested,
)


class WarningCollector:
    """Keeps each warning once, with how often it was told."""

    def __init__(self) -> None:
        self._told: Counter[str] = Counter()
        self._of_objectives: dict[tuple[str, str], tuple[str, ...]] = {}

    def add(self, record: Record) -> None:
        """Take in one event."""
        event = record.event
        if isinstance(event, ObjectiveJudged):
            self._of_objectives[record.where.scenario, event.objective] = event.warnings
        if not isinstance(event, _KINDS) or (isinstance(event, StopRequested) and not event.hurry):
            return  # that a run was stopped is a reason of its verdict; in a hurry, clean-up may have been cut short
        lines = Account().lines(record)
        if lines:
            first, *others = lines
            text = " ".join([": ".join(filter(None, (first.label, first.text))), *(each.text for each in others)])
            self._told[text if text in self._told or len(self._told) < _MOST else _OTHERS] += 1

    def told(self) -> tuple[str, ...]:
        """The warnings, in the order in which they came; those of objectives as they were told last."""
        objectives = [
            f"{scenario}: {objective}: {warning}"
            for (scenario, objective), warnings in self._of_objectives.items()
            for warning in warnings
        ]
        return (*(_often(text, times) for text, times in self._told.items()), *objectives)


def _often(text: str, times: int) -> str:
    if text == _OTHERS:
        return f"{counted(times, 'warning')} more"
    return text if times == 1 else f"{text} ({times} times)"
