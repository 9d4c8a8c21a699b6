"""Events of every kind that metrics are made of, and what the counting ones mean to them."""

from datetime import UTC, datetime

from msgspec.structs import replace

from seatrial.runtime.events import (
    BudgetState,
    CommandExecuted,
    ContainerRestarted,
    EvictionBlocked,
    ExperimentAborted,
    FaultCleared,
    FaultProven,
    GuardrailHeld,
    MachineStopFailed,
    MachineStopped,
    MeasurementTaken,
    MeshSampled,
    NodeRef,
    NodesChosen,
    NotificationFailed,
    NotificationSent,
    ObjectiveJudged,
    ObjectiveStatus,
    OutageSeen,
    PauseStarted,
    PodEvicted,
    PodKilled,
    PodKillSkipped,
    PodRecovered,
    PodRef,
    PolicyRejected,
    PolicyReloaded,
    ProbeSampled,
    ProofMissing,
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

POD = PodRef(namespace="shop", name="web-1", uid="1")
CASES = [
    (PodKilled(pod=POD, force=True, duration_ms=1), [("seal_pod_kills_total", ("success", "shop", "web-1"), 1)]),
    (
        PodKillSkipped(pod=POD, reason="forbidden", error=True),
        [("seal_pod_kills_total", ("failure", "shop", "web-1"), 1)],
    ),
    (PodKillSkipped(pod=POD, reason="spared", error=False), []),
    (
        MachineStopped(id="i-1", name="n1", force=False, duration_ms=1),
        [("seal_nodes_stopped_total", ("success", "i-1", "n1"), 1)],
    ),
    (
        MachineStopFailed(id="i-1", name="n1", error="e"),
        [("seal_nodes_stopped_total", ("failure", "i-1", "n1"), 1)],
    ),
    (
        CommandExecuted(id="u", name="n1", command="c", exit_code=1, output="", duration_ms=1),
        [("seal_execute_failed_total", ("u", "n1"), 1)],
    ),
    (
        CommandExecuted(id="u", name="n1", command="c", exit_code=None, output="", duration_ms=1, error="lost"),
        [("seal_execute_failed_total", ("u", "n1"), 1)],
    ),
    (CommandExecuted(id="u", name="n1", command="c", exit_code=0, output="", duration_ms=1), []),
    (
        TargetsChosen(pods=(), matched=0),
        [("seal_empty_filter_total", (), 1), ("seal_empty_match_total", ("pods",), 1)],
    ),
    (TargetsChosen(pods=(), matched=3), [("seal_empty_filter_total", (), 1)]),
    (TargetsChosen(pods=(POD,), matched=3), []),
    (
        NodesChosen(nodes=(), matched=0),
        [("seal_empty_filter_total", (), 1), ("seal_empty_match_total", ("nodes",), 1)],
    ),
    (NodesChosen(nodes=(NodeRef("n", "u"),), matched=1), []),
    (
        TargetsFiltered(filter="probability", before=3, after=0),
        [("seal_probability_filter_not_passed_total", (), 1)],
    ),
    (TargetsFiltered(filter="probability", before=3, after=3), []),
    (TargetsFiltered(filter="property", before=3, after=0), []),
    (
        ScenarioFinished(name="s", verdict=Verdict.FAILED, reasons=("r",), duration_ms=1500),
        [
            ("seatrial_experiments_in_flight", (), -1),
            ("seal_scenario_runs_total", ("s", "fail"), 1),
            ("seatrial_scenario_duration_seconds", ("s",), 1.5),
        ],
    ),
    (ScenarioStarted(name="s", description=""), [("seatrial_experiments_in_flight", (), 1)]),
    (
        PodRecovered(
            pod=POD, replacement=POD, gone_ms=None, created_ms=100, scheduled_ms=None, running_ms=800, ready_ms=900
        ),
        [
            ("seatrial_pod_recovery_seconds", ("created",), 0.1),
            ("seatrial_pod_recovery_seconds", ("running",), 0.8),
            ("seatrial_pod_recovery_seconds", ("ready",), 0.9),
        ],
    ),
    (RecoveryMissed(pod=POD, reason="r"), [("seatrial_pod_recoveries_missed_total", (), 1)]),
    (
        ContainerRestarted(pod=POD, container="c", ended_ms=10, ready_ms=2000, restarts=1),
        [
            ("seatrial_container_recovery_seconds", ("ended",), 0.01),
            ("seatrial_container_recovery_seconds", ("ready",), 2),
        ],
    ),
    (PodEvicted(pod=POD, duration_ms=1), [("seatrial_evictions_total", ("granted",), 1)]),
    (EvictionBlocked(pod=POD, budgets=("b",)), [("seatrial_evictions_total", ("blocked",), 1)]),
    (
        ProbeSampled(target="t", via="url", ok=True, attempt=0, status=200, latency_ms=20),
        [("seatrial_probe_requests_total", ("t", "ok"), 1), ("seatrial_probe_latency_seconds", ("t",), 0.02)],
    ),
    (
        ProbeSampled(target="t", via="url", ok=False, attempt=0, status=None, latency_ms=None, error="refused"),
        [("seatrial_probe_requests_total", ("t", "failed"), 1)],
    ),
    (
        MeshSampled(instances=3, pairs=9, failed=("a -> b", "b -> a"), slowest_ms=None),
        [("seatrial_mesh_failed_calls_total", (), 2)],
    ),
    (
        SteadyStateSampled(probe="p", samples=10, failed=3, unseen=2, longest_outage_seconds=4),
        [
            ("seatrial_steady_state_samples_total", ("p", "ok"), 5),
            ("seatrial_steady_state_samples_total", ("p", "failed"), 3),
            ("seatrial_steady_state_samples_total", ("p", "unseen"), 2),
        ],
    ),
    (
        SampleTaken(probe="p", number=0, result="ok", due=1, latency_ms=20.0),
        [("seatrial_steady_state_latency_seconds", ("p",), 0.02)],
    ),
    (SampleTaken(probe="p", number=0, result="unseen", due=1), []),
    (OutageSeen(probe="p", number=0, began=1, seconds=4), [("seatrial_outage_seconds", ("p",), 4)]),
    (SteadyStateRegained(probe="p", seconds=4), [("seatrial_steady_state_outage_seconds", ("p",), 4)]),
    (ExperimentAborted(condition="c", reason="r"), [("seatrial_experiments_aborted_total", (), 1)]),
    (FaultProven(subject="s", proof="p"), [("seatrial_faults_total", ("proven",), 1)]),
    (FaultCleared(subject="s", proof="p"), [("seatrial_faults_total", ("cleared",), 1)]),
    (ProofMissing(subject="s", reason="r"), [("seatrial_faults_total", ("missing",), 1)]),
    (GuardrailHeld(guardrail="maxPods", reason="r"), [("seatrial_guardrail_refusals_total", ("maxPods",), 1)]),
    (
        ScheduleMissed(first=datetime(2030, 1, 1, tzinfo=UTC), times=3, reason="r", is_made_up=False),
        [("seatrial_schedule_missed_total", (), 3)],
    ),
    (
        NotificationSent(channel="webhook", title="t", notices=1, attempts=1, answer="200"),
        [("seatrial_notifications_total", ("webhook", "sent"), 1)],
    ),
    (
        NotificationFailed(channel="webhook", title="t", notices=1, attempts=1, error="e"),
        [("seatrial_notifications_total", ("webhook", "failed"), 1)],
    ),
    (RoundStarted(number=1), [("seatrial_rounds_total", (), 1)]),
    (
        StepFinished(index=0, key="wait", verdict=Verdict.PASSED, reasons=(), duration_ms=250),
        [("seatrial_steps_total", ("wait", "passed"), 1), ("seatrial_step_duration_seconds", ("wait",), 0.25)],
    ),
    (UndoDone(description="d"), [("seatrial_undos_total", ("done",), 1)]),
    (UndoRetried(description="d", error="e", attempt=1, wait_seconds=1), [("seatrial_undo_retries_total", (), 1)]),
    (UndoFailed(description="d", error="e", manual="m"), [("seatrial_undos_total", ("failed",), 1)]),
    (RunHalted(by="jane", reason="r", since="s"), [("seatrial_halts_total", (), 1)]),
    (
        RunFinished(verdict=Verdict.INCONCLUSIVE, reasons=(), exit_code=3, duration_ms=60_000, rounds=1),
        [("seatrial_runs_total", ("inconclusive",), 1), ("seatrial_run_duration_seconds", (), 60)],
    ),
]  # fmt: skip
JUDGED = ObjectiveJudged(
    objective="healing",
    status=ObjectiveStatus.VIOLATED,
    text="violated",
    measurement="timeToRecover",
    limit=30,
    confidence=0.95,
    window="30d",
    samples=212,
    estimate=33.5,
    lower=31,
    warnings=("it gets slower",),
    budget=BudgetState(target=0.99, good=209, bad=3, left=-0.5, burn_rates={"1h": 20, "6h": 3}),
)
AVAILABILITY_JUDGED = ObjectiveJudged(
    objective="up",
    status=ObjectiveStatus.UNDECIDED,
    text="not enough evidence",
    measurement="availability",
    limit=0.999,
    confidence=0.9,
    window="7d",
    samples=3,
    unit="share",
    estimate=0.99,
    lower=0.9,
    upper=1,
    more_needed=12,
)
REJECTED = PolicyRejected(policy="p.yml", problems=("p",))
RELOADED = PolicyReloaded(policy="p.yml", changes=("c",), policy_text="", digests={})
STANDING = [REJECTED, PauseStarted(seconds=30)]
EVENTS = [
    *(event for event, _ in CASES),
    MeasurementTaken(name="scaled", of="web", seconds=3),
    MeasurementTaken(name="scaled", of="web", seconds=60, is_lower_bound=True),
    replace(JUDGED, upper=36),
    AVAILABILITY_JUDGED,
    *STANDING,
]
"""One or more of each kind: whoever has heard them all knows something of each metric."""
