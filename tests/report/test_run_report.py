"""What a report says of a run, gathered from what a store keeps."""

import msgspec
import pytest

from seatrial.report.run_report.parts import in_parts, length_for
from seatrial.runtime.events import (
    FaultCleared,
    FaultProven,
    MachineStarted,
    MachineStopped,
    MeasurementTaken,
    MeshSampled,
    ObjectiveStatus,
    PolicyReloaded,
    ProbeSampled,
    SampleTaken,
    ScenarioStarted,
    SteadyStateSampled,
    StopRequested,
    UndoDone,
    UndoWritten,
    Where,
)
from seatrial.runtime.verdict import Verdict
from seatrial.storage.records import RunState
from tests.report.kept_runs import PROBE, SCENARIO, begun, long_run, numbered, report_of, run_record, small_run


@pytest.fixture(scope="module", name="small")
def _small():
    return report_of(small_run().records)


@pytest.fixture(scope="module", name="long")
def _long():
    return report_of(long_run(400).records)


def part(parts, name):
    return next(each for each in parts if each.name == name)


def test_the_verdict_is_that_of_the_run(small):
    """With its reasons, its exit code, and how far it came."""
    assert small.verdict is Verdict.FAILED
    assert small.exit_code == 1
    assert small.reasons[0].endswith("the Service did not answer")
    assert (small.run.state, small.run.rounds, small.run.rounds_planned) == (RunState.ENDED, 3, 3)
    assert small.incomplete == ""


def test_rounds_are_counted_by_scenario_with_their_reasons(long):
    """The most frequent reason comes first."""
    (told,) = long.scenarios
    assert (told.passed, told.failed, told.inconclusive) == (394, 4, 2)
    assert list(told.reasons.items()) == [("the Service did not answer", 4), ("unseen", 2)]


def test_the_worst_rounds_are_told_in_detail_in_their_order(long):
    """Failed ones, then inconclusive ones, then what took longest."""
    told = [(each.round, each.verdict) for each in long.details]
    assert len(told) == 8
    assert [number for number, _ in told] == sorted(number for number, _ in told)
    assert {number for number, verdict in told if verdict is not Verdict.PASSED} == {40, 100, 137, 234, 311, 331}


def test_a_round_has_its_steps_faults_outages_and_probes(small):
    """On one scale of time, in seconds since its scenario began."""
    second = small.details[1]
    assert [(each.key, each.verdict) for each in second.steps] == [
        ("podAction", Verdict.PASSED),
        ("probeHTTP", Verdict.FAILED),
    ]
    fault = next(each for each in second.spans if each.kind == "fault")
    assert fault.label == "default/goldpinger-a"
    assert fault.text == "killed; its object is gone; until goldpinger-d was Ready"
    assert 0 < fault.start_seconds < fault.end_seconds < second.seconds
    (outage,) = [each for each in second.spans if each.kind == "outage"]
    (lane,) = second.lanes
    failed = [each for each in lane.buckets if each.failed]
    assert outage.start_seconds == pytest.approx(failed[0].start_seconds, abs=0.05)
    assert outage.end_seconds - outage.start_seconds == pytest.approx(
        small.availability[0].longest_outage_seconds, abs=0.002
    )
    assert sum(each.failed + each.succeeded for each in lane.buckets) == 20


def test_a_fault_that_was_not_seen_to_end_has_no_end(small):
    """Nobody saw a replacement in the third round."""
    fault = next(each for each in small.details[2].spans if each.kind == "fault")
    assert fault.end_seconds is None
    assert "nobody came" in fault.text


def test_a_workload_that_is_gone_ends_the_faults_in_its_pods():
    """A copy of a Deployment is proven pod by pod, and cleared as a whole; pods of others are not meant."""
    line = begun()
    line.where = Where(round=1, scenario=SCENARIO)
    line.add(ScenarioStarted(name=SCENARIO, description=""))
    for pod in ("shop-chaos-5d-x", "shop-5d-y"):
        line.add(FaultProven(subject=f"pod default/{pod}", proof="it is slow"), after=1)
    line.add(FaultCleared(subject="Deployment default/shop-chaos", proof="it is gone"), after=1)
    spans = {each.label: each for each in report_of(line.records).details[0].spans}
    assert spans["default/shop-chaos-5d-x"].end_seconds == 3
    assert spans["default/shop-5d-y"].end_seconds is None


def test_the_account_of_a_round_is_that_of_the_terminal(small):
    """In the same words, with the time since the scenario began."""
    said = {each.label: each for each in small.details[0].account}
    assert said["killed"].text == "default/goldpinger-a, at once (the API server answered in 2 ms)"
    assert 0 < said["killed"].at_seconds < said["undone"].at_seconds


def test_times_have_quantiles_with_bounds(long):
    """Those that never came count as longer than all others, and an objective's limit goes with its measurement."""
    told = part(long.measurements, "timeToRecover")
    assert long.measurements[0] is told
    assert (told.count, told.unended) == (400, 2)
    assert sum(each.count for each in told.bins) == 398
    median = told.quantiles[0]
    assert median.lower < median.estimate < median.upper
    assert [(each.limit, each.status) for each in told.limits] == [(0.5, ObjectiveStatus.VIOLATED)]
    assert told.meaning


def test_bins_begin_and_end_at_round_figures():
    """And hold every value, also the largest, and the only one."""
    line = begun()
    for seconds in (0.31, 0.4, 0.5, 0.9):
        line.add(MeasurementTaken(name="warmUp", of="it", seconds=seconds))
    told = part(report_of(line.records).measurements, "warmUp")
    assert [(each.start, each.end, each.count) for each in told.bins] == [
        (0.2, 0.4, 1), (0.4, 0.6, 2), (0.6, 0.8, 0), (0.8, 1.0, 1),
    ]  # fmt: skip
    line = begun()
    line.add(MeasurementTaken(name="warmUp", of="it", seconds=0.0))
    (only,) = part(report_of(line.records).measurements, "warmUp").bins
    assert only.count == 1


def test_times_and_samples_are_told_over_the_time_of_the_run(long):
    """In parts of one length that together hold all of them."""
    told = part(long.measurements, "timeToRecover")
    assert sum(each.count for each in told.course) == 400
    assert sum(each.unended for each in told.course) == 2
    assert {round(each.end_seconds - each.start_seconds, 6) for each in told.course} == {5}
    assert max(each.largest for each in told.course) < told.largest == 30
    (probe,) = long.availability
    assert sum(each.ok + each.failed for each in probe.course) == probe.samples
    assert sum(each.failed for each in probe.course) == probe.failed


def test_a_run_has_a_bounded_number_of_parts():
    """A minute's are a second long, those of a month some hours, those of a decade whole days."""
    assert [length_for(seconds) for seconds in (0, 60, 3600, 30 * 86400)] == [1, 1, 30, 43200]
    assert length_for(3600, shortest=60) == 60
    decade = 3653 * 86400
    assert decade / length_for(decade) <= 120
    assert list(in_parts([(0.0, "a"), (9.9, "b"), (10.0, "c"), (35.0, "d")], length=10)) == [
        (0, ["a", "b"]), (10, ["c"]), (30, ["d"]),
    ]  # fmt: skip


def test_a_machine_that_is_stopped_is_one_lane_until_its_node_is_ready():
    """Its stop, the proof of it and its start are one fault; the node that the cluster missed is back with it."""
    line = begun()
    line.where = Where(round=1, scenario=SCENARIO)
    line.add(ScenarioStarted(name=SCENARIO, description=""))
    line.add(MachineStopped(id="i-1", name="node1", force=True, duration_ms=9), after=1)
    line.add(FaultProven(subject="stop of machine i-1", proof="it is DOWN"))
    line.add(FaultProven(subject="node node1 not Ready", proof="the cluster missed it"), after=1)
    line.add(MachineStarted(id="i-1", name="node1", duration_ms=9), after=1)
    line.add(FaultCleared(subject="stop of machine i-1", proof="node node1 is Ready"), after=1)
    machine, node = report_of(line.records).details[0].spans
    assert (machine.label, machine.start_seconds, machine.end_seconds) == ("machine of node1", 1, 4)
    assert machine.text == "stopped; it is DOWN; until it was up; node node1 is Ready"
    assert (node.label, node.start_seconds, node.end_seconds) == ("node node1 not Ready", 2, 4)


def test_probes_are_told_by_step():
    """A Service that is made in each round has another address each time: that is one line, not one for each."""
    line = begun()
    for number in range(1, 4):
        line.where = Where(round=number, scenario=SCENARIO, step=1)
        target = f"http://10.0.0.{number}/"
        probed = {"target": target, "via": "clusterIP", "status": None, "latency_ms": None, "attempt": 1}
        line.add(ProbeSampled(**probed, ok=False, error="refused"))
        line.add(ProbeSampled(**probed, ok=True, error=""))
    (told,) = report_of(line.records).probes
    assert (told.scenario, told.step, told.target) == (SCENARIO, 1, "http://10.0.0.1/ and 2 others")
    assert (told.succeeded, told.failed, told.last_error) == (3, 3, "refused")


def test_availability_takes_the_samples_of_a_round_together(long):
    """Share, bounds, outages and latencies of a steady state's probe."""
    (told,) = long.availability
    assert (told.scenario, told.probe) == (SCENARIO, PROBE)
    assert (told.samples, told.failed, told.unseen, told.outages) == (8000, 20, 0, 4)
    assert told.share == pytest.approx(7980 / 8000)
    assert told.lower < told.share < told.upper
    assert [each.round for each in told.worst_outages] != []
    assert told.worst_outages[0].seconds == told.longest_outage_seconds
    assert told.worst_outages[0].reason == "connection refused"
    assert 1 < told.latency.p50_ms < told.latency.p95_ms <= told.latency.max_ms < 9.1


def test_samples_of_a_round_without_an_end_count():
    """A run that died in its first round has an availability."""
    records = [each for each in small_run().records[:40] if not isinstance(each.event, SteadyStateSampled)]
    samples = [each for each in records if isinstance(each.event, SampleTaken)]
    (told,) = report_of(list(numbered(records))).availability
    assert told.samples == len(samples) > 0


def test_the_mesh_is_shown_at_three_moments_of_the_worst_round(small):
    """The pod that was killed is in the middle one, though it is gone: its peers call it in vain."""
    assert [each.moment for each in small.mesh.looks] == ["before", "during", "end"]
    during = small.mesh.looks[1]
    assert during.failed == ("goldpinger-b -> goldpinger-a", "goldpinger-c -> goldpinger-a")
    assert during.names == ("goldpinger-a", "goldpinger-b", "goldpinger-c")
    assert len(during.calls_ms) == len(during.calls_ms[0]) == 3
    assert small.mesh.degraded == 3


def test_slow_calls_are_the_worst_where_none_fails():
    """Also where a copy of the service joins the mesh: fewer instances before it came are no loss."""
    line = begun()
    line.where = Where(round=1, scenario=SCENARIO)
    line.add(ScenarioStarted(name=SCENARIO, description=""))
    looks = [(("a", "b"), 5.0), (("a", "b"), 9.0), (("a", "b", "copy"), 260.0), (("a", "b", "copy"), 12.0)]
    for number, (names, ms) in enumerate(looks):
        row = (ms,) * len(names)
        times = (row,) * len(names)
        look = {"instances": len(names), "pairs": len(names) ** 2, "names": names, "calls_ms": times}
        line.add(MeshSampled(failed=(), slowest_ms=ms, **look), after=0.5)
        if not number:
            line.add(UndoWritten(description="delete the copy"))
    looked = report_of(line.records).mesh.looks
    assert [each.slowest_ms for each in looked] == [5.0, 260.0, 12.0]


def test_the_mesh_during_a_fault_is_not_that_of_its_making():
    """A copy that comes up is missed by a call or two; what it is for shows when its fault is proven to be there."""
    line = begun()
    line.where = Where(round=1, scenario=SCENARIO)
    line.add(ScenarioStarted(name=SCENARIO, description=""))

    def look(ms, *failed):
        names, times = ("a", "copy"), ((1.0, ms), (ms, 1.0))
        line.add(MeshSampled(instances=2, pairs=4, failed=failed, slowest_ms=ms, names=names, calls_ms=times), after=1)

    look(2.0)
    line.add(UndoWritten(description="delete the copy"))
    look(3.0, "a -> copy")
    line.add(FaultProven(subject="pod default/copy", proof="it is slow"))
    look(250.0)
    assert [(each.moment, each.slowest_ms) for each in report_of(line.records).mesh.looks] == [
        ("before", 2.0), ("during", 250.0), ("end", 250.0),
    ]  # fmt: skip
    line.add(UndoDone(description="delete the copy"))
    look(2.0)
    assert [(each.moment, each.slowest_ms) for each in report_of(line.records).mesh.looks][-1] == ("after", 2.0)


def test_evidence_is_counted_and_told_once(small):
    """What was told in several rounds stands there once, with how often."""
    evidence = small.evidence
    assert (evidence.proven, evidence.cleared, evidence.missing) == (3, 2, 1)
    assert {(each.kind, each.times) for each in evidence.latest} == {("proven", 3), ("cleared", 2), ("missing", 1)}


def test_clean_up_says_what_a_person_must_do(small):
    """What was undone, and what could not be, with its command."""
    assert (small.undo.written, small.undo.done) == (3, 3)
    assert [each.manual for each in small.undo.failed] == ["kubectl uncordon node2"]


def test_warnings_are_told_once_in_the_words_of_the_account(long):
    """With how often they came; those of objectives as they are at the end."""
    assert long.warnings == (
        "no recovery: default/goldpinger-a: nobody came (2 times)",
        f"{SCENARIO}: 95 % recover within 500 ms: the times grow: 3 % a round (p = 0.01)",
    )


def test_only_a_stop_in_a_hurry_is_a_warning():
    """That a run was stopped is said by its verdict; that its clean-up had little time is not."""
    line = begun()
    line.add(StopRequested(reason="SIGINT", hurry=False))
    line.add(StopRequested(reason="SIGINT", hurry=True))
    assert report_of(line.records).warnings == ("stop: SIGINT again: clean-up gets a few seconds a piece",)


def test_a_policy_that_changed_while_it_ran_is_a_warning():
    """With what changed: the text below is that of the beginning."""
    line = begun()
    changed = PolicyReloaded(
        policy="kill-one.yml", changes=("scenario x is new",), policy_text="scenarios: []", digests={}
    )
    line.add(changed)
    (warning,) = report_of(line.records).warnings
    assert warning == "policy: kill-one.yml has changed; from here on: scenario x is new"


def test_an_objective_has_the_way_it_came(long):
    """Bounded in length, from the first round to the last."""
    (told,) = long.objectives
    assert told.status is ObjectiveStatus.VIOLATED
    assert told.trail[0].round == 1
    assert told.trail[-1].round == 400
    assert len(told.trail) <= 301


def test_the_command_has_the_seed():
    """The command line as it was, with the seed where it had none."""
    known = run_record(command="seatrial autonomous --sandbox --policy-file p.yml")
    assert report_of(small_run().records, known).reproduction.command.endswith("--policy-file p.yml --seed 42")
    seeded = msgspec.structs.replace(known, command="seatrial autonomous --seed 42 --policy-file p.yml")
    assert report_of(small_run().records, seeded).reproduction.command == seeded.command


def test_the_command_overwrites_no_report():
    """Who runs it again to see whether it happens again still has the report that says what happened."""
    known = run_record(command="seatrial autonomous --report a.html --report=b.xml --policy-file 'my p.yml' --seed=5")
    command = report_of(small_run().records, known).reproduction.command
    assert command == "seatrial autonomous --policy-file 'my p.yml' --seed=5"


def test_secrets_that_were_left_out_are_said():
    """The policy is not the whole of it."""
    told = report_of(small_run().records, run_record(redacted=2))
    assert told.incomplete == "2 secrets of the policy are left out."
    assert any("secrets" in each for each in told.reproduction.notes)
