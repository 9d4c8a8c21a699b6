"""What a run came to, counted from its events: the closing summary and its JSON form.

Its size doesn't grow with the length of the run: it keeps counts, the latest victims, and a bounded window of recovery
times.
"""

import statistics
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from seatrial.runtime.events import (
    ExperimentAborted,
    MeshSampled,
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
    SteadyStateSampled,
    TargetsChosen,
    UndoDone,
    UndoFailed,
)
from seatrial.runtime.verdict import Verdict

_LATEST = 1000
_SHOWN_VICTIMS = 10


@dataclass(slots=True)
class MeshSummary:
    """What goldpinger's instances saw of each other; times in seconds since the first kill."""

    samples: int = 0
    with_failed_calls: int = 0
    # Looks in which no call failed, but fewer instances took part than in an earlier one.
    with_fewer_instances: int = 0
    most_instances: int = 0
    unanswered: int = 0
    fewest_ok: tuple[int, int] | None = None
    failed_pairs: Counter[str] = field(default_factory=Counter)
    first_degraded_s: float | None = None
    last_degraded_s: float | None = None
    whole_at_end: bool | None = None


@dataclass(slots=True)
class SteadySummary:
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
        self.probes: Counter[bool] = Counter()
        self.mesh = MeshSummary()
        self.scenarios: dict[str, Counter[Verdict]] = {}
        self.steady_state: dict[tuple[str, str], SteadySummary] = {}
        self.aborts: deque[str] = deque(maxlen=_LATEST)
        self.undone = 0
        self.undo_failures: deque[UndoFailed] = deque(maxlen=_LATEST)
        self._choice = (0, 0)
        self._first_kill: float | None = None

    def __call__(self, record: Record) -> None:
        """Take in one event."""
        match record.event:
            case RunStarted() as event:
                self.started = event
            case RunFinished() as event:
                self.finished = event
            case ScenarioFinished(name=name, verdict=verdict):
                self.scenarios.setdefault(name, Counter())[verdict] += 1
            case MeshSampled() as event:
                self._mesh(event, record.monotonic)
            case ProbeSampled(ok=ok) if not is_background(record):
                self.probes[ok] += 1
            case SteadyStateSampled() | ExperimentAborted() as event:
                self._steadiness(event, record.where.scenario)
            case UndoDone():
                self.undone += 1
            case UndoFailed() as event:
                self.undo_failures.append(event)
            case TargetsChosen(pods=pods, matched=matched):
                self._choice = (matched, len(pods))
            case event:
                self._pods(event, record.monotonic)

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
                self.not_killed[reason] += 1
            case PodRecovered() as recovery:
                self.recovered += 1
                self.recoveries.append(recovery)
            case RecoveryMissed() as missed:
                self.missed.append(missed)

    def _count_choice(self) -> None:
        """Count what the step matched and chose, once it turns out to be one that disrupts."""
        matched, chosen = self._choice
        self.matched += matched
        self.chosen += chosen
        self._choice = (0, 0)

    def _mesh(self, sample: MeshSampled, at: float) -> None:
        mesh = self.mesh
        mesh.samples += 1
        if sample.error:
            mesh.unanswered += 1
            return
        mesh.whole_at_end = not sample.failed
        mesh.most_instances = max(mesh.most_instances, sample.instances)
        if not sample.failed:
            mesh.with_fewer_instances += sample.instances < mesh.most_instances
            return
        mesh.with_failed_calls += 1
        known = mesh.failed_pairs
        known.update(pair for pair in sample.failed if pair in known or len(known) < _LATEST)
        ok = sample.pairs - len(sample.failed)
        if mesh.fewest_ok is None or ok < mesh.fewest_ok[0]:
            mesh.fewest_ok = (ok, sample.pairs)
        if self._first_kill is not None:
            since = at - self._first_kill
            mesh.first_degraded_s = since if mesh.first_degraded_s is None else mesh.first_degraded_s
            mesh.last_degraded_s = since

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
            "mesh": self._mesh_json() if self.mesh.samples else None,
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
            "undo": {
                "done": self.undone,
                "failed": [
                    {"what": each.description, "error": each.error, "manual": each.manual}
                    for each in self.undo_failures
                ],
            },
        }

    def _mesh_json(self) -> dict[str, Any]:
        mesh = self.mesh
        return {
            "samples": mesh.samples,
            "degraded": mesh.with_failed_calls + mesh.with_fewer_instances,
            "unanswered": mesh.unanswered,
            "fewestOk": list(mesh.fewest_ok) if mesh.fewest_ok else None,
            "failedPairs": dict(mesh.failed_pairs),
            "wholeAtEnd": mesh.whole_at_end,
        }

    def _times(self, moment: str) -> list[float]:
        values = (getattr(each, f"{moment}_ms") for each in self.recoveries)
        return [value for value in values if value is not None]

    def lines(self) -> list[tuple[str, str]]:
        """The summary for people: a heading and what it says, a row each."""
        rows = [("pods", self._pods_line())]
        if self.recovered or self.missed:
            rows.append(("recovery", self._recovery_line()))
        if self.mesh.samples:
            rows.append(("peers", self._mesh_line()))
        if self.probes:
            rows.append(("probes", f"{self.probes[True]} answered as expected, {self.probes[False]} did not"))
        rows += [("steady", self._steady_line(*key)) for key in self.steady_state]
        rows += [("aborted", each) for each in self.aborts]
        if self.undone or self.undo_failures:
            rows.append(("clean-up", self._undo_line()))
        return rows

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
        missed = f"; {len(self.missed)} not recovered in time" if self.missed else ""
        return ("; ".join(parts) or "none seen") + missed

    def _mesh_line(self) -> str:
        mesh = self.mesh
        line = f"{mesh.samples} look{'' if mesh.samples == 1 else 's'} at goldpinger's graph, "
        if mesh.with_failed_calls and mesh.fewest_ok:
            line += f"{mesh.with_failed_calls} with failed calls "
            line += f"(at worst {mesh.fewest_ok[0]} of {mesh.fewest_ok[1]} succeeded"
            if mesh.first_degraded_s is not None and mesh.last_degraded_s is not None:
                line += f", from {mesh.first_degraded_s:.1f} s to {mesh.last_degraded_s:.1f} s after the kill"
            line += ")"
        else:
            line += "none with failed calls"
        if mesh.with_fewer_instances:
            line += f", {mesh.with_fewer_instances} with fewer instances"
        if mesh.unanswered:
            line += f", {mesh.unanswered} without an answer"
        if mesh.whole_at_end is not None:
            line += "; whole at the end" if mesh.whole_at_end else "; NOT whole at the end"
        return line


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


def distribution(times: Sequence[float]) -> dict[str, float] | None:
    """Smallest, median, 95th percentile (inclusive method) and largest of some times; None without any."""
    if not times:
        return None
    p95 = statistics.quantiles(times, n=20, method="inclusive")[-1] if len(times) > 1 else times[0]
    figures = {"min": min(times), "p50": statistics.median(times), "p95": p95, "max": max(times)}
    return {name: round(value, 1) for name, value in figures.items()} | {"count": len(times)}


def spread(times: Sequence[float]) -> str:
    """Some times in few words."""
    figures = distribution(times)
    if figures is None:
        return "-"
    if len(times) == 1:
        return duration(figures["p50"])
    return f"{duration(figures['p50'])} (median; {duration(figures['min'])} to {duration(figures['max'])})"


def duration(milliseconds: float) -> str:
    """A span of time as people read it."""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
