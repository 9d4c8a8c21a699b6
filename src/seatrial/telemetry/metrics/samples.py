"""What each event means to the metrics: the one place that counts.

Prometheus, Datadog and the lines on standard output carry the same changes, so they can't disagree. What is known of
objectives is in `objective_levels`.
"""

from collections.abc import Iterator

from seatrial.runtime.events import (
    CommandExecuted,
    ContainerRestarted,
    Event,
    EvictionBlocked,
    ExperimentAborted,
    FaultCleared,
    FaultProven,
    GuardrailHeld,
    MachineStopFailed,
    MachineStopped,
    MeshSampled,
    NodesChosen,
    NotificationFailed,
    NotificationSent,
    ObjectiveJudged,
    OutageSeen,
    PauseStarted,
    PodEvicted,
    PodKilled,
    PodKillSkipped,
    PodRecovered,
    PolicyRejected,
    PolicyReloaded,
    ProbeSampled,
    ProofMissing,
    Record,
    RecoveryMissed,
    RoundStarted,
    RunFinished,
    RunHalted,
    SampleTaken,
    ScenarioFinished,
    ScenarioStarted,
    ScheduleMissed,
    SteadyStateRegained,
    SteadyStateSampled,
    StepFinished,
    TargetsChosen,
    TargetsFiltered,
    UndoDone,
    UndoFailed,
    UndoRetried,
)
from seatrial.runtime.verdict import Verdict
from seatrial.slo.measurements import PASSED, measurements_of
from seatrial.telemetry.metrics.objective_levels import levels_of
from seatrial.telemetry.metrics.table import (
    ABORTS,
    CONTAINER_SECONDS,
    EMPTY_FILTER,
    EMPTY_MATCH,
    EVICTIONS,
    EXECUTE_FAILED,
    FAULTS,
    GUARDRAILS,
    HALTED,
    HALTS,
    IN_FLIGHT,
    MEASUREMENT_SECONDS,
    MEASUREMENTS_CUT_SHORT,
    MESH_FAILED,
    NEXT_ROUND_AT,
    NODES_STOPPED,
    NOTIFICATIONS,
    OUTAGE_SECONDS,
    POD_KILLS,
    POLICY_REJECTED,
    PROBABILITY_NOT_PASSED,
    PROBE_SECONDS,
    PROBES,
    RECOVERIES_MISSED,
    RECOVERY_SECONDS,
    ROUND_STARTED_AT,
    ROUNDS,
    RUN_FINISHED_AT,
    RUN_SECONDS,
    RUN_VERDICT,
    RUNS,
    SCENARIO_FINISHED_AT,
    SCENARIO_RUNS,
    SCENARIO_SECONDS,
    SCENARIO_VERDICT,
    SCHEDULE_MISSED,
    STEADY_STATE_LATENCY,
    STEADY_STATE_OUTAGES,
    STEADY_STATE_SAMPLES,
    STEP_SECONDS,
    STEPS,
    UNDO_RETRIES,
    UNDOS,
    Change,
    Level,
    Sample,
)

_MOMENTS = ("gone", "created", "scheduled", "running", "ready")
_RESULTS = {Verdict.PASSED: "success", Verdict.FAILED: "fail", Verdict.INCONCLUSIVE: "inconclusive"}


def changes_of(record: Record) -> Iterator[Change]:
    """What an event means to the metrics."""
    event = record.event
    for reader in (_faults_on_pods, _faults_on_machines, _choices, _observations, _steady_states, _progress, _clean_up):
        yield from reader(event)
    yield from _measurements(record)
    yield from _standing(event, at=record.time.timestamp())
    if isinstance(event, ObjectiveJudged):
        yield from levels_of(event, scenario=record.where.scenario, at=record.time.timestamp())


def _faults_on_pods(event: Event) -> Iterator[Sample]:
    match event:
        case PodKilled(pod=pod):
            yield Sample(POD_KILLS, ("success", pod.namespace, pod.name))
        case PodKillSkipped(pod=pod, error=True):
            yield Sample(POD_KILLS, ("failure", pod.namespace, pod.name))
        case PodRecovered():
            for moment in _MOMENTS:
                if (ms := getattr(event, f"{moment}_ms")) is not None:
                    yield Sample(RECOVERY_SECONDS, (moment,), ms / 1000)
        case ContainerRestarted(ended_ms=ended, ready_ms=ready):
            yield Sample(CONTAINER_SECONDS, ("ended",), ended / 1000)
            yield Sample(CONTAINER_SECONDS, ("ready",), ready / 1000)
        case RecoveryMissed():
            yield Sample(RECOVERIES_MISSED)
        case PodEvicted():
            yield Sample(EVICTIONS, ("granted",))
        case EvictionBlocked():
            yield Sample(EVICTIONS, ("blocked",))


def _faults_on_machines(event: Event) -> Iterator[Sample]:
    match event:
        case MachineStopped(id=id_, name=name):
            yield Sample(NODES_STOPPED, ("success", id_, name))
        case MachineStopFailed(id=id_, name=name):
            yield Sample(NODES_STOPPED, ("failure", id_, name))
        case CommandExecuted(id=id_, name=name, exit_code=code) if code != 0:
            yield Sample(EXECUTE_FAILED, (id_, name))


def _choices(event: Event) -> Iterator[Sample]:
    match event:
        case TargetsChosen(pods=(), matched=matched) | NodesChosen(nodes=(), matched=matched):
            yield Sample(EMPTY_FILTER)
            if not matched:
                yield Sample(EMPTY_MATCH, ("pods" if isinstance(event, TargetsChosen) else "nodes",))
        case TargetsFiltered(filter="probability", after=0):
            yield Sample(PROBABILITY_NOT_PASSED)
        case GuardrailHeld(guardrail=guardrail):
            yield Sample(GUARDRAILS, (guardrail,))


def _observations(event: Event) -> Iterator[Sample]:
    match event:
        case ProbeSampled(target=target, ok=ok, latency_ms=ms):
            yield Sample(PROBES, (target, "ok" if ok else "failed"))
            if ms is not None:
                yield Sample(PROBE_SECONDS, (target,), ms / 1000)
        case MeshSampled(failed=failed) if failed:
            yield Sample(MESH_FAILED, (), len(failed))
        case FaultProven():
            yield Sample(FAULTS, ("proven",))
        case FaultCleared():
            yield Sample(FAULTS, ("cleared",))
        case ProofMissing():
            yield Sample(FAULTS, ("missing",))


def _steady_states(event: Event) -> Iterator[Sample]:
    match event:
        case SteadyStateSampled(probe=probe, samples=samples, failed=failed, unseen=unseen):
            counts = {"ok": samples - failed - unseen, "failed": failed, "unseen": unseen}
            yield from (Sample(STEADY_STATE_SAMPLES, (probe, result), count) for result, count in counts.items())
        case SampleTaken(probe=probe, latency_ms=float(ms)):
            yield Sample(STEADY_STATE_LATENCY, (probe,), ms / 1000)
        case OutageSeen(probe=probe, seconds=seconds):
            yield Sample(OUTAGE_SECONDS, (probe,), seconds)
        case SteadyStateRegained(probe=probe, seconds=seconds):
            yield Sample(STEADY_STATE_OUTAGES, (probe,), seconds)


def _measurements(record: Record) -> Iterator[Sample]:
    for measured in measurements_of(record):
        if measured.name == PASSED:
            continue  # no time; `seal_scenario_runs_total` counts it
        if measured.is_lower_bound:
            yield Sample(MEASUREMENTS_CUT_SHORT, (measured.name,))
        else:
            yield Sample(MEASUREMENT_SECONDS, (measured.name,), measured.value)


def _progress(event: Event) -> Iterator[Sample]:
    match event:
        case RoundStarted():
            yield Sample(ROUNDS)
        case ScenarioStarted():
            yield Sample(IN_FLIGHT, (), 1)
        case StepFinished(key=key, verdict=verdict, duration_ms=ms):
            yield Sample(STEPS, (key, verdict))
            yield Sample(STEP_SECONDS, (key,), ms / 1000)
        case ScenarioFinished(name=name, verdict=verdict, duration_ms=ms):
            yield Sample(IN_FLIGHT, (), -1)
            yield Sample(SCENARIO_RUNS, (name, _RESULTS[verdict]))
            yield Sample(SCENARIO_SECONDS, (name,), ms / 1000)
        case RunFinished(verdict=verdict, duration_ms=ms):
            yield Sample(RUNS, (verdict,))
            yield Sample(RUN_SECONDS, (), ms / 1000)
        case ScheduleMissed(times=times):
            yield Sample(SCHEDULE_MISSED, (), times)
        case ExperimentAborted():
            yield Sample(ABORTS)
        case RunHalted():
            yield Sample(HALTS)


def _standing(event: Event, *, at: float) -> Iterator[Level]:
    """What stands until the next event of its kind: verdicts, and the times of the latest and the next."""
    match event:
        case RoundStarted():
            yield Level(ROUND_STARTED_AT, (), at)
            yield Level(NEXT_ROUND_AT, (), None)
        case PauseStarted(seconds=seconds, until=until):
            yield Level(NEXT_ROUND_AT, (), until.timestamp() if until else at + seconds)
        case PolicyReloaded():
            yield Level(POLICY_REJECTED, (), 0)
        case PolicyRejected():
            yield Level(POLICY_REJECTED, (), 1)
        case ScenarioFinished(name=name, verdict=verdict):
            yield from (Level(SCENARIO_VERDICT, (name, each), float(each is verdict)) for each in Verdict)
            yield Level(SCENARIO_FINISHED_AT, (name,), at)
        case RunFinished(verdict=verdict):
            yield from (Level(RUN_VERDICT, (each,), float(each is verdict)) for each in Verdict)
            yield Level(RUN_FINISHED_AT, (), at)
            yield Level(NEXT_ROUND_AT, (), None)
        case RunHalted():
            yield Level(HALTED, (), 1)


def _clean_up(event: Event) -> Iterator[Sample]:
    match event:
        case UndoDone():
            yield Sample(UNDOS, ("done",))
        case UndoRetried():
            yield Sample(UNDO_RETRIES)
        case UndoFailed():
            yield Sample(UNDOS, ("failed",))
        case NotificationSent(channel=channel):
            yield Sample(NOTIFICATIONS, (channel, "sent"))
        case NotificationFailed(channel=channel):
            yield Sample(NOTIFICATIONS, (channel, "failed"))
