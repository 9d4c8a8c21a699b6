"""What a store keeps and gives back: the same for SQLite and PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import msgspec
import pytest

from seatrial.errors import StateError, UsageError
from seatrial.runtime.events import (
    CommandOutput,
    ObjectiveJudged,
    ObjectiveStatus,
    PolicyReloaded,
    ProbeSampled,
    SampleTaken,
    UndoFailed,
    Where,
)
from seatrial.runtime.verdict import Verdict
from seatrial.slo.series import Count
from seatrial.storage.store import open_store
from tests.storage.sample_runs import (
    BEGIN,
    KEY,
    PROBE,
    a_run,
    measured,
    records,
    run_record,
    sample,
    sampled,
    scenario_over,
    started,
)

START = BEGIN.timestamp()


def filled(store, *events, run="run1", first=1, begin=BEGIN, round_=1, **changes):
    """Put a run with these events into a store."""
    record = run_record(run, started=begin.timestamp(), **changes)
    store.begin(record)
    store.add(record, records(*events, first=first, begin=begin, where=Where(round=round_, scenario="Kill half")))
    return record


def judged(status=ObjectiveStatus.MET, objective="fast"):
    return ObjectiveJudged(
        objective=objective, status=status, text=f"{objective}: {status}", measurement="timeToRecover", limit=5.0,
        confidence=0.95, window="24h", samples=3,
    )  # fmt: skip


def test_gives_back_what_a_run_was(store):
    """A run comes back with its policy, versions and seed, and with what it came to."""
    filled(store, *a_run())
    found = store.run("run1")
    assert (found.policy_text, found.seed, found.versions) == ("scenarios: []\n", "7", {"seatrial": "1"})
    assert (found.verdict, found.reasons, found.exit_code, found.rounds) == (Verdict.PASSED, ("why",), 0, 1)
    assert found.ended == START + 7


def test_gives_back_every_event(store):
    """What happened comes back as it was, in order, with its times and places."""
    sent = records(*a_run(), sample(START + 4.0), UndoFailed(description="ü", error="no", manual="rm -- 'x'"))
    store.begin(run_record())
    store.add(run_record(), sent)
    found = list(store.records("run1"))
    assert [each.event for each in found] == [each.event for each in sent]
    assert [(each.sequence, each.where) for each in found] == [(each.sequence, each.where) for each in sent]
    others = [(each.time, each.monotonic) for each in found if not isinstance(each.event, SampleTaken)]
    assert others == [(each.time, each.monotonic) for each in sent if not isinstance(each.event, SampleTaken)]


def test_takes_what_no_database_has(store):
    """Zero bytes and halves of characters, as names of files may have them, cost the mark and nothing else."""
    filled(store, started(), CommandOutput(id="1", name="n\0", line="a\udc80b\U0001f600"), policy="p\0\udc80.yml")
    output = list(store.records("run1"))[-1].event
    assert output.line.endswith("\U0001f600")
    assert store.run("run1").policy.startswith("p")


def test_finds_a_run_by_the_beginning_of_its_id(store):
    """As with git, a few characters do where they are enough; `last` is the latest."""
    filled(store, run="abc1")
    filled(store, run="abd2", begin=BEGIN + timedelta(hours=1))
    assert store.run("abc").id == "abc1"
    assert store.run("last").id == "abd2"
    with pytest.raises(UsageError, match="several runs begin with 'ab'"):
        store.run("ab")
    with pytest.raises(UsageError, match="there is no run 'x'"):
        store.run("x")
    with pytest.raises(UsageError, match="there is no run ''"):
        store.run("")


def test_lists_the_latest_runs_first(store):
    """As many as are asked for, of one policy where one is named."""
    for number in range(3):
        filled(store, run=f"run{number}", begin=BEGIN + timedelta(hours=number), policy=f"{number % 2}.yml")
    assert [each.id for each in store.runs()] == ["run2", "run1", "run0"]
    assert [each.id for each in store.runs(most=1)] == ["run2"]
    assert [each.id for each in store.runs(policy="0.yml")] == ["run2", "run0"]


def test_takes_nothing_twice(store):
    """Who doesn't know whether a transaction was carried out sends it again: nothing counts double."""
    record = run_record()
    sent = records(*a_run(), sample(START + 1), sample(START + 2))
    for _ in range(2):
        store.begin(record)
        store.add(record, sent)
    assert len(list(store.records("run1"))) == len(sent)
    assert len(store.measurements("run1")) == 3
    assert [each.ok for each in store.sample_minutes("run1")] == [2]


def test_a_series_has_the_values_of_all_its_runs(store):
    """Points come from every run of the scenario, in order of time, lower bounds marked."""
    filled(store, *a_run("run1"))
    filled(store, *a_run("run2"), run="run2", begin=BEGIN + timedelta(hours=1))
    found = store.points(KEY, "timeToRecover")
    assert [(each.value, each.run_id, each.is_lower_bound) for each in found] == [
        (1.5, "run1", False), (30.0, "run1", True), (1.5, "run2", False), (30.0, "run2", True),
    ]  # fmt: skip
    assert [each.value for each in store.points(KEY, "passed")] == [1.0, 1.0]
    assert store.points(msgspec.structs.replace(KEY, cluster="another"), "passed") == []
    assert store.points(KEY, "no such thing") == []


def test_an_edited_scenario_is_another_series(store):
    """What was measured before a scenario's steps were changed is not mixed with what is measured since."""
    filled(store, *a_run("run1"))
    filled(store, *a_run("run2"), run="run2", begin=BEGIN + timedelta(hours=1), digests={"Kill half": "d2"})
    assert {each.run_id for each in store.points(KEY, "passed")} == {"run1"}
    keys = store.keys()
    assert [each.digest for each in keys] == ["d2", "d1"]


def test_a_window_of_time(store):
    """With `since` come values that are not older."""
    filled(store, *a_run("run1"))
    filled(store, *a_run("run2"), run="run2", begin=BEGIN + timedelta(hours=1))
    assert {each.run_id for each in store.points(KEY, "passed", since=START + 1800)} == {"run2"}
    assert [each.run_id for each in store.counts(KEY, PROBE, since=START + 1800)] == ["run2"]


def test_a_window_of_runs(store):
    """With `last` come the values of the last so many runs of the scenario, rounds of one run counted singly."""
    record = run_record()
    store.begin(record)
    for number in range(1, 6):
        part = records(
            measured(number), sampled(number), scenario_over(),
            first=number * 10, begin=BEGIN + timedelta(minutes=number), where=Where(round=number, scenario="Kill half"),
        )  # fmt: skip
        store.add(record, part)
    assert [each.value for each in store.points(KEY, "timeToRecover", last=2)] == [4, 5]
    assert [each.round for each in store.counts(KEY, None, last=3)] == [3, 4, 5]
    assert len(store.points(KEY, "timeToRecover", last=100)) == 5
    assert [each.value for each in store.points(KEY, "timeToRecover", last=4, since=START + 4 * 60)] == [4, 5]


def test_counts_the_samples_of_each_run_of_a_scenario(store):
    """Good and bad samples of a probe, or of all; what could not be seen is neither."""
    other = msgspec.structs.replace(sampled(4, failed=4), probe="probes[1] (probeTCP)")
    filled(store, started(), sampled(10, failed=2, unseen=1), other, scenario_over())
    at = START + 1
    assert store.counts(KEY, None) == [Count(7, 6, at, "run1", 1)]
    assert store.counts(KEY, PROBE) == [Count(7, 2, at, "run1", 1)]
    assert store.counts(KEY, "1") == [Count(0, 4, at + 1, "run1", 1)]
    assert store.counts(KEY, "10") == []


def test_counts_the_samples_of_each_minute(store):
    """By when they were due."""
    filled(
        store, started(),
        sample(START + 1), sample(START + 59.9, "failed", None), sample(START + 60), sample(START + 61, "unseen", None),
        scenario_over(),
    )  # fmt: skip
    assert store.minutes(KEY, None, since=0) == [Count(1, 1, START), Count(1, 0, START + 60)]
    assert store.minutes(KEY, "0", since=START + 60) == [Count(1, 0, START + 60)]
    first, second = store.sample_minutes("run1")
    assert (first.ok, first.failed, first.unseen, first.latencies.total) == (1, 1, 0, 1)
    assert (second.ok, second.failed, second.unseen, second.at) == (1, 0, 1, START + 60)
    assert second.latencies.percentile(50) == pytest.approx(2.5, rel=0.004)


def test_two_runs_share_a_series(store):
    """Minutes add up over several Seatrials that run the same scenario on the same cluster."""
    for run in ("run1", "run2"):
        filled(store, started(run), sample(START + 1), scenario_over(), run=run)
    assert store.minutes(KEY, None, since=0) == [Count(2, 0, START)]


def test_keeps_what_a_background_probe_met_when_it_failed(store):
    """A look that went well says no more than its sample; one that failed is evidence."""
    look = ProbeSampled(
        target="http://x", via="url", ok=True, attempt=0, status=200, latency_ms=2.0, probe=PROBE, since_due_ms=2.0
    )
    missed = msgspec.structs.replace(look, ok=False, error="refused")
    alone = msgspec.structs.replace(look, probe="")
    filled(store, started(), look, missed, alone)
    assert [each.event for each in store.records("run1")][1:] == [missed, alone]


def test_remembers_judgements(store):
    """The latest ones of a series, the oldest first; and of a run, the latest of each objective."""
    filled(store, started(), judged(ObjectiveStatus.UNDECIDED), judged(), judged(objective="steady"))
    assert [each.status for _, each in store.judgements(KEY)] == ["not enough evidence", "met", "met"]
    assert [each.objective for _, each in store.judgements(KEY, most=1)] == ["steady"]
    assert [(each.judged.objective, each.judged.status) for each in store.latest_judgements("run1")] == [
        ("fast", "met"), ("steady", "met"),
    ]  # fmt: skip


def test_tells_the_runs_of_scenarios(store):
    """With round, times, verdict and reasons."""
    filled(store, started(), scenario_over(Verdict.FAILED, reasons=("too slow",)), round_=4)
    (found,) = store.scenario_runs("run1")
    assert (found.round, found.verdict, found.reasons, found.digest) == (4, Verdict.FAILED, ("too slow",), "d1")
    assert found.started == pytest.approx(START + 1 - 5)


def test_leaves_out_secrets_of_events(store):
    """A command's output, or a policy that was read anew, may hold what nobody may read."""
    reloaded = PolicyReloaded(
        policy="p.yml", changes=("x",), policy_text="x: {apiToken: s3cret}\n# kept\n", digests={"Kill half": "d2"}
    )
    filled(
        store,
        started(),
        CommandOutput(id="1", name="n", line="curl -H 'Authorization: Bearer abc.def-ghi'"),
        reloaded,
    )
    output, policy = [each.event for each in store.records("run1")][1:]
    assert output.line == "curl -H 'Authorization: Bearer ***'"
    assert policy.policy_text == 'x: {apiToken: "***"}\n# kept\n'


def test_a_beat_says_that_the_run_lives(store):
    """Without any event."""
    filled(store, started())
    store.beat("run1", START + 500)
    assert store.run("run1").seen == START + 500


def test_forgets_a_run(store):
    """Nothing of it is left, and others are as they were."""
    filled(store, *a_run("run1"), sample(START + 1))
    filled(store, *a_run("run2"), run="run2")
    store.forget(["run1"])
    assert [each.id for each in store.runs()] == ["run2"]
    assert {each.run_id for each in store.points(KEY, "passed")} == {"run2"}
    assert store.minutes(KEY, None, since=0) == []


def test_two_write_at_once(store, address, tmp_path):
    """Several Seatrials share a store: what each writes stays."""
    other = open_store(address, state=tmp_path)

    def write(into, run):
        record = run_record(run)
        for number in range(20):
            into.begin(record)
            into.add(record, records(measured(1.0), scenario_over(), first=number * 2 + 1))

    with ThreadPoolExecutor() as pool:
        for each in [pool.submit(write, store, "run1"), pool.submit(write, other, "run2")]:
            each.result()
    other.close()
    assert len(store.points(KEY, "timeToRecover")) == 40


def test_says_that_the_latest_runs_are_missing(store):
    """A series of which the end could not be written is no evidence: it is not given."""
    filled(store, *a_run())
    store.hold_up("the disk is full")
    with pytest.raises(StateError, match="the latest runs are missing: the disk is full"):
        store.points(KEY, "passed", last=1)
    store.hold_up("")
    assert store.points(KEY, "passed", last=1)
