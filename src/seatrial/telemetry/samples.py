"""What each event means to the metrics: the one place that counts.

Prometheus, Datadog and the lines on standard output carry the same samples, so they can't disagree.
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
    MeasurementTaken,
    MeshSampled,
    NodesChosen,
    PodEvicted,
    PodKilled,
    PodKillSkipped,
    PodRecovered,
    ProbeSampled,
    ProofMissing,
    RecoveryMissed,
    RoundStarted,
    RunFinished,
    RunHalted,
    ScenarioFinished,
    ScenarioStarted,
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
from seatrial.telemetry.metrics import (
    ABORTS,
    CONTAINER_SECONDS,
    EMPTY_FILTER,
    EMPTY_MATCH,
    EVICTIONS,
    EXECUTE_FAILED,
    FAULTS,
    GUARDRAILS,
    HALTS,
    IN_FLIGHT,
    MEASUREMENT_SECONDS,
    MESH_FAILED,
    NODES_STOPPED,
    POD_KILLS,
    PROBABILITY_NOT_PASSED,
    PROBE_SECONDS,
    PROBES,
    RECOVERIES_MISSED,
    RECOVERY_SECONDS,
    ROUNDS,
    RUN_SECONDS,
    RUNS,
    SCENARIO_RUNS,
    SCENARIO_SECONDS,
    STEADY_STATE_OUTAGES,
    STEADY_STATE_SAMPLES,
    STEP_SECONDS,
    STEPS,
    UNDO_RETRIES,
    UNDOS,
    Sample,
)

_MOMENTS = ("gone", "created", "scheduled", "running", "ready")
_RESULTS = {Verdict.PASSED: "success", Verdict.FAILED: "fail", Verdict.INCONCLUSIVE: "inconclusive"}


def samples_of(event: Event) -> Iterator[Sample]:
    """What an event means to the metrics."""
    for reader in (_faults_on_pods, _faults_on_machines, _choices, _observations, _progress, _clean_up):
        yield from reader(event)


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
        case MeasurementTaken(name=name, seconds=seconds):
            yield Sample(MEASUREMENT_SECONDS, (name,), seconds)
        case SteadyStateSampled(probe=probe, samples=samples, failed=failed, unseen=unseen):
            counts = {"ok": samples - failed - unseen, "failed": failed, "unseen": unseen}
            yield from (Sample(STEADY_STATE_SAMPLES, (probe, result), count) for result, count in counts.items())
        case SteadyStateRegained(probe=probe, seconds=seconds):
            yield Sample(STEADY_STATE_OUTAGES, (probe,), seconds)
        case FaultProven():
            yield Sample(FAULTS, ("proven",))
        case FaultCleared():
            yield Sample(FAULTS, ("cleared",))
        case ProofMissing():
            yield Sample(FAULTS, ("missing",))


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
        case ExperimentAborted():
            yield Sample(ABORTS)
        case RunHalted():
            yield Sample(HALTS)


def _clean_up(event: Event) -> Iterator[Sample]:
    match event:
        case UndoDone():
            yield Sample(UNDOS, ("done",))
        case UndoRetried():
            yield Sample(UNDO_RETRIES)
        case UndoFailed():
            yield Sample(UNDOS, ("failed",))
