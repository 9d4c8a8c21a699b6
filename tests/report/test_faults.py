"""What the summary tells of machines, containers, evictions, measurements, evidence and guardrails."""

import json

import pytest

from seatrial.report.faults import FaultFigures
from seatrial.runtime.events import (
    CommandExecuted,
    ContainerSignalled,
    EvictionBlocked,
    EvictionSkipped,
    FaultCleared,
    FaultProven,
    GuardrailHeld,
    MachinePaused,
    MachineRebooted,
    MachineStarted,
    MachineStopFailed,
    MachineStopped,
    MeasurementTaken,
    PodEvicted,
    PodMoved,
    PodRef,
    ProofMissing,
)

POD = PodRef(namespace="shop", name="cart-1", uid="1", node="n1")


def figures_of(*events):
    figures = FaultFigures()
    for event in events:
        figures.add(event)
    return figures


def stopped(name):
    return MachineStopped(id=f"i-{name}", name=name, force=True, duration_ms=16)


def moved(old, new, seconds):
    return PodMoved(
        pod=PodRef("shop", "cart-1", "1", old),
        replacement=PodRef("shop", "cart-2", "2", new),
        from_node=old,
        to_node=new,
        evicted_ms=seconds * 900,
        created_ms=None,
        ready_ms=seconds * 1000,
    )


def ran(code):
    return CommandExecuted(id="u", name="n1", command="true", exit_code=code, output="", duration_ms=1)


@pytest.mark.parametrize(
    ("events", "row"),
    [
        (
            [stopped("n2"), stopped("n1"), stopped("n1"), MachineStarted(id="i-n1", name="n1", duration_ms=3)],
            ("machines", "3 stopped, 1 started: n1, n2"),
        ),
        ([MachineStopFailed(id="i", name="n1", error="locked")], ("machines", "1 could NOT be stopped")),
        (
            [moved("n1", "n3", 4), moved("n1", "n3", 6), moved("n2", "n3", 8)],
            ("moved", "3 pods, 2 from n1 to n3, 1 from n2 to n3: Ready there after 6.0 s (median; 4.0 s to 8.0 s)"),
        ),
        (
            [PodEvicted(pod=POD, duration_ms=1), EvictionBlocked(pod=POD, budgets=("b",))],
            ("evictions", "1 evicted, 1 blocked by PodDisruptionBudgets"),
        ),
        ([EvictionSkipped(pod=POD, reason="403", error=True)], ("evictions", "1 could NOT be evicted")),
        (
            [ContainerSignalled(pod=POD, container="c", signal="SIGKILL", via="exec")],
            ("containers", "1 signalled"),
        ),
        ([ran(0), ran(0), ran(2), ran(None)], ("commands", "4 run, 2 failed")),
        (
            [MeasurementTaken(name="nodeReady", of="n", seconds=seconds) for seconds in (1, 3)],
            ("measured", "nodeReady 2.0 s (median; 1.0 s to 3.0 s)"),
        ),
        (
            [
                MeasurementTaken(name="timeToReady", of="p", seconds=1),
                MeasurementTaken(name="timeToReady", of="q", seconds=9, is_lower_bound=True),
                MeasurementTaken(name="timeToServe", of="q", seconds=9, is_lower_bound=True),
            ],
            ("measured", "timeToReady 1.0 s, 1 not in time; timeToServe 1 not in time"),
        ),
        (
            [FaultProven(subject="s", proof="p"), FaultCleared(subject="s", proof="p")],
            ("evidence", "1 proven to have happened, 1 proven to be gone"),
        ),
        ([ProofMissing(subject="s", reason="r")], ("evidence", "1 NOT proven")),
        (
            [GuardrailHeld(guardrail=name, reason="r") for name in ("maxPods", "minLeft", "maxPods")],
            ("refused", "by guardrails: maxPods (2 times), minLeft"),
        ),
    ],
)
def test_each_has_a_row(events, row):
    """One row for what there was, none for what there wasn't."""
    assert list(figures_of(*events).lines()) == [row]


def test_what_was_left_alone_on_purpose_is_no_failure():
    """A pod that was gone before its eviction, and a run that did nothing, have no row."""
    assert list(figures_of(EvictionSkipped(pod=POD, reason="was gone")).lines()) == []
    assert list(FaultFigures().lines()) == []


def test_of_many_machines_five_are_named():
    """The others are counted."""
    [(_, text)] = figures_of(*(stopped(f"n{number}") for number in range(7))).lines()
    assert text == "7 stopped: n0, n1, n2, n3, n4 and 2 more"


def test_its_json_has_names_and_distributions():
    """Machines by name, measurements in milliseconds, the faults that were not proven with the reason."""
    missing = ProofMissing(subject="pod x", reason="the watch ended")
    measured = MeasurementTaken(name="nodeReady", of="n", seconds=0.5)
    late = MeasurementTaken(name="nodeReady", of="m", seconds=60, is_lower_bound=True)
    figures = json.loads(json.dumps(figures_of(stopped("n1"), measured, late, missing).as_json()))
    assert figures["measurementsCutShort"] == {"nodeReady": 1}
    assert figures["machines"]["names"] == ["n1"]
    assert figures["moves"] == {"moved": 0, "pods": [], "evicted": None, "created": None, "ready": None}
    assert figures["measurements"]["nodeReady"] == {"min": 500, "p50": 500, "p95": 500, "max": 500, "count": 1}
    assert figures["evidence"] == {"proven": 0, "cleared": 0, "missing": ["pod x: the watch ended"]}


def test_of_pods_that_moved_the_json_says_whence_and_whither():
    """Each with the pod that replaced it, and the moments as distributions."""
    moves = json.loads(json.dumps(figures_of(moved("n1", "n3", 4)).as_json()))["moves"]
    assert moves["pods"] == [{"pod": "shop/cart-1", "by": "shop/cart-2", "from": "n1", "to": "n3"}]
    assert (moves["moved"], moves["evicted"]["max"], moves["created"], moves["ready"]["max"]) == (1, 3600, None, 4000)


def test_what_was_done_to_machines_is_told_apart():
    """Stops, reboots and pauses are counted each, with the names of all machines that were hit."""
    rebooted = MachineRebooted(id="i-b", name="b", force=False, duration_ms=9)
    paused = MachinePaused(id="i-c", name="c", duration_ms=9)
    figures = figures_of(stopped("a"), rebooted, paused)
    assert dict(figures.lines())["machines"] == "1 stopped, 1 rebooted, 1 paused: a, b, c"
    machines = figures.as_json()["machines"]
    assert (machines["rebooted"], machines["paused"], machines["names"]) == (1, 1, ["a", "b", "c"])


def test_pods_that_moved_one_way_are_counted_once():
    """Two numbers for one thing would be one too many."""
    assert dict(figures_of(moved("a", "b", 1)).lines())["moved"].startswith("1 pod from a to b: Ready there after")
