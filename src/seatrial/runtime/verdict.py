"""What was learned: passed, failed, or inconclusive, worked out here and nowhere else.

An experiment *failed* when the system under test did not do what the policy expects of it. It is *inconclusive* when
it could not show either: nothing matched, the API refused, a measurement did not come. Inconclusive is never passed.
"""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """The three verdicts, from the worst to the best."""

    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    PASSED = "passed"


_SEVERITY = {Verdict.PASSED: 0, Verdict.INCONCLUSIVE: 1, Verdict.FAILED: 2}


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one step, action or measurement came to.

    `ends_scenario` tells whether the steps after it still make sense: always true of a failure; true of an
    inconclusive one where the step could not be carried out, false where it had nothing to do.
    """

    verdict: Verdict
    reasons: tuple[str, ...] = ()
    ends_scenario: bool = False

    @property
    def passed(self) -> bool:
        """Whether it passed."""
        return self.verdict is Verdict.PASSED


PASSED = Outcome(verdict=Verdict.PASSED)


def failed(reason: str) -> Outcome:
    """The system did not do what was expected of it."""
    return Outcome(verdict=Verdict.FAILED, reasons=(reason,), ends_scenario=True)


def nothing_to_do(reason: str) -> Outcome:
    """There was nothing to act on; the steps that follow still run."""
    return Outcome(verdict=Verdict.INCONCLUSIVE, reasons=(reason,))


def not_carried_out(reason: str) -> Outcome:
    """It could not be done or observed; the steps that follow would show nothing."""
    return Outcome(verdict=Verdict.INCONCLUSIVE, reasons=(reason,), ends_scenario=True)


def combine(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst verdict of all, with the reasons of every outcome that didn't pass."""
    collected = list(outcomes)
    worst = max((outcome.verdict for outcome in collected), key=_SEVERITY.__getitem__, default=Verdict.PASSED)
    return Outcome(
        verdict=worst,
        reasons=tuple(dict.fromkeys(reason for outcome in collected for reason in outcome.reasons)),
        ends_scenario=any(outcome.ends_scenario for outcome in collected),
    )


class Tally:
    """The outcomes of a run so far; its size doesn't grow with their number."""

    _MOST_REASONS = 50

    def __init__(self) -> None:
        self.counts: Counter[Verdict] = Counter()
        self._reasons: dict[str, None] = {}

    def add(self, outcome: Outcome) -> None:
        """Count one more outcome."""
        self.counts[outcome.verdict] += 1
        for reason in outcome.reasons:
            if len(self._reasons) < self._MOST_REASONS:
                self._reasons[reason] = None

    @property
    def verdict(self) -> Verdict:
        """The worst verdict; inconclusive when there is none."""
        return max(self.counts, key=_SEVERITY.__getitem__, default=Verdict.INCONCLUSIVE)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it didn't pass, each reason once."""
        return tuple(self._reasons)


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole run came to, and the exit code that says so.

    The codes: 0 all passed, 1 something failed, 3 inconclusive, 4 clean-up incomplete, 130 interrupted (after
    clean-up). An incomplete clean-up outweighs all the others, since somebody has to act on it.
    """

    verdict: Verdict
    reasons: tuple[str, ...] = ()
    undo_failures: tuple[str, ...] = ()
    interrupted: bool = False
    rounds: int = 0

    @property
    def exit_code(self) -> int:
        """The process's exit code."""
        if self.undo_failures:
            return 4
        if self.interrupted:
            return 130
        return {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.INCONCLUSIVE: 3}[self.verdict]
