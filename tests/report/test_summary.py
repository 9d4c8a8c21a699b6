import json

import msgspec
import pytest

from seatrial.report.durations import distribution, duration
from seatrial.report.summary import Summary
from seatrial.runtime.events import (
    MachineStopped,
    MeshSampled,
    PodKilled,
    PodKillSkipped,
    PodRecovered,
    PodRef,
    Record,
    RecoveryMissed,
    ScenarioStarted,
    TargetsChosen,
    UndoDone,
    UndoWritten,
    Where,
)
from tests.report.conftest import NEW, OLD, records_of


def summarised(records):
    summary = Summary()
    for record in records:
        summary(record)
    return summary


def test_it_counts_what_happened(run):
    """Matched, chosen, killed, recovered, probed, and the verdict."""
    figures = summarised(run).as_json()
    assert figures["pods"] | {"victims": None} == {
        "matched": 3, "chosen": 1, "killed": 1, "victims": None, "notKilled": {},
    }  # fmt: skip
    assert figures["pods"]["victims"] == ["default/goldpinger-a"]
    assert figures["recovery"]["ready"] == {"min": 250, "p50": 250, "p95": 250, "max": 250, "count": 1}
    assert figures["probes"] == {"ok": 1, "failed": 0}
    assert (figures["verdict"], figures["exitCode"], figures["seed"]) == ("passed", 0, "7")
    assert figures["scenarios"] == [{"name": "Kill half", "failed": 0, "inconclusive": 0, "passed": 1}]


def test_its_json_is_json(run):
    """Everything in it can be written as JSON."""
    assert json.loads(json.dumps(summarised(run).as_json()))["run"] == "abc"


def test_it_tells_what_the_peers_saw(run):
    """How many looks showed failed calls, the worst of them, when, and whether the graph is whole at the end."""
    lines = dict(summarised(run).lines())
    assert lines["peers"] == (
        "3 looks at goldpinger's graph, 1 with failed calls (at worst 7 of 9 succeeded, "
        "from 0.1 s to 0.1 s after the kill); slowest call 1 ms before, 1 ms after the first change; whole at the end"
    )


def test_instances_that_are_missing_are_seen_without_failed_calls(run):
    """The others may have forgotten a dead peer before they are asked: that it is missing shows what happened."""
    missing = MeshSampled(instances=2, pairs=4, failed=(), slowest_ms=1)
    summary = summarised([*run, *records_of([missing])])
    assert "1 with failed calls (" in dict(summary.lines())["peers"]
    assert "after the kill), 1 with fewer instances; slowest call " in dict(summary.lines())["peers"]
    assert summary.as_json()["mesh"]["degraded"] == 2


def test_looks_are_timed_from_the_kill_of_their_round(run):
    """Of a run of many rounds it is told from when to when after a kill, not how long ago the first kill was."""
    hour_later = [msgspec.structs.replace(each, monotonic=each.monotonic + 3600) for each in run]
    assert "from 0.1 s to 0.1 s after the kill" in dict(summarised([*run, *hour_later]).lines())["peers"]


def test_a_graph_that_stays_broken_is_said(run):
    """A last look with failed calls is not overlooked."""
    broken = MeshSampled(instances=3, pairs=9, failed=("a -> b",), slowest_ms=1)
    assert "NOT whole at the end" in dict(summarised([*run, *records_of([broken])]).lines())["peers"]


def test_how_slow_calls_became_is_told_before_and_after_the_first_change():
    """A call that is late and answered is no failed one; the next scenario begins with a world unchanged."""
    before, late, later = (
        MeshSampled(instances=3, pairs=9, failed=(), slowest_ms=slowest) for slowest in (12, 266, 300)
    )
    started, change = ScenarioStarted(name="Slow", description=""), UndoWritten(description="delete Deployment x")
    summary = summarised(records_of([started, before, change, late, later, started, before]))
    assert "slowest call 12 ms before, 300 ms after the first change" in dict(summary.lines())["peers"]
    assert summary.as_json()["mesh"]["slowestMs"] == {"before": 12, "after": 300}


def test_a_run_without_pods_says_nothing_of_pods():
    """What a run has nothing to do with has no line in its summary."""
    chosen = TargetsChosen(pods=(OLD,), matched=3)
    stopped = MachineStopped(id="i-1", name="node1", force=True, duration_ms=16)
    assert dict(summarised(records_of([chosen, stopped])).lines()) == {"machines": "1 stopped: node1"}


def test_what_was_left_as_somebody_else_set_it_is_said():
    """It is undone as far as it is ours, and the rest is named."""
    undone = UndoDone(description="put Service web back", note="left as somebody else set it since: spec.selector")
    summary = summarised(records_of([UndoDone(description="x"), undone]))
    assert dict(summary.lines()) == {
        "clean-up": "2 changes undone",
        "left": "put Service web back: left as somebody else set it since: spec.selector",
    }
    assert summary.as_json()["undo"]["left"] == [dict(summary.lines())["left"]]


def test_recovery_times_are_told_apart_and_as_a_distribution():
    """Two recoveries give a median and the range of each moment."""
    events = [
        PodRecovered(
            pod=OLD, replacement=NEW, gone_ms=None, created_ms=10, scheduled_ms=None, running_ms=1, ready_ms=ready
        )
        for ready in (1000, 3000)
    ]
    line = dict(summarised(records_of(events)).lines())["recovery"]
    assert "Ready after 2.0 s (median; 1.0 s to 3.0 s)" in line
    assert "gone" not in line


def test_its_size_is_bounded():
    """A hundred thousand kills are counted, and only the latest are kept."""
    summary = Summary()
    record = Record(1, None, 0.0, Where(), PodKilled(pod=OLD, force=True, duration_ms=1))
    for _ in range(100_000):
        summary(record)
    assert summary.killed == 100_000
    assert len(summary.victims) == 1000


def test_what_went_wrong_is_counted_beyond_what_is_kept():
    """The figures are right and few, however many pods came and went with reasons of their own."""
    pods = [PodRef(namespace="default", name=f"p{number}", uid=str(number)) for number in range(1500)]
    records = records_of([RecoveryMissed(pod=pod, reason="no replacement was created") for pod in pods])
    records += records_of([PodKillSkipped(pod=pod, reason=f"pods {pod} is forbidden", error=True) for pod in pods])
    summary = summarised(records)
    assert "1500 not recovered in time" in dict(summary.lines())["recovery"]
    assert summary.not_killed.total() == 1500
    assert len(summary.not_killed) == 1001


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0.4, "0 ms"), (999, "999 ms"), (1500, "1.5 s"), (61_000, "1 min 1 s"), (3_660_000, "1 h 1 min")],
)
def test_spans_of_time_in_words(milliseconds, text):
    """Milliseconds, seconds, minutes or hours, as fits."""
    assert duration(milliseconds) == text


def test_a_distribution_of_nothing_is_nothing():
    """Without times there are no figures, not zeros."""
    assert distribution([]) is None
