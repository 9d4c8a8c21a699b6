"""The metrics of a run: the table of all, and the bounds of their series.

`samples` tells what each event means to them. Names that begin with `seal_` are PowerfulSeal's, with its labels and
values, so that dashboards and alerts made for it go on working; `seatrial_` are our own.
"""

from dataclasses import dataclass
from typing import Literal

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
MEASUREMENT_SECONDS = _histogram("seatrial_measurement_seconds", "Named measurements of steps.", "name")
STEADY_STATE_SAMPLES = _counter(
    "seatrial_steady_state_samples_total",
    "Samples of steady states while steps ran; result is ok, failed or unseen.",
    "probe", "result",
)  # fmt: skip
STEADY_STATE_OUTAGES = _histogram(
    "seatrial_steady_state_outage_seconds", "How long a steady state was lost before it held again.", "probe"
)
ABORTS = _counter("seatrial_experiments_aborted_total", "Experiments that a condition of abortWhen ended.")
FAULTS = _counter(
    "seatrial_faults_total", "Faults; proof is proven (it happened), cleared (it is gone) or missing.", "proof"
)
UNDOS = _counter("seatrial_undos_total", "Changes that were undone (done) or could not be (failed).", "result")
UNDO_RETRIES = _counter("seatrial_undo_retries_total", "Undos that failed for a passing reason and were tried again.")
GUARDRAILS = _counter("seatrial_guardrail_refusals_total", "Times that a guardrail refused to act.", "guardrail")
HALTS = _counter("seatrial_halts_total", "Runs that ended because all experiments on the cluster were halted.")

METRICS: tuple[Metric, ...] = tuple(each for each in globals().values() if isinstance(each, Metric))
"""All metrics, in the order of this module."""

OPEN_ENDED_LABELS = frozenset({"namespace", "name", "id", "target", "probe", "guardrail", "step"})
"""Labels whose values come from the cluster or a policy: `Limits` bounds how many there can be."""

BEFORE_ANYTHING = (
    Sample(EMPTY_MATCH, ("pods",), 0),
    Sample(EMPTY_MATCH, ("nodes",), 0),
    Sample(IN_FLIGHT, (), 0),
    *(Sample(RUNS, (verdict,), 0) for verdict in Verdict),
    *(Sample(UNDOS, (result,), 0) for result in ("done", "failed")),
)
"""Series that are there from the start, at 0, so that an alert sees their first increase."""


class Limits:
    """Bounds the number of series: pods come and go for as long as a run lasts, and monitoring has to hold them all.

    The first `most` combinations of a metric's labels keep their names. Those that come later are counted together, as
    `other`: first in the last label only (which pod), then (after as many again) in all, so that sums stay right.
    """

    OTHER = "other"

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self._seen: dict[str, set[tuple[str, ...]]] = {}

    def apply(self, sample: Sample) -> Sample:
        """The sample with labels that are within the bounds."""
        return Sample(sample.metric, self._kept(sample.metric, sample.labels), sample.value)

    def _kept(self, metric: Metric, labels: tuple[str, ...]) -> tuple[str, ...]:
        open_ended = [index for index, label in enumerate(metric.labels) if label in OPEN_ENDED_LABELS]
        if not open_ended:
            return labels
        seen = self._seen.setdefault(metric.name, set())
        without_last = _replaced(labels, open_ended[-1:], self.OTHER)
        for candidate, most in ((labels, self._most), (without_last, 2 * self._most)):
            if candidate in seen or len(seen) < most:
                seen.add(candidate)
                return candidate
        return _replaced(labels, open_ended, self.OTHER)


def _replaced(labels: tuple[str, ...], indexes: list[int], value: str) -> tuple[str, ...]:
    return tuple(value if index in indexes else label for index, label in enumerate(labels))
