"""The account of a run for a person: one line an event that matters, in words.

`terminal` shows these lines; nothing here knows of colours or widths.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from seatrial.policy.wording import counted
from seatrial.report.durations import duration
from seatrial.report.failures import awaited, how_long, struck
from seatrial.report.objectives import ObjectiveNews
from seatrial.report.summary import is_background
from seatrial.report.told import told_line
from seatrial.report.upkeep import pause_in_words, upkeep_lines
from seatrial.runtime.events import (
    AlertsMuted,
    ChangesKept,
    CommandExecuted,
    ContainerRestarted,
    ContainerSignalled,
    EarlierRunFound,
    Event,
    EvictionBlocked,
    EvictionSkipped,
    ExperimentAborted,
    FailureAwaited,
    FailureStruck,
    FaultCleared,
    FaultProven,
    GuardrailHeld,
    HaltUnreadable,
    MachineDeleted,
    MachinePaused,
    MachineRebooted,
    MachineSkipped,
    MachineStarted,
    MachineStopFailed,
    MachineStopped,
    MeasurementMissed,
    MeasurementTaken,
    MeshSampled,
    NodeCordoned,
    NodeRef,
    NodesChosen,
    NodeTainted,
    NodeUncordoned,
    NotificationFailed,
    NotificationSent,
    ObjectApplied,
    ObjectDeleted,
    ObjectiveJudged,
    ObjectiveStatus,
    PauseStarted,
    PodCommandExecuted,
    PodEvicted,
    PodKilled,
    PodKillSkipped,
    PodMoved,
    PodRecovered,
    PodRef,
    PodSpared,
    PolicyRejected,
    PolicyReloaded,
    ProbeSampled,
    ProcessesSignalled,
    ProofMissing,
    Record,
    RecoveryMissed,
    ReplacementForeseen,
    RoundStarted,
    RunHalted,
    RunStarted,
    ScalingGroupResumed,
    ScalingGroupSuspended,
    ScenarioFinished,
    ScenarioStarted,
    ScheduleMissed,
    ServiceStarted,
    ServiceStopped,
    SteadyStateHeld,
    SteadyStateLost,
    SteadyStateRegained,
    SteadyStateSampled,
    StepFinished,
    StepStarted,
    StopRequested,
    StressStarted,
    TargetsChosen,
    TargetsFiltered,
    TargetsMatched,
    TimerArmed,
    UndoDone,
    UndoFailed,
    UndoRetried,
    UndoWritten,
)
from seatrial.runtime.halt import halt_in_words
from seatrial.runtime.verdict import Verdict

Tone = Literal["heading", "plain", "dim", "good", "bad", "warn"]

_MOST_SHOWN = 10
_MOST_PROBE_ERRORS = 3
_SHORTEST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the account: how deep, what kind of thing happened, in words, and its tone.

    What is `verbatim` is somebody else's text, such as a table, and stays as wide as it is.
    """

    depth: int
    label: str
    text: str
    tone: Tone = "plain"
    verbatim: bool = False


class Account:
    """Turns events into lines; remembers what the last look at the mesh showed, to tell changes only."""

    def __init__(self) -> None:
        self._mesh: tuple[int, tuple[str, ...], str] | None = None
        self._failed_probes: set[Line] = set()
        self._shown_kills = self._shown_spared = 0
        self._targets_shown: set[Line] = set()
        self._chosen: frozenset[str] = frozenset()
        self._shown: Counter[str] = Counter()
        self._objectives = ObjectiveNews()

    def lines(self, record: Record) -> list[Line]:
        """What there is to say about an event; often nothing."""
        event = record.event
        if isinstance(event, ProbeSampled) and is_background(record):
            return []  # one of many: `SteadyStateLost` and its kin say what changes
        if isinstance(event, ObjectiveJudged):
            return self._objective(event, record.where.scenario)
        for describe in (
            self._run,
            self._new_targets,
            self._faults,
            self._machines,
            self._on_machines,
            self._containers,
            self._scheduling,
            self._evidence,
            self._observations,
            self._steady_state,
            self._clean_up,
            self._notifications,
        ):
            lines = describe(event)
            if lines is not None:
                return lines
        return []

    def _new_targets(self, event: Event) -> list[Line] | None:
        """Targets as far as this step has not shown them: a retry that finds the same ones says nothing."""
        lines = self._targets(event)
        if lines is None:
            return None
        if isinstance(event, TargetsChosen):
            # A pod that has found its node by the next try is the same pod.
            chosen = frozenset(pod.uid for pod in event.pods)
            lines = [] if chosen == self._chosen else lines
            self._chosen = chosen
        fresh = [line for line in lines if line not in self._targets_shown]
        self._targets_shown.update(fresh)
        return fresh

    def _run(self, event: Event) -> list[Line] | None:
        match event:
            case RunStarted(run_id=run, policy=policy, seed=seed, server=server):
                return [Line(0, "run", f"{policy} on {server}, {how_long(event)}, seed {seed} (run {run})")]
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
                return [Line(0, "pause", pause_in_words(event), "dim")] if seconds >= _SHORTEST_PAUSE_SECONDS else []
            case ScheduleMissed() | PolicyReloaded() | PolicyRejected():
                return [Line(0, *each) for each in upkeep_lines(event)]
            case FailureAwaited(seconds=seconds):
                return [Line(0, "next", awaited(event), "warn" if seconds is None else "dim")]
            case FailureStruck():
                return [Line(0, "failure", struck(event), "warn")]
        return self._ending(event)

    def _ending(self, event: Event) -> list[Line] | None:
        match event:
            case StopRequested(reason=reason, hurry=False):
                again = "; once more: hurry" if reason == "SIGINT" else ""
                return [Line(0, "stop", f"{reason}: stopping and cleaning up{again}", "warn")]
            case StopRequested(reason=reason):
                return [Line(0, "stop", f"{reason} again: clean-up gets a few seconds a piece", "warn")]
            case RunHalted(by=by, reason=why, since=since):
                return [Line(0, "halt", f"{halt_in_words(by=by, reason=why, since=since)}: cleaning up", "warn")]
            case HaltUnreadable(namespace=namespace, error=error):
                text = f"can't see whether experiments are halted (namespace {namespace}): {error}"
                return [Line(0, "halt", text, "warn")]
            case EarlierRunFound(run_id=run, policy=policy, undos=undos, note=note):
                text = f"run {run} of {policy} left {undos} change{'' if undos == 1 else 's'} behind"
                return [Line(0, "earlier", f"{text}: {note or 'undoing them'}", "warn")]
        return self._step(event)

    def _step(self, event: Event) -> list[Line] | None:
        match event:
            case StepStarted(index=index, key=key, total=total):
                self._shown_kills = self._shown_spared = 0
                self._failed_probes.clear()
                self._targets_shown.clear()
                self._chosen = frozenset()
                self._shown.clear()
                return [Line(1, f"{index + 1}/{total}", key)]
            case StepFinished(verdict=Verdict.PASSED, duration_ms=ms):
                return [Line(2, "passed", f"in {duration(ms)}", "good")]
            case StepFinished(verdict=verdict, reasons=reasons):
                return [Line(2, verdict, reason, _TONES[verdict]) for reason in reasons]
        return None

    def _targets(self, event: Event) -> list[Line] | None:
        match event:
            case TargetsMatched(matcher=matcher, count=count, kind=kind):
                return [Line(2, "matched", f"{counted(count, kind)} ({matcher})", "plain" if count else "warn")]
            case TargetsFiltered(filter=name, before=before, after=after, note=note):
                why = f" ({note})" if note else ""
                return [Line(2, "filtered", f"{name}: {before} → {after}{why}", "plain" if after else "warn")]
            case TargetsChosen(pods=pods):
                return [Line(2, "chosen", _named(pods))] if pods else []
            case NodesChosen(nodes=nodes):
                return [Line(2, "chosen", _named_nodes(nodes))] if nodes else []
        return None

    def _faults(self, event: Event) -> list[Line] | None:
        match event:
            case PodKilled(pod=pod, force=force, duration_ms=ms, on_machine=node):
                self._shown_kills += 1
                if self._shown_kills > _MOST_SHOWN:
                    return [Line(2, "killed", "...", "dim")] if self._shown_kills == _MOST_SHOWN + 1 else []
                how = "at once" if force else "gracefully"
                if node:
                    return [Line(2, "killed", f"{pod}, {how} (by commands on node {node}, in {duration(ms)})")]
                return [Line(2, "killed", f"{pod}, {how} (the API server answered in {duration(ms)})")]
            case PodKillSkipped(pod=pod, reason=reason, error=error):
                return [Line(2, "not killed", f"{pod}: {reason}", "bad" if error else "dim")]
            case PodSpared(pod=pod, reason=reason):
                self._shown_spared += 1
                if self._shown_spared > _MOST_SHOWN:
                    return [Line(2, "spared", "...", "dim")] if self._shown_spared == _MOST_SHOWN + 1 else []
                return [Line(2, "spared", f"{pod}: {reason}", "dim")]
            case PodRecovered() as recovery:
                return [Line(2, "recovered", _recovery(recovery), "good")]
            case PodMoved() as move:
                return self._bounded(Line(2, "moved", _move(move), "good"))
            case RecoveryMissed(pod=pod, reason=reason):
                return [Line(2, "no recovery", f"{pod}: {reason}", "warn")]
        return None

    def _machines(self, event: Event) -> list[Line] | None:
        match event:
            case MachineStopped(id=machine, name=name, force=force, duration_ms=ms):
                how = "by force" if force else "gracefully"
                return [Line(2, "stopped", f"machine {machine} of node {name}, {how}, in {duration(ms)}")]
            case MachineStopFailed(id=machine, name=name, error=error):
                return [Line(2, "not stopped", f"machine {machine} of node {name}: {error}", "bad")]
            case MachineStarted(id=machine, name=name, duration_ms=ms):
                return [Line(2, "started", f"machine {machine} of node {name}, in {duration(ms)}", "good")]
            case MachineSkipped(name=name, reason=reason, error=error):
                return [Line(2, "left alone", f"machine of node {name}: {reason}", "bad" if error else "dim")]
            case ReplacementForeseen(group=group, machines=machines, doubt=doubt):
                assumed = f" (assumed: {doubt})" if doubt else ""
                return [Line(2, "replaced", f"by group {group} once stopped{assumed}: {', '.join(machines)}", "warn")]
            case ScalingGroupSuspended(group=group, processes=processes):
                return [Line(2, "suspended", f"{', '.join(processes)} of group {group}")]
            case ScalingGroupResumed(group=group, processes=processes):
                return [Line(2, "resumed", f"{', '.join(processes)} of group {group}", "good")]
            case CommandExecuted(name=name, command=command, exit_code=None, error=error):
                return [Line(2, "not run", f"{command} on {name}: {error}", "bad")]
            case CommandExecuted(name=name, command=command, exit_code=code, output=output, duration_ms=ms):
                tone: Tone = "bad" if code else "plain"
                done = Line(2, "ran", f"{command} on {name}: exit code {code}, in {duration(ms)}", tone)
                return [done, *(Line(3, "", line, "dim") for line in output.splitlines()[-_MOST_SHOWN:])]
        return None

    def _on_machines(self, event: Event) -> list[Line] | None:
        match event:
            case MachineRebooted(id=machine, name=name, force=force, duration_ms=ms):
                how = ", by force" if force else ""
                return [Line(2, "rebooted", f"machine {machine} of node {name}{how}, in {duration(ms)}")]
            case MachineDeleted(id=machine, name=name, duration_ms=ms):
                return [Line(2, "deleted", f"machine {machine} of node {name}, for good, in {duration(ms)}")]
            case MachinePaused(id=machine, name=name, duration_ms=ms):
                return [Line(2, "paused", f"machine {machine} of node {name}, in {duration(ms)}")]
            case ProcessesSignalled(name=name, signal=signal, processes=processes) as sent:
                text = f"{signal} to {', '.join(processes)} on node {name}{_which(sent.number, sent.times)}"
                return self._bounded(Line(2, "signalled", text))
            case ServiceStopped(name=name, service=service, duration_ms=ms) as stopped:
                text = f"service {service} on node {name}, in {duration(ms)}{_which(stopped.number, stopped.times)}"
                return self._bounded(Line(2, "stopped", text))
            case ServiceStarted(name=name, service=service, duration_ms=ms):
                return self._bounded(Line(2, "started", f"service {service} on node {name}, in {duration(ms)}", "good"))
            case StressStarted(name=name, load=load, seconds=seconds):
                return self._bounded(Line(2, "stressed", f"node {name}: {load}, for {seconds} s at most"))
        return None

    def _scheduling(self, event: Event) -> list[Line] | None:
        match event:
            case NodeCordoned(node=node, already=already):
                return [Line(2, "cordoned", f"{node}{' (it was before, and stays so)' if already else ''}")]
            case NodeUncordoned(node=node, already=already):
                return [Line(2, "uncordoned", f"{node}{' (it was not cordoned)' if already else ''}", "good")]
            case NodeTainted(node=node, taint=taint, already=already):
                return [Line(2, "tainted", f"{node} with {taint}{' (it had it before)' if already else ''}")]
            case PodEvicted(pod=pod, duration_ms=ms):
                return self._bounded(Line(2, "evicted", f"{pod} (the API server answered in {duration(ms)})"))
            case EvictionBlocked(pod=pod, budgets=budgets, reason=reason):
                return self._bounded(Line(2, "blocked", f"{pod}: {'; '.join(budgets) or reason}", "warn"))
            case EvictionSkipped(pod=pod, reason=reason, error=error):
                return self._bounded(Line(2, "not evicted", f"{pod}: {reason}", "bad" if error else "dim"))
        return None

    def _containers(self, event: Event) -> list[Line] | None:
        match event:
            case PodCommandExecuted(pod=pod, command=command, exit_code=None, error=error):
                return self._bounded(Line(2, "not run", f"{command} in {pod}: {error}", "bad"))
            case PodCommandExecuted(pod=pod, command=command, exit_code=code, output=output, duration_ms=ms):
                done = self._bounded(Line(2, "ran", f"{command} in {pod}: exit code {code}, in {duration(ms)}"))
                lines = output.splitlines()[-_MOST_SHOWN:] if done and done[0].text != "..." else []
                return [*done, *(Line(3, "", line, "dim") for line in lines)]
            case TimerArmed(place=place, seconds=seconds, undo=undo):
                return self._bounded(Line(2, "armed", f"a timer of {place}: {undo} after {seconds} s"))
            case ContainerSignalled(pod=pod, container=container, signal=signal, via=via) as sent:
                text = f"container {container} of {pod}: {signal} (via {via}){_which(sent.number, sent.times)}"
                return self._bounded(Line(2, "signalled", text))
            case ContainerRestarted(pod=pod, container=container, ended_ms=ended, ready_ms=ready):
                moments = f"ended after {duration(ended)}, ready again after {duration(ready)}"
                return self._bounded(Line(2, "restarted", f"container {container} of {pod}: {moments}", "good"))
        return None

    def _evidence(self, event: Event) -> list[Line] | None:
        match event:
            case GuardrailHeld(guardrail=guardrail, reason=reason):
                return [Line(2, "held", f"{guardrail}: {reason}", "warn")]
            case FaultProven(subject=subject, proof=proof):
                return self._bounded(Line(2, "proven", f"{subject}: {proof}"))
            case FaultCleared(subject=subject, proof=proof):
                return self._bounded(Line(2, "cleared", f"{subject}: {proof}", "good"))
            case ProofMissing(subject=subject, reason=reason):
                return self._bounded(Line(2, "no proof", f"{subject}: {reason}", "warn"))
            case MeasurementTaken(name=name, of=of, seconds=seconds, is_lower_bound=True):
                lower = f"more than {duration(seconds * 1000)}"
                return self._bounded(Line(2, "measured", f"{name} of {of}: {lower}", "warn"))
            case MeasurementTaken(name=name, of=of, seconds=seconds):
                return self._bounded(Line(2, "measured", f"{name} of {of}: {duration(seconds * 1000)}"))
            case MeasurementMissed(name=name, of=of, reason=reason):
                return self._bounded(Line(2, "unmeasured", f"{name} of {of}: {reason}", "warn"))
        return None

    def _bounded(self, line: Line) -> list[Line]:
        """Some lines of a kind in each step, and that there are more."""
        self._shown[line.label] += 1
        if self._shown[line.label] <= _MOST_SHOWN:
            return [line]
        return [Line(line.depth, line.label, "...", "dim")] if self._shown[line.label] == _MOST_SHOWN + 1 else []

    def _observations(self, event: Event) -> list[Line] | None:
        match event:
            case ProbeSampled(ok=True, target=target, via=via, status=status, answer=answer, latency_ms=ms):
                took = f" in {ms:.1f} ms" if ms is not None else ""
                said = f"{target}: {answer}" if answer else f"{target} answered {status}"
                return [Line(2, "probe", f"{said}{took}{_via(via)}", "good")]
            case ProbeSampled(target=target, via=via, error=error):
                failure = Line(2, "probe", f"{target}: {error}{_via(via)}", "warn")
                if failure in self._failed_probes or len(self._failed_probes) == _MOST_PROBE_ERRORS:
                    return []
                self._failed_probes.add(failure)
                return [failure]
            case MeshSampled() as sample:
                return self._mesh_lines(sample)
            case AlertsMuted(alertmanager=alertmanager, seconds=seconds):
                return [Line(2, "muted", f"{alertmanager}, for {duration(seconds * 1000)} at most")]
            case ObjectDeleted(kind=kind, namespace=namespace, name=name, comes_back=comes_back):
                where = f"{namespace}/" if namespace else ""
                back = "" if comes_back else "; clean-up doesn't make it anew"
                return self._bounded(Line(2, "deleted", f"{kind} {where}{name}{back}"))
            case ObjectApplied(kind=kind, namespace=namespace, name=name, created=created):
                where = f"{namespace}/" if namespace else ""
                return [Line(1, "applied", f"{kind} {where}{name}{'' if created else ' (was there before)'}", "dim")]
        return None

    def _steady_state(self, event: Event) -> list[Line] | None:
        match event:
            case SteadyStateHeld(moment="before", probes=probes, seconds=seconds):
                return [Line(1, "steady", f"{counted(probes, 'probe')} held, in {duration(seconds * 1000)}", "good")]
            case SteadyStateHeld(probes=probes, seconds=seconds):
                text = f"{counted(probes, 'probe')} held again {duration(seconds * 1000)} after clean-up"
                return [Line(1, "steady", text, "good")]
            case SteadyStateLost(probe=probe, reason=reason):
                return [Line(2, "lost", f"steady state, {probe}: {reason}", "warn")]
            case SteadyStateRegained(probe=probe, seconds=seconds):
                return [Line(2, "regained", f"steady state, {probe}: after {duration(seconds * 1000)}", "good")]
            case SteadyStateSampled() as sampled:
                text = f"{sampled.probe}: {sampled.failed} of {sampled.samples} samples failed"
                if sampled.failed:
                    text += f", for {duration(sampled.longest_outage_seconds * 1000)} at a stretch"
                if sampled.unseen:
                    text += f", {sampled.unseen} could not be taken"
                return [Line(1, "steady", text, "warn" if sampled.failed or sampled.unseen else "dim")]
            case ExperimentAborted(condition=condition, reason=reason):
                return [Line(1, "ABORT", f"{condition}: {reason}; cleaning up", "bad")]
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
            case UndoRetried(description=description, error=error, wait_seconds=seconds):
                return [Line(1, "not yet", f"{description}: {error}; again in {seconds:.1f} s", "warn")]
            case UndoDone(description=description, note=note):
                return [Line(1, "undone", f"{description}{f' ({note})' if note else ''}", "good")]
            case UndoFailed(description=description, error=error, manual=manual):
                return [Line(1, "NOT undone", f"{description}: {error}", "bad"), Line(2, "by hand", manual, "bad")]
            case ChangesKept(run_id=run, changes=changes):
                text = f"{counted(len(changes), 'change')}; take back: seatrial recover --run {run}"
                return [Line(0, "kept", text, "warn")]
        return None

    def _objective(self, judged: ObjectiveJudged, scenario: str) -> list[Line]:
        if not self._objectives.is_news(judged, scenario=scenario):
            return []
        said = Line(1, "objective", judged.text, _OBJECTIVE_TONES.get(judged.status, "plain"))
        return [said, *(Line(1, "", each, "warn") for each in judged.warnings)]

    def _notifications(self, event: Event) -> list[Line] | None:
        if not isinstance(event, NotificationSent | NotificationFailed):
            return None
        line = told_line(event)
        return [Line(1, *line)] if line else []


_OBJECTIVE_TONES: dict[ObjectiveStatus, Tone] = {ObjectiveStatus.MET: "good", ObjectiveStatus.VIOLATED: "bad"}
_TONES: dict[Verdict, Tone] = {Verdict.PASSED: "good", Verdict.FAILED: "bad", Verdict.INCONCLUSIVE: "warn"}


def _named_nodes(nodes: tuple[NodeRef, ...]) -> str:
    shown = ", ".join(f"{node} in {node.zone}" if node.zone else str(node) for node in nodes[:_MOST_SHOWN])
    return shown + (f" and {len(nodes) - _MOST_SHOWN} more" if len(nodes) > _MOST_SHOWN else "")


def _named(pods: tuple[PodRef, ...]) -> str:
    shown = ", ".join(f"{pod} on {pod.node}" if pod.node else str(pod) for pod in pods[:_MOST_SHOWN])
    return shown + (f" and {len(pods) - _MOST_SHOWN} more" if len(pods) > _MOST_SHOWN else "")


def _recovery(recovery: PodRecovered) -> str:
    moments = [("gone", recovery.gone_ms), ("replaced", recovery.created_ms), ("Ready", recovery.ready_ms)]
    said = ", ".join(f"{word} after {duration(ms)}" for word, ms in moments if ms is not None)
    return f"{recovery.pod} by {recovery.replacement.name}: {said}"


def _move(move: PodMoved) -> str:
    moments = [("evicted", move.evicted_ms), ("replaced", move.created_ms), ("Ready", move.ready_ms)]
    said = ", ".join(f"{word} after {duration(ms)}" for word, ms in moments if ms is not None)
    return f"{move.pod} from {move.from_node} to {move.to_node} ({move.replacement.name}): {said}"


def _via(via: str) -> str:
    ways = {"apiserver": "through the API server", "clusterIP": "by cluster IP", "portForward": "by a port-forward"}
    return f" ({ways[via]})" if via in ways else ""


def _which(number: int, times: int) -> str:
    return f" ({number} of {times})" if times > 1 else ""
