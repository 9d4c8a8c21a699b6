"""The metrics of a run: the table of all, and what a change of one is.

`samples` tells what each event means to them, `limits` bounds their series. Names that begin with `seal_` are
PowerfulSeal's, with its labels and values, so that dashboards and alerts made for it go on working; `seatrial_` are our
own.
"""

from dataclasses import dataclass
from typing import Literal

from seatrial.runtime.events import ObjectiveStatus
from seatrial.runtime.verdict import Verdict

Kind = Literal["counter", "gauge", "histogram"]

_SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LONG = (0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 120, 300, 600, 1800)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric: `labels` in order; `buckets` are the upper bounds of a histogram, in seconds."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One change of a metric: what a counter grows by, what a gauge changes by, what a histogram observes."""

    metric: Metric
    labels: tuple[str, ...] = ()
    value: float = 1


@dataclass(frozen=True, slots=True)
class Level:
    """What a gauge stands at from here on; with None that isn't known any more, and the series ends."""

    metric: Metric
    labels: tuple[str, ...]
    value: float | None


Change = Sample | Level
"""What an event means to a metric."""


def _counter(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(name=name, kind="counter", meaning=meaning, labels=labels)


def _gauge(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(name=name, kind="gauge", meaning=meaning, labels=labels)


def _histogram(name: str, meaning: str, *labels: str, buckets: tuple[float, ...] = _LONG) -> Metric:
    return Metric(name=name, kind="histogram", meaning=meaning, labels=labels, buckets=buckets)


POD_KILLS = _counter(
    "seal_pod_kills_total",
    "Pods killed (status success), and pods that could not be (failure).",
    "status", "namespace", "name",
)  # fmt: skip
NODES_STOPPED = _counter(
    "seal_nodes_stopped_total",
    "Machines stopped (status success), and machines that could not be (failure).",
    "status", "id", "name",
)  # fmt: skip
EXECUTE_FAILED = _counter(
    "seal_execute_failed_total", "Commands on machines that failed or could not be carried there.", "id", "name"
)
EMPTY_FILTER = _counter(
    "seal_empty_filter_total", "Steps that nothing was left for: nothing matched, or filters left nothing."
)
PROBABILITY_NOT_PASSED = _counter(
    "seal_probability_filter_not_passed_total", "Times that a probability filter let nothing pass."
)
EMPTY_MATCH = _counter(
    "seal_empty_match_total", "Steps whose matchers found nothing; source is pods or nodes.", "source"
)
SCENARIO_RUNS = _counter(
    "seal_scenario_runs_total",
    "Scenarios that ended; result is success, fail or (what PowerfulSeal never says) inconclusive.",
    "name", "result",
)  # fmt: skip

BUILD_INFO = _gauge("seatrial_build_info", "Always 1; the version of Seatrial.", "version")
ROUNDS = _counter("seatrial_rounds_total", "Rounds that began.")
RUNS = _counter("seatrial_runs_total", "Runs that ended.", "verdict")
RUN_SECONDS = _histogram("seatrial_run_duration_seconds", "How long runs took.")
IN_FLIGHT = _gauge("seatrial_experiments_in_flight", "Scenarios that are running, their clean-up included.")
SCENARIO_SECONDS = _histogram(
    "seatrial_scenario_duration_seconds", "How long scenarios took, their clean-up included.", "name"
)
STEPS = _counter("seatrial_steps_total", "Steps that ended, by type and verdict.", "step", "verdict")
STEP_SECONDS = _histogram("seatrial_step_duration_seconds", "How long steps took, by type.", "step")
RECOVERY_SECONDS = _histogram(
    "seatrial_pod_recovery_seconds",
    "Time since the kill of a pod until it was gone, its replacement created, scheduled, running, ready (the moment).",
    "moment",
)
CONTAINER_SECONDS = _histogram(
    "seatrial_container_recovery_seconds",
    "Time since a signal to a container's main process until it had ended, and was ready again (the moment).",
    "moment",
)
RECOVERIES_MISSED = _counter(
    "seatrial_pod_recoveries_missed_total", "Killed pods whose replacement was not seen to be ready in time."
)
EVICTIONS = _counter("seatrial_evictions_total", "Evictions; result is granted or blocked (by a budget).", "result")
PROBES = _counter("seatrial_probe_requests_total", "Requests of probes; result is ok or failed.", "target", "result")
PROBE_SECONDS = _histogram(
    "seatrial_probe_latency_seconds", "How long answered requests of probes took.", "target", buckets=_SHORT
)
MESH_FAILED = _counter("seatrial_mesh_failed_calls_total", "Calls between goldpinger's instances that failed.")
MEASUREMENT_SECONDS = _histogram(
    "seatrial_measurement_seconds",
    "Measurements by name: those that steps name, and the built-in ones (timeToRecover, ...).",
    "name",
)
MEASUREMENTS_CUT_SHORT = _counter(
    "seatrial_measurements_cut_short_total",
    "Measurements of what had not come when nobody waited any more: it took longer than any of the histogram's.",
    "name",
)
STEADY_STATE_SAMPLES = _counter(
    "seatrial_steady_state_samples_total",
    "Samples of steady states while steps ran; result is ok, failed or unseen.",
    "probe", "result",
)  # fmt: skip
STEADY_STATE_OUTAGES = _histogram(
    "seatrial_steady_state_outage_seconds", "How long a steady state was lost before it held again.", "probe"
)
STEADY_STATE_LATENCY = _histogram(
    "seatrial_steady_state_latency_seconds",
    "Time from when a sample of a steady state was due until it was answered, however late it began.",
    "probe", buckets=_SHORT,
)  # fmt: skip
OUTAGE_SECONDS = _histogram(
    "seatrial_outage_seconds", "How long every sample of a steady state's probe failed, one after the other.", "probe"
)
ABORTS = _counter("seatrial_experiments_aborted_total", "Experiments that a condition of abortWhen ended.")
FAULTS = _counter(
    "seatrial_faults_total", "Faults; proof is proven (it happened), cleared (it is gone) or missing.", "proof"
)
NOTIFICATIONS = _counter(
    "seatrial_notifications_total", "Messages to channels of config.notify that were taken (sent) or not (failed).",
    "channel", "result",
)  # fmt: skip
UNDOS = _counter("seatrial_undos_total", "Changes that were undone (done) or could not be (failed).", "result")
UNDO_RETRIES = _counter("seatrial_undo_retries_total", "Undos that failed for a passing reason and were tried again.")
GUARDRAILS = _counter("seatrial_guardrail_refusals_total", "Times that a guardrail refused to act.", "guardrail")
HALTS = _counter("seatrial_halts_total", "Runs that ended because all experiments on the cluster were halted.")
HALTED = _gauge("seatrial_halted", "Whether the run was halted with all experiments on the cluster: 1 if so, else 0.")
SCHEDULE_MISSED = _counter("seatrial_schedule_missed_total", "Times of the schedule at which no round began.")
POLICY_REJECTED = _gauge(
    "seatrial_policy_rejected",
    "Whether the policy's file says what can't be used, and what it said before holds: 1 if so, else 0.",
)
ROUND_STARTED_AT = _gauge("seatrial_round_started_timestamp_seconds", "When the latest round began (Unix time).")
NEXT_ROUND_AT = _gauge(
    "seatrial_next_round_timestamp_seconds", "When the next round begins (Unix time); only while it is waited for."
)
SCENARIO_VERDICT = _gauge(
    "seatrial_scenario_verdict",
    "What a scenario came to the last time: 1 for the verdict that it had, 0 for the others.",
    "name", "verdict",
)  # fmt: skip
SCENARIO_FINISHED_AT = _gauge(
    "seatrial_scenario_finished_timestamp_seconds", "When a scenario ended the last time (Unix time).", "name"
)
RUN_VERDICT = _gauge(
    "seatrial_run_verdict",
    "What the run came to: 1 for its verdict, 0 for the others; only once it is over.",
    "verdict",
)
RUN_FINISHED_AT = _gauge("seatrial_run_finished_timestamp_seconds", "When the run ended (Unix time).")

OBJECTIVE_INFO = _gauge(
    "seatrial_objective_info",
    "Always 1; what an objective of a scenario measures, over which window.",
    "scenario", "objective", "measurement", "window",
)  # fmt: skip
OBJECTIVE_STATUS = _gauge(
    "seatrial_objective_status",
    "Whether an objective holds: 1 for its status (met, violated or undecided: not enough evidence), 0 for the others.",
    "scenario", "objective", "status",
)  # fmt: skip
OBJECTIVE_JUDGED_AT = _gauge(
    "seatrial_objective_judged_timestamp_seconds", "When an objective was judged the last time (Unix time).",
    "scenario", "objective",
)  # fmt: skip
OBJECTIVE_SAMPLES = _gauge(
    "seatrial_objective_samples", "How many values the window of an objective holds.", "scenario", "objective"
)
OBJECTIVE_MORE_RUNS = _gauge(
    "seatrial_objective_more_runs_needed",
    "How many more runs it takes at least before an objective can be met; only where that is known.",
    "scenario", "objective",
)  # fmt: skip
OBJECTIVE_WARNINGS = _gauge(
    "seatrial_objective_warnings",
    "Findings in what an objective measures that change no status: a trend, a jump, runs without a value.",
    "scenario", "objective",
)  # fmt: skip
OBJECTIVE_UNREADABLE = _gauge(
    "seatrial_objective_unreadable",
    "Whether the values of an objective could not be read from where runs are kept: 1 if so, else 0.",
    "scenario", "objective",
)  # fmt: skip
OBJECTIVE_CONFIDENCE = _gauge(
    "seatrial_objective_confidence_ratio", "How sure an objective wants to be, from 0 to 1.", "scenario", "objective"
)
LIMIT_SECONDS = _gauge(
    "seatrial_objective_limit_seconds", "What an objective about times is held to.", "scenario", "objective"
)
ESTIMATE_SECONDS = _gauge(
    "seatrial_objective_estimate_seconds", "The best estimate of what an objective holds to its limit.",
    "scenario", "objective",
)  # fmt: skip
LOWER_SECONDS = _gauge(
    "seatrial_objective_lower_bound_seconds", "It is no less than this, at the confidence of the objective.",
    "scenario", "objective",
)  # fmt: skip
UPPER_SECONDS = _gauge(
    "seatrial_objective_upper_bound_seconds", "It is no more than this, at the confidence of the objective.",
    "scenario", "objective",
)  # fmt: skip
LIMIT_RATIO = _gauge(
    "seatrial_objective_limit_ratio", "What an objective about shares is held to, from 0 to 1.", "scenario", "objective"
)
ESTIMATE_RATIO = _gauge(
    "seatrial_objective_estimate_ratio", "The best estimate of the share that an objective holds to its limit.",
    "scenario", "objective",
)  # fmt: skip
LOWER_RATIO = _gauge(
    "seatrial_objective_lower_bound_ratio", "The share is no less than this, at the confidence of the objective.",
    "scenario", "objective",
)  # fmt: skip
UPPER_RATIO = _gauge(
    "seatrial_objective_upper_bound_ratio", "The share is no more than this, at the confidence of the objective.",
    "scenario", "objective",
)  # fmt: skip
BUDGET_TARGET = _gauge(
    "seatrial_error_budget_target_ratio", "The share that has to be good, from 0 to 1.", "scenario", "objective"
)
BUDGET_LEFT = _gauge(
    "seatrial_error_budget_left_ratio", "The share of an error budget that is left; below 0 it is overspent.",
    "scenario", "objective",
)  # fmt: skip
BURN_RATE = _gauge(
    "seatrial_error_budget_burn_rate",
    "How fast an error budget was spent in the last 5m, 1h, 6h; at 1 it lasts as long as the objective's window.",
    "scenario", "objective", "window",
)  # fmt: skip

OBJECTIVE_STATUSES = {
    ObjectiveStatus.MET: "met",
    ObjectiveStatus.VIOLATED: "violated",
    ObjectiveStatus.UNDECIDED: "undecided",
}
"""What the label `status` says."""

METRICS: tuple[Metric, ...] = tuple(each for each in globals().values() if isinstance(each, Metric))
"""All metrics, in the order of this module."""

OPEN_ENDED_LABELS = frozenset(
    {
        "namespace",
        "name",
        "id",
        "target",
        "probe",
        "guardrail",
        "step",
        "scenario",
        "objective",
        "measurement",
        "window",
        "channel",
    }
)
"""Labels whose values come from the cluster or a policy: `limits` bounds how many there can be."""

BEFORE_ANYTHING = (
    Sample(EMPTY_MATCH, ("pods",), 0),
    Sample(EMPTY_MATCH, ("nodes",), 0),
    Sample(IN_FLIGHT, (), 0),
    Sample(HALTED, (), 0),
    Sample(POLICY_REJECTED, (), 0),
    *(Sample(RUNS, (verdict,), 0) for verdict in Verdict),
    *(Sample(UNDOS, (result,), 0) for result in ("done", "failed")),
    *(Sample(FAULTS, (proof,), 0) for proof in ("proven", "cleared", "missing")),
)
"""Series that are there from the start, at 0, so that an alert sees their first increase."""
