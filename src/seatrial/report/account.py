"""The account of a run for a person: one line an event that matters, in words.

`terminal` shows these lines; nothing here knows of colours or widths.
"""

from dataclasses import dataclass
from typing import Literal

from seatrial.report.summary import duration
from seatrial.runtime.events import (
    Event,
    MeshSampled,
    ObjectApplied,
    PauseStarted,
    PodKilled,
    PodKillSkipped,
    PodRecovered,
    PodRef,
    ProbeSampled,
    Record,
    RecoveryMissed,
    RoundStarted,
    RunStarted,
    ScenarioFinished,
    ScenarioStarted,
    StepFinished,
    StepStarted,
    StopRequested,
    TargetsChosen,
    TargetsFiltered,
    TargetsMatched,
    UndoDone,
    UndoFailed,
    UndoWritten,
)
from seatrial.runtime.verdict import Verdict

Tone = Literal["heading", "plain", "dim", "good", "bad", "warn"]

_MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the account: how deep, what kind of thing happened, in words, and its tone."""

    depth: int
    label: str
    text: str
    tone: Tone = "plain"


class Account:
    """Turns events into lines; remembers what the last look at the mesh showed, to tell changes only."""

    def __init__(self) -> None:
        self._mesh: tuple[int, tuple[str, ...], str] | None = None
        self._failed_probes = 0
        self._shown_kills = 0
        self._targets_shown: set[Line] = set()

    def lines(self, record: Record) -> list[Line]:
        """What there is to say about an event; often nothing."""
        event = record.event
        for describe in (self._run, self._new_targets, self._faults, self._observations, self._clean_up):
            lines = describe(event)
            if lines is not None:
                return lines
        return []

    def _new_targets(self, event: Event) -> list[Line] | None:
        """Targets as far as this step has not shown them: a retry that finds the same ones says nothing."""
        lines = self._targets(event)
        if lines is None:
            return None
        fresh = [line for line in lines if line not in self._targets_shown]
        self._targets_shown.update(fresh)
        return fresh

    def _run(self, event: Event) -> list[Line] | None:
        match event:
            case RunStarted(run_id=run, policy=policy, seed=seed, server=server, rounds=rounds):
                often = "until stopped" if rounds is None else f"{rounds} round{'s' if rounds > 1 else ''}"
                return [Line(0, "run", f"{policy} on {server}, {often}, seed {seed} (run {run})")]
            case RoundStarted(number=number):
                return [Line(0, "round", str(number), "dim")] if number > 1 else []
            case ScenarioStarted(name=name, description=description):
                self._mesh = None
                heading = Line(0, "", name, "heading")
                return [heading, Line(1, "", description, "dim")] if description else [heading]
            case ScenarioFinished(name=name, verdict=verdict, reasons=reasons, duration_ms=ms):
                done = Line(0, verdict, f"{name}, after {duration(ms)}", _TONES[verdict])
                return [done, *(Line(1, "", reason, _TONES[verdict]) for reason in reasons)]
            case PauseStarted(seconds=seconds):
                return [Line(0, "pause", f"{seconds:.0f} s until the next round", "dim")]
            case StopRequested(reason=reason, hurry=False):
                again = "; once more: hurry" if reason == "SIGINT" else ""
                return [Line(0, "stop", f"{reason}: stopping and cleaning up{again}", "warn")]
            case StopRequested(reason=reason):
                return [Line(0, "stop", f"{reason} again: clean-up gets a few seconds a piece", "warn")]
        return self._step(event)

    def _step(self, event: Event) -> list[Line] | None:
        match event:
            case StepStarted(index=index, key=key, total=total):
                self._failed_probes = self._shown_kills = 0
                self._targets_shown.clear()
                return [Line(1, f"{index + 1}/{total}", key)]
            case StepFinished(verdict=Verdict.PASSED, duration_ms=ms):
                return [Line(2, "passed", f"in {duration(ms)}", "good")]
            case StepFinished(verdict=verdict, reasons=reasons):
                return [Line(2, verdict, reason, _TONES[verdict]) for reason in reasons]
        return None

    def _targets(self, event: Event) -> list[Line] | None:
        match event:
            case TargetsMatched(matcher=matcher, count=count):
                return [Line(2, "matched", f"{_pods(count)} ({matcher})", "plain" if count else "warn")]
            case TargetsFiltered(filter=name, before=before, after=after, note=note):
                why = f" ({note})" if note else ""
                return [Line(2, "filtered", f"{name}: {before} → {after}{why}", "plain" if after else "warn")]
            case TargetsChosen(pods=pods):
                return [Line(2, "chosen", _named(pods))] if pods else []
        return None

    def _faults(self, event: Event) -> list[Line] | None:
        match event:
            case PodKilled(pod=pod, force=force, replaced=replaced, duration_ms=ms):
                self._shown_kills += 1
                if self._shown_kills > _MOST_SHOWN:
                    return [Line(2, "killed", "...", "dim")] if self._shown_kills == _MOST_SHOWN + 1 else []
                how = "at once" if force else "gracefully"
                unmeasured = "" if replaced else "; no controller that replaces it: no recovery is measured"
                return [Line(2, "killed", f"{pod}, {how} (the API server answered in {duration(ms)}){unmeasured}")]
            case PodKillSkipped(pod=pod, reason=reason, error=error):
                return [Line(2, "not killed", f"{pod}: {reason}", "bad" if error else "dim")]
            case PodRecovered() as recovery:
                return [Line(2, "recovered", _recovery(recovery), "good")]
            case RecoveryMissed(pod=pod, reason=reason):
                return [Line(2, "not recovered", f"{pod}: {reason}", "warn")]
        return None

    def _observations(self, event: Event) -> list[Line] | None:
        match event:
            case ProbeSampled(ok=True, target=target, via=via, status=status, latency_ms=ms):
                answered = f"{target} answered {status} in {ms:.1f} ms" if ms is not None else target
                return [Line(2, "probe", f"{answered}{_via(via)}", "good")]
            case ProbeSampled(target=target, via=via, error=error):
                self._failed_probes += 1
                return [Line(2, "probe", f"{target}: {error}{_via(via)}", "warn")] if self._failed_probes <= 3 else []
            case MeshSampled() as sample:
                return self._mesh_lines(sample)
            case ObjectApplied(kind=kind, namespace=namespace, name=name, created=created):
                where = f"{namespace}/" if namespace else ""
                return [Line(1, "applied", f"{kind} {where}{name}{'' if created else ' (was there before)'}", "dim")]
        return None

    def _mesh_lines(self, sample: MeshSampled) -> list[Line]:
        seen = (sample.instances, sample.failed, sample.error)
        if seen == self._mesh:
            return []
        self._mesh = seen
        if sample.error:
            return [Line(2, "peers", f"goldpinger did not answer: {sample.error}", "warn")]
        if not sample.failed:
            return [Line(2, "peers", f"{sample.instances} instances, all {sample.pairs} calls succeed", "good")]
        shown = ", ".join(sample.failed[:3]) + (", ..." if len(sample.failed) > 3 else "")
        return [Line(2, "peers", f"{len(sample.failed)} of {sample.pairs} calls fail: {shown}", "warn")]

    def _clean_up(self, event: Event) -> list[Line] | None:
        match event:
            case UndoWritten(description=description):
                return [Line(1, "undo noted", description, "dim")]
            case UndoDone(description=description):
                return [Line(1, "undone", description, "good")]
            case UndoFailed(description=description, error=error, manual=manual):
                return [Line(1, "NOT undone", f"{description}: {error}", "bad"), Line(2, "by hand", manual, "bad")]
        return None


_TONES: dict[Verdict, Tone] = {Verdict.PASSED: "good", Verdict.FAILED: "bad", Verdict.INCONCLUSIVE: "warn"}


def _pods(count: int) -> str:
    return f"{count} pod" if count == 1 else f"{count} pods"


def _named(pods: tuple[PodRef, ...]) -> str:
    shown = ", ".join(f"{pod} on {pod.node}" if pod.node else str(pod) for pod in pods[:_MOST_SHOWN])
    return shown + (f" and {len(pods) - _MOST_SHOWN} more" if len(pods) > _MOST_SHOWN else "")


def _recovery(recovery: PodRecovered) -> str:
    moments = [("gone", recovery.gone_ms), ("replaced", recovery.created_ms), ("Ready", recovery.ready_ms)]
    said = ", ".join(f"{word} after {duration(ms)}" for word, ms in moments if ms is not None)
    return f"{recovery.pod} by {recovery.replacement.name}: {said}"


def _via(via: str) -> str:
    return {"apiserver": " (through the API server)", "clusterIP": " (by cluster IP)"}.get(via, "")
