from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from seatrial.runtime.events import (
    MeasurementTaken,
    PauseStarted,
    PodRecovered,
    RoundStarted,
    RunFinished,
    ScenarioFinished,
)
from seatrial.runtime.verdict import Verdict
from seatrial.slo.measurements import measurements_of
from seatrial.telemetry.metrics.limits import Limits
from seatrial.telemetry.metrics.samples import changes_of
from seatrial.telemetry.metrics.table import (
    BEFORE_ANYTHING,
    BUDGET_LEFT,
    MEASUREMENT_SECONDS,
    MEASUREMENTS_CUT_SHORT,
    METRICS,
    OPEN_ENDED_LABELS,
    POD_KILLS,
    PROBES,
    Level,
    Sample,
)
from tests.report.conftest import records_of
from tests.telemetry.meanings import AVAILABILITY_JUDGED, CASES, EVENTS, JUDGED, POD, REJECTED, RELOADED

OF_MEASUREMENTS = (MEASUREMENT_SECONDS, MEASUREMENTS_CUT_SHORT)


def changes(event):
    """What an event means, at second 100 of Unix time, in a scenario called Kill half."""
    record = replace(records_of([event])[0], time=datetime.fromtimestamp(100, UTC))
    return list(changes_of(record))


def samples(event):
    return [each for each in changes(event) if isinstance(each, Sample)]


def levels(event):
    return {(each.metric.name, each.labels): each.value for each in changes(event) if isinstance(each, Level)}


@pytest.mark.parametrize(
    ("event", "expected"), CASES, ids=[f"{type(event).__name__}-{index}" for index, (event, _) in enumerate(CASES)]
)
def test_what_an_event_means(event, expected):
    """Each event is worth exactly these samples, PowerfulSeal's names with its labels among them."""
    counted = [each for each in samples(event) if each.metric not in OF_MEASUREMENTS]
    assert [(each.metric.name, each.labels, each.value) for each in counted] == expected


def test_measurements_are_those_that_objectives_are_judged_by():
    """Times go into the histogram under their names; what was cut short is counted apart; yes and no is no time."""
    recovered = PodRecovered(
        pod=POD, replacement=POD, gone_ms=None, created_ms=100, scheduled_ms=None, running_ms=800, ready_ms=900
    )
    expected = {
        (each.name, each.value) for each in measurements_of(records_of([recovered])[0]) if not each.is_lower_bound
    }
    seen = {(each.labels[0], each.value) for each in samples(recovered) if each.metric is MEASUREMENT_SECONDS}
    assert {("timeToReplace", 0.1), ("timeToRecover", 0.9)} <= seen == expected
    late = MeasurementTaken(name="scaled", of="web", seconds=60, is_lower_bound=True)
    assert samples(late) == [Sample(MEASUREMENTS_CUT_SHORT, ("scaled",))]
    taken = MeasurementTaken(name="scaled", of="web", seconds=3)
    assert samples(taken) == [Sample(MEASUREMENT_SECONDS, ("scaled",), 3)]
    finished = ScenarioFinished(name="s", verdict=Verdict.PASSED, reasons=(), duration_ms=1)
    assert not [each for each in samples(finished) if each.metric in OF_MEASUREMENTS]


def test_every_metric_is_fed():
    """No metric of the table stays at nothing whatever happens."""
    fed = {change.metric.name for event in EVENTS for change in changes(event)}
    assert {metric.name for metric in METRICS} - fed == {"seatrial_build_info"}


def test_every_change_has_the_labels_of_its_metric():
    """As many values as labels, each a text that is not empty."""
    for change in [*BEFORE_ANYTHING, *(each for event in EVENTS for each in changes(event))]:
        assert len(change.labels) == len(change.metric.labels)
        assert all(change.labels)


def test_the_words_for_a_scenarios_result_are_powerfulseals():
    """`success` and `fail`, and a third word for what is neither."""
    said = {}
    for verdict in Verdict:
        finished = ScenarioFinished(name="s", verdict=verdict, reasons=(), duration_ms=1)
        said[verdict] = next(each.labels[1] for each in samples(finished) if "runs" in each.metric.name)
    assert said == {Verdict.PASSED: "success", Verdict.FAILED: "fail", Verdict.INCONCLUSIVE: "inconclusive"}


def test_the_latest_verdict_of_a_scenario_stands():
    """A 1 for the verdict that it had, a 0 for the others; and when that was."""
    finished = ScenarioFinished(name="s", verdict=Verdict.FAILED, reasons=("r",), duration_ms=1)
    assert levels(finished) == {
        ("seatrial_scenario_verdict", ("s", "passed")): 0,
        ("seatrial_scenario_verdict", ("s", "failed")): 1,
        ("seatrial_scenario_verdict", ("s", "inconclusive")): 0,
        ("seatrial_scenario_finished_timestamp_seconds", ("s",)): 100,
    }


def test_the_next_round_is_known_while_it_is_waited_for():
    """From the pause on; no longer once it has begun, or the run is over."""
    until = "seatrial_next_round_timestamp_seconds"
    assert levels(PauseStarted(seconds=30)) == {(until, ()): 130}
    assert levels(PauseStarted(seconds=30, until=datetime.fromtimestamp(150, UTC))) == {(until, ()): 150}
    assert levels(RoundStarted(number=2)) == {("seatrial_round_started_timestamp_seconds", ()): 100, (until, ()): None}
    finished = RunFinished(verdict=Verdict.PASSED, reasons=(), exit_code=0, duration_ms=1, rounds=1)
    assert levels(finished) == {
        ("seatrial_run_verdict", ("passed",)): 1,
        ("seatrial_run_verdict", ("failed",)): 0,
        ("seatrial_run_verdict", ("inconclusive",)): 0,
        ("seatrial_run_finished_timestamp_seconds", ()): 100,
        (until, ()): None,
    }


def test_what_is_known_of_an_objective_about_times():
    """Status as a set of states, bounds in seconds, a budget with its burn rates where anything was seen."""
    of = ("Kill half", "healing")
    assert levels(JUDGED) == {
        ("seatrial_objective_info", (*of, "timeToRecover", "30d")): 1,
        ("seatrial_objective_status", (*of, "met")): 0,
        ("seatrial_objective_status", (*of, "violated")): 1,
        ("seatrial_objective_status", (*of, "undecided")): 0,
        ("seatrial_objective_judged_timestamp_seconds", of): 100,
        ("seatrial_objective_samples", of): 212,
        ("seatrial_objective_more_runs_needed", of): None,
        ("seatrial_objective_confidence_ratio", of): 0.95,
        ("seatrial_objective_warnings", of): 1,
        ("seatrial_objective_unreadable", of): 0,
        ("seatrial_objective_limit_seconds", of): 30,
        ("seatrial_objective_estimate_seconds", of): 33.5,
        ("seatrial_objective_lower_bound_seconds", of): 31,
        ("seatrial_objective_upper_bound_seconds", of): None,
        ("seatrial_error_budget_target_ratio", of): 0.99,
        ("seatrial_error_budget_left_ratio", of): -0.5,
        ("seatrial_error_budget_burn_rate", (*of, "5m")): None,
        ("seatrial_error_budget_burn_rate", (*of, "1h")): 20,
        ("seatrial_error_budget_burn_rate", (*of, "6h")): 3,
    }


def test_what_is_known_of_an_objective_about_shares():
    """The same in ratios; without a budget there is none."""
    told = {name: value for (name, _), value in levels(AVAILABILITY_JUDGED).items() if name.endswith("_ratio")}
    assert told == {
        "seatrial_objective_confidence_ratio": 0.9,
        "seatrial_objective_limit_ratio": 0.999,
        "seatrial_objective_estimate_ratio": 0.99,
        "seatrial_objective_lower_bound_ratio": 0.9,
        "seatrial_objective_upper_bound_ratio": 1,
    }


def test_values_that_can_not_be_read_are_told():
    """Apart from the status, which is undecided as it is when there are too few."""
    told = levels(replace(AVAILABILITY_JUDGED, problem="the disk is full"))
    assert told["seatrial_objective_unreadable", ("Kill half", "up")] == 1


def test_a_policy_that_can_not_be_used_is_told():
    """Until it can."""
    assert levels(REJECTED) == {("seatrial_policy_rejected", ()): 1}
    assert levels(RELOADED) == {("seatrial_policy_rejected", ()): 0}


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


def test_levels_beyond_the_bound_are_left_out():
    """A level of another objective can't be added to one: it is left out until one ends, which makes room."""
    limits = Limits(most=1)
    first = Level(BUDGET_LEFT, ("s", "a"), 0.5)
    assert limits.apply(first) == first
    assert limits.apply(Level(BUDGET_LEFT, ("s", "b"), 0.5)) is None
    limits.apply(Level(BUDGET_LEFT, ("s", "a"), None))
    assert limits.apply(Level(BUDGET_LEFT, ("s", "b"), 0.5)) == Level(BUDGET_LEFT, ("s", "b"), 0.5)
