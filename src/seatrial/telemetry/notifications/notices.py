"""What events mean to a person who is told of them: notices, each with all that somebody needs who was just woken."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec

from seatrial.policy.notifications import Occasion
from seatrial.policy.wording import counted
from seatrial.runtime.events import (
    ObjectiveJudged,
    ObjectiveStatus,
    PolicyRejected,
    Record,
    RunFinished,
    RunHalted,
    RunStarted,
    ScenarioFinished,
    ScheduleMissed,
    UndoFailed,
)
from seatrial.runtime.verdict import Verdict
from seatrial.slo.budget import burns_fast

Severity = Literal["critical", "warning", "info"]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody is told.

    `subject` is what it is about, so that reminders of one thing can be told apart from those of others; a `reminder`
    says what was said before. `time` is that of the event, in seconds of Unix time with its ISO form beside it.
    """

    occasion: Occasion
    severity: Severity
    subject: str
    title: str
    text: str
    time: str
    sequence: int
    scenario: str = ""
    round: int = 0
    reasons: tuple[str, ...] = ()
    manual: str = ""
    objective: dict[str, Any] | None = None
    reminder: bool = False


class Notices:
    """Makes notices of a run's records; it remembers which objectives are violated, and which budgets burn."""

    def __init__(self, run: RunStarted | None = None) -> None:
        self.run = run
        self._violated: set[str] = set()
        self._burning: set[str] = set()

    def of(self, record: Record) -> Iterator[Notice]:
        """What a record says to a person; mostly nothing."""
        match record.event:
            case RunStarted() as started:
                self.run = started
                yield _notice(record, "started", "info", "run", f"Run {started.run_id} of {started.policy} started")
            case ObjectiveJudged() as judged:
                yield from self._objective(record, judged)
            case UndoFailed() as undo:
                title = f"Clean-up failed: {undo.description}"
                text = f"{undo.error}\nBy hand: {undo.manual}" if undo.manual else undo.error
                made = _notice(record, "cleanUpFailed", "critical", f"undo {undo.description}", title, text)
                yield msgspec.structs.replace(made, manual=undo.manual)
            case ScenarioFinished(verdict=Verdict.FAILED) as done:
                yield _of_scenario(record, done, "failed", "warning")
            case ScenarioFinished(verdict=Verdict.INCONCLUSIVE) as done:
                yield _of_scenario(record, done, "inconclusive", "info")
            case _:
                yield from _of_the_run(record)

    def _objective(self, record: Record, judged: ObjectiveJudged) -> Iterator[Notice]:
        """Told at a transition: what `previous` says counts where this process has not seen the objective yet."""
        where = record.where
        subject = f"{where.scenario}: {judged.objective}"
        was_violated = subject in self._violated or judged.previous is ObjectiveStatus.VIOLATED
        told = _objective_notices(record, judged, subject)
        if judged.status is ObjectiveStatus.VIOLATED:
            self._violated.add(subject)
            yield msgspec.structs.replace(told("violated", "critical", "Violated"), reminder=was_violated)
        elif judged.status is ObjectiveStatus.MET:
            self._violated.discard(subject)
            if was_violated:
                yield told("recovered", "info", "Met again")
        burns = judged.budget is not None and burns_fast(judged.budget)
        if burns:
            reminder = subject in self._burning
            yield msgspec.structs.replace(told("burning", "warning", "Error budget burns"), reminder=reminder)
        (self._burning.add if burns else self._burning.discard)(subject)


def _of_the_run(record: Record) -> Iterator[Notice]:
    match record.event:
        case PolicyRejected(policy=policy, problems=problems):
            text = "\n".join(("the last good one holds", *problems))
            title = f"The changed policy {policy} can't be used"
            yield _notice(record, "policyRejected", "warning", "policy", title, text)
        case ScheduleMissed() as missed:
            text = f"{missed.reason}; the first was {missed.first.isoformat()}"
            title = f"{counted(missed.times, 'time')} of the schedule passed without a round"
            yield _notice(record, "scheduleMissed", "warning", "schedule", title, text)
        case RunHalted() as halted:
            text = f"by {halted.by} since {halted.since}: {halted.reason}"
            yield _notice(record, "halted", "warning", "run", "Experiments were halted", text)
        case RunFinished() as done:
            text = "\n".join((f"{counted(done.rounds, 'round')}, exit code {done.exit_code}", *done.reasons))
            severity: Severity = "warning" if done.verdict is Verdict.FAILED else "info"
            made = _notice(record, "finished", severity, "run", f"Run finished: {done.verdict}", text)
            yield msgspec.structs.replace(made, reasons=done.reasons)


def _objective_notices(
    record: Record, judged: ObjectiveJudged, subject: str
) -> Callable[[Occasion, Severity, str], Notice]:
    def make(occasion: Occasion, severity: Severity, what: str) -> Notice:
        text = "\n".join((judged.text, *judged.warnings))
        made = _notice(record, occasion, severity, subject, f"{what}: {subject}", text)
        return msgspec.structs.replace(made, objective=_numbers(judged))

    return make


def _numbers(judged: ObjectiveJudged) -> dict[str, Any]:
    budget = judged.budget
    return {
        "name": judged.objective,
        "status": str(judged.status),
        "previous": str(judged.previous) if judged.previous else None,
        "measurement": judged.measurement,
        "limit": judged.limit,
        "unit": judged.unit,
        "confidence": judged.confidence,
        "window": judged.window,
        "samples": judged.samples,
        "estimate": judged.estimate,
        "lower": judged.lower,
        "upper": judged.upper,
        "more_needed": judged.more_needed,
        "budget_left": budget.left if budget else None,
        "burn_rates": dict(budget.burn_rates) if budget else {},
        "warnings": list(judged.warnings),
    }


def _of_scenario(record: Record, done: ScenarioFinished, occasion: Occasion, severity: Severity) -> Notice:
    title = f"Scenario {'failed' if occasion == 'failed' else 'inconclusive'}: {done.name}"
    made = _notice(record, occasion, severity, done.name, title, "\n".join(done.reasons))
    return msgspec.structs.replace(made, reasons=done.reasons)


def _notice(record: Record, occasion: Occasion, severity: Severity, subject: str, title: str, text: str = "") -> Notice:
    return Notice(
        occasion=occasion,
        severity=severity,
        subject=subject,
        title=title,
        text=text,
        time=record.time.isoformat(),
        sequence=record.sequence,
        scenario=record.where.scenario,
        round=record.where.round,
    )
