import pytest

from seatrial.runtime.events import (
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
    PodEvicted,
    PodKilled,
    PodKillSkipped,
    PodRecovered,
    PodRef,
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
    BEFORE_ANYTHING,
    METRICS,
    OPEN_ENDED_LABELS,
    POD_KILLS,
    PROBES,
    Limits,
    Sample,
)
from seatrial.telemetry.samples import samples_of

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
    (MeasurementTaken(name="scaled", of="web", seconds=3), [("seatrial_measurement_seconds", ("scaled",), 3)]),
    (
        SteadyStateSampled(probe="p", samples=10, failed=3, unseen=2, longest_outage_seconds=4),
        [
            ("seatrial_steady_state_samples_total", ("p", "ok"), 5),
            ("seatrial_steady_state_samples_total", ("p", "failed"), 3),
            ("seatrial_steady_state_samples_total", ("p", "unseen"), 2),
        ],
    ),
    (SteadyStateRegained(probe="p", seconds=4), [("seatrial_steady_state_outage_seconds", ("p",), 4)]),
    (ExperimentAborted(condition="c", reason="r"), [("seatrial_experiments_aborted_total", (), 1)]),
    (FaultProven(subject="s", proof="p"), [("seatrial_faults_total", ("proven",), 1)]),
    (FaultCleared(subject="s", proof="p"), [("seatrial_faults_total", ("cleared",), 1)]),
    (ProofMissing(subject="s", reason="r"), [("seatrial_faults_total", ("missing",), 1)]),
    (GuardrailHeld(guardrail="maxPods", reason="r"), [("seatrial_guardrail_refusals_total", ("maxPods",), 1)]),
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


@pytest.mark.parametrize(
    ("event", "expected"), CASES, ids=[f"{type(event).__name__}-{index}" for index, (event, _) in enumerate(CASES)]
)
def test_what_an_event_means(event, expected):
    """Each event is worth exactly these samples, PowerfulSeal's names with its labels among them."""
    samples = list(samples_of(event))
    assert [(each.metric.name, each.labels, each.value) for each in samples] == expected


def test_every_metric_is_fed():
    """No metric of the table stays at nothing whatever happens."""
    fed = {sample.metric.name for event, _ in CASES for sample in samples_of(event)}
    assert {metric.name for metric in METRICS} - fed == {"seatrial_build_info"}


def test_every_sample_has_the_labels_of_its_metric():
    """As many values as labels, each a text that is not empty."""
    for sample in [*BEFORE_ANYTHING, *(each for event, _ in CASES for each in samples_of(event))]:
        assert len(sample.labels) == len(sample.metric.labels)
        assert all(sample.labels)


def test_the_words_for_a_scenarios_result_are_powerfulseals():
    """`success` and `fail`, and a third word for what is neither."""
    said = {}
    for verdict in Verdict:
        finished = ScenarioFinished(name="s", verdict=verdict, reasons=(), duration_ms=1)
        said[verdict] = next(each.labels[1] for each in samples_of(finished) if "runs" in each.metric.name)
    assert said == {Verdict.PASSED: "success", Verdict.FAILED: "fail", Verdict.INCONCLUSIVE: "inconclusive"}


def test_the_number_of_series_is_bounded():
    """Ten thousand pods in as many namespaces: two thousand names, then `other`; no kill is lost."""
    limits = Limits(most=1000)
    kept = [limits.apply(Sample(POD_KILLS, ("success", f"ns-{n}", f"pod-{n}"))) for n in range(10_000)]
    assert len(kept) == 10_000
    assert kept[0].labels == ("success", "ns-0", "pod-0")
    assert kept[1500].labels == ("success", "ns-1500", "other")
    assert kept[-1].labels == ("success", "other", "other")
    assert len({each.labels for each in kept}) == 2001
    assert limits.apply(kept[0]).labels == kept[0].labels


def test_namespaces_keep_their_names_when_pods_can_t():
    """Pods of two namespaces, long since too many: still counted apart by namespace."""
    limits = Limits(most=10)
    kept = [limits.apply(Sample(POD_KILLS, ("success", f"ns-{n % 2}", f"pod-{n}"))) for n in range(1000)]
    assert {each.labels for each in kept[10:]} == {("success", "ns-0", "other"), ("success", "ns-1", "other")}


def test_the_bounds_of_one_metric_are_none_of_anothers():
    """Many pods take no probe's name away."""
    limits = Limits(most=1)
    for number in range(5):
        limits.apply(Sample(POD_KILLS, ("success", "ns", f"pod-{number}")))
    assert limits.apply(Sample(PROBES, ("http://web", "ok"))).labels == ("http://web", "ok")


def test_every_label_with_names_of_others_is_bounded():
    """The labels that are left have their values from this code."""
    ours = {"status", "source", "result", "version", "verdict", "moment", "proof"}
    assert {label for metric in METRICS for label in metric.labels} - OPEN_ENDED_LABELS == ours
