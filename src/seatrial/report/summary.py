"""What a run came to, counted from its events: the closing summary and its JSON form.

Its size doesn't grow with the length of the run: it keeps counts, the latest victims, and a bounded window of recovery
times.
"""

from collections import Counter, deque
from typing import Any

import msgspec

from seatrial.report.durations import distribution, duration, spread
from seatrial.report.failures import count_as_json, count_line
from seatrial.report.faults import FaultFigures
from seatrial.report.mesh import MeshSummary
from seatrial.report.objectives import ObjectiveBoard
from seatrial.report.told import ToldFigures
from seatrial.runtime.events import (
    ContainerSignalled,
    Event,
    ExperimentAborted,
    FailuresCounted,
    MachineStopped,
    MeshSampled,
    PodEvicted,
    PodKilled,
    PodKillSkipped,
    PodRecovered,
    PodSpared,
    ProbeSampled,
    Record,
    RecoveryMissed,
    RunFinished,
    RunStarted,
    ScenarioFinished,
    ScenarioStarted,
    SteadyStateSampled,
    TargetsChosen,
    UndoDone,
    UndoFailed,
    UndoWritten,
)
from seatrial.runtime.verdict import Verdict

_LATEST = 1000
_SHOWN_VICTIMS = 10
_OTHER_REASONS = "other reasons"


class SteadySummary(msgspec.Struct):
    """What the samples of one probe of a steady state came to, in all rounds."""

    samples: int = 0
    failed: int = 0
    unseen: int = 0
    longest_outage_s: float = 0.0

    def add(self, sampled: SteadyStateSampled) -> None:
        """Take in one more round."""
        self.samples += sampled.samples
        self.failed += sampled.failed
        self.unseen += sampled.unseen
        self.longest_outage_s = max(self.longest_outage_s, sampled.longest_outage_seconds)


class Summary:
    """A listener that keeps the figures of a run."""

    def __init__(self) -> None:
        self.started: RunStarted | None = None
        self.finished: RunFinished | None = None
        self.matched = 0
        self.chosen = 0
        self.killed = 0
        self.not_killed: Counter[str] = Counter()
        self.victims: deque[str] = deque(maxlen=_LATEST)
        self.recoveries: deque[PodRecovered] = deque(maxlen=_LATEST)
        self.recovered = 0
        self.missed: deque[RecoveryMissed] = deque(maxlen=_LATEST)
        self.not_recovered = 0
        self.probes: Counter[bool] = Counter()
        self.mesh = MeshSummary()
        self.faults = FaultFigures()
        self.scenarios: dict[str, Counter[Verdict]] = {}
        self.failures: list[FailuresCounted] = []
        self.steady_state: dict[tuple[str, str], SteadySummary] = {}
        self.aborts: deque[str] = deque(maxlen=_LATEST)
        self.objectives = ObjectiveBoard()
        self.told = ToldFigures()
        self.undone = 0
        self.left_as_they_are: deque[str] = deque(maxlen=_LATEST)
        self.undo_failures: deque[UndoFailed] = deque(maxlen=_LATEST)
        self._choice = (0, 0)
        self._first_kill: float | None = None
        self.has_changed = False

    def __call__(self, record: Record) -> None:
        """Take in one event."""
        self._look_for_change(record.event)
        self.objectives(record)
        match record.event:
            case RunStarted() as event:
                self.started = event
            case RunFinished() as event:
                self.finished = event
            case ScenarioFinished(name=name, verdict=verdict):
                self.scenarios.setdefault(name, Counter())[verdict] += 1
            case FailuresCounted() as event:
                self.failures.append(event)
            case MeshSampled() as event:
                since = None if self._first_kill is None else record.monotonic - self._first_kill
                self.mesh.add(event, since_kill_s=since, changed=self.has_changed)
            case ProbeSampled(ok=ok):
                self.probes[ok] += not is_background(record)
            case SteadyStateSampled() | ExperimentAborted() as event:
                self._steadiness(event, record.where.scenario)
            case UndoDone() | UndoFailed() as event:
                self._undo(event)
            case TargetsChosen(pods=pods, matched=matched):
                self._choice = (matched, len(pods))
            case event:
                self._pods(event, record.monotonic)
                self.faults.add(event)
                self.told.add(event)

    def _look_for_change(self, event: Event) -> None:
        """Each scenario begins with a world that it has not changed."""
        match event:
            case ScenarioStarted():
                self.has_changed = False
                self._first_kill = None
            case UndoWritten() | PodKilled() | PodEvicted() | ContainerSignalled() | MachineStopped():
                self.has_changed = True

    def _undo(self, event: UndoDone | UndoFailed) -> None:
        if isinstance(event, UndoFailed):
            self.undo_failures.append(event)
            return
        self.undone += 1
        if event.note:
            self.left_as_they_are.append(f"{event.description}: {event.note}")

    def _steadiness(self, event: SteadyStateSampled | ExperimentAborted, scenario: str) -> None:
        if isinstance(event, ExperimentAborted):
            self.aborts.append(f"{scenario}: {event.condition}: {event.reason}")
        else:
            self.steady_state.setdefault((scenario, event.probe), SteadySummary()).add(event)

    def _pods(self, event: object, at: float) -> None:
        match event:
            case PodKilled(pod=pod):
                self._count_choice()
                self.killed += 1
                self.victims.append(str(pod))
                self._first_kill = at if self._first_kill is None else self._first_kill
            case PodKillSkipped(reason=reason) | PodSpared(reason=reason):
                self._count_choice()
                # A reason may name its pod, and pods come and go for as long as the run lasts.
                is_listed = reason in self.not_killed or len(self.not_killed) < _LATEST
                self.not_killed[reason if is_listed else _OTHER_REASONS] += 1
            case PodRecovered() as recovery:
                self.recovered += 1
                self.recoveries.append(recovery)
            case RecoveryMissed() as missed:
                self.not_recovered += 1
                self.missed.append(missed)

    def _count_choice(self) -> None:
        """Count what the step matched and chose, once it turns out to be one that disrupts."""
        matched, chosen = self._choice
        self.matched += matched
        self.chosen += chosen
        self._choice = (0, 0)

    def as_json(self) -> dict[str, Any]:
        """The summary as `--output json` prints it; times in milliseconds."""
        started, finished = self.started, self.finished
        return {
            "run": started.run_id if started else None,
            "policy": started.policy if started else None,
            "seed": started.seed if started else None,
            "server": started.server if started else None,
            "verdict": finished.verdict if finished else None,
            "reasons": list(finished.reasons) if finished else [],
            "exitCode": finished.exit_code if finished else None,
            "rounds": finished.rounds if finished else 0,
            "durationMs": round(finished.duration_ms, 1) if finished else None,
            "scenarios": [
                {"name": name, **{str(verdict): counts[verdict] for verdict in Verdict}}
                for name, counts in self.scenarios.items()
            ],
            "failures": [count_as_json(each) for each in self.failures],
            "pods": {
                "matched": self.matched,
                "chosen": self.chosen,
                "killed": self.killed,
                "victims": list(self.victims),
                "notKilled": dict(self.not_killed),
            },
            "recovery": {
                "recovered": self.recovered,
                "missed": [f"{each.pod}: {each.reason}" for each in self.missed],
                **{name: distribution(self._times(name)) for name in RECOVERY_MOMENTS},
            },
            **self.faults.as_json(),
            "mesh": self.mesh.as_json(),
            "probes": {"ok": self.probes[True], "failed": self.probes[False]},
            "steadyState": [
                {
                    "scenario": scenario,
                    "probe": probe,
                    "samples": each.samples,
                    "failed": each.failed,
                    "unseen": each.unseen,
                    "longestOutageMs": round(each.longest_outage_s * 1000, 1),
                }
                for (scenario, probe), each in self.steady_state.items()
            ],
            "aborted": list(self.aborts),
            "objectives": self.objectives.as_json(),
            "notifications": self.told.as_json(),
            "undo": {
                "done": self.undone,
                "left": list(self.left_as_they_are),
                "failed": [
                    {"what": each.description, "error": each.error, "manual": each.manual}
                    for each in self.undo_failures
                ],
            },
        }

    def _times(self, moment: str) -> list[float]:
        values = (getattr(each, f"{moment}_ms") for each in self.recoveries)
        return [value for value in values if value is not None]

    def lines(self) -> list[tuple[str, str]]:
        """The summary for people: a heading and what it says, a row each."""
        rows = self.objectives.lines()
        rows += [("failures", count_line(each)) for each in self.failures]
        if self.matched or self.killed or self.not_killed:
            rows.append(("pods", self._pods_line()))
        if self.recovered or self.missed:
            rows.append(("recovery", self._recovery_line()))
        rows += self.faults.lines()
        if self.mesh.samples:
            rows.append(("peers", self.mesh.line()))
        if self.probes.total():
            rows.append(("probes", f"{self.probes[True]} answered as expected, {self.probes[False]} did not"))
        rows += [("steady", self._steady_line(*key)) for key in self.steady_state]
        rows += [("aborted", each) for each in self.aborts]
        if self.undone or self.undo_failures:
            rows.append(("clean-up", self._undo_line()))
        rows += [("left", each) for each in self.left_as_they_are]
        return rows + self.told.lines()

    def _steady_line(self, scenario: str, probe: str) -> str:
        figures = self.steady_state[scenario, probe]
        line = f"{scenario}, {probe}: {figures.failed} of {figures.samples} samples failed"
        if figures.failed:
            line += f", for {duration(figures.longest_outage_s * 1000)} at the longest"
        return line + (f", {figures.unseen} could not be taken" if figures.unseen else "")

    def _undo_line(self) -> str:
        done = f"{self.undone} change{'' if self.undone == 1 else 's'} undone"
        return f"{done}, {len(self.undo_failures)} could NOT be" if self.undo_failures else done

    def _pods_line(self) -> str:
        line = f"{self.matched} matched, {self.chosen} chosen, {self.killed} killed"
        if self.victims:
            shown = list(self.victims)[-_SHOWN_VICTIMS:]
            more = f" and {self.killed - len(shown)} more" if self.killed > len(shown) else ""
            line += f": {', '.join(shown)}{more}"
        skipped = self.not_killed.total()
        return line + (f" ({skipped} not killed)" if skipped else "")

    def _recovery_line(self) -> str:
        parts = []
        for moment, words in RECOVERY_MOMENTS.items():
            if times := self._times(moment):
                parts.append(f"{words} after {spread(times)}")
        missed = f"; {self.not_recovered} not recovered in time" if self.not_recovered else ""
        return ("; ".join(parts) or "none seen") + missed


def is_background(record: Record) -> bool:
    """Whether a record belongs to what is sampled through a scenario, beside its steps."""
    return bool(record.where.scenario) and record.where.step is None


RECOVERY_MOMENTS = {
    "gone": "gone",
    "created": "replaced",
    "scheduled": "scheduled",
    "running": "running",
    "ready": "Ready",
}
"""The moments of a recovery, in order, and the words for them."""
