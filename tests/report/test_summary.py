import json

import pytest

from seatrial.report.durations import distribution, duration
from seatrial.report.summary import Summary
from seatrial.runtime.events import MeshSampled, PodKilled, PodRecovered, Record, Where
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
        "from 0.1 s to 0.1 s after the kill); whole at the end"
    )


def test_instances_that_are_missing_are_seen_without_failed_calls(run):
    """The others may have forgotten a dead peer before they are asked: that it is missing shows what happened."""
    missing = MeshSampled(instances=2, pairs=4, failed=(), slowest_ms=1)
    summary = summarised([*run, *records_of([missing])])
    assert "1 with failed calls (" in dict(summary.lines())["peers"]
    assert "after the kill), 1 with fewer instances; whole at the end" in dict(summary.lines())["peers"]
    assert summary.as_json()["mesh"]["degraded"] == 2


def test_a_graph_that_stays_broken_is_said(run):
    """A last look with failed calls is not overlooked."""
    broken = MeshSampled(instances=3, pairs=9, failed=("a -> b",), slowest_ms=1)
    assert "NOT whole at the end" in dict(summarised([*run, *records_of([broken])]).lines())["peers"]


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
