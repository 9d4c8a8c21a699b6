"""The account of what is done to nodes and machines, and of evidence."""

import pytest

from seatrial.report.account import Account, Line
from seatrial.runtime.events import (
    CommandExecuted,
    EvictionBlocked,
    EvictionSkipped,
    FaultCleared,
    FaultProven,
    GuardrailHeld,
    MachineDeleted,
    MachinePaused,
    MachineRebooted,
    MachineSkipped,
    MachineStarted,
    MachineStopFailed,
    MachineStopped,
    MeasurementTaken,
    NodeCordoned,
    NodeRef,
    NodesChosen,
    NodeTainted,
    NodeUncordoned,
    PodEvicted,
    PodMoved,
    PodRef,
    ProcessesSignalled,
    ProofMissing,
    ServiceStarted,
    ServiceStopped,
    StepStarted,
    StressStarted,
    TargetsMatched,
)
from tests.report.conftest import records_of

POD = PodRef(namespace="shop", name="cart-1", uid="1", node="n1")
NODE = NodeRef("n1", "u1", "west-1")

MOVE = PodMoved(
    pod=POD,
    replacement=PodRef("shop", "cart-2", "2", "n3"),
    from_node="n1",
    to_node="n3",
    evicted_ms=46_000,
    created_ms=None,
    ready_ms=47_500,
)
MOVED = "shop/cart-1 from n1 to n3 (cart-2): evicted after 46.0 s, Ready after 47.5 s"


def told(*events):
    account = Account()
    return [line for record in records_of(events) for line in account.lines(record)]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (TargetsMatched(matcher="m", count=2, kind="node"), Line(2, "matched", "2 nodes (m)")),
        (NodesChosen(nodes=(NODE, NodeRef("n2", "u2")), matched=3), Line(2, "chosen", "n1 in west-1, n2")),
        (
            MachineStopped(id="i-1", name="n1", force=True, duration_ms=12),
            Line(2, "stopped", "machine i-1 of node n1, by force, in 12 ms"),
        ),
        (
            MachineStopFailed(id="i-1", name="n1", error="locked"),
            Line(2, "not stopped", "machine i-1 of node n1: locked", "bad"),
        ),
        (
            MachineStarted(id="i-1", name="n1", duration_ms=12),
            Line(2, "started", "machine i-1 of node n1, in 12 ms", "good"),
        ),
        (
            MachineSkipped(id="i-1", name="n1", reason="is down already"),
            Line(2, "left alone", "machine of node n1: is down already", "dim"),
        ),
        (
            MachineRebooted(id="i-1", name="n1", force=True, duration_ms=12),
            Line(2, "rebooted", "machine i-1 of node n1, by force, in 12 ms"),
        ),
        (
            MachineDeleted(id="i-1", name="n1", duration_ms=12),
            Line(2, "deleted", "machine i-1 of node n1, for good, in 12 ms"),
        ),
        (MachinePaused(id="i-1", name="n1", duration_ms=12), Line(2, "paused", "machine i-1 of node n1, in 12 ms")),
        (
            ProcessesSignalled(id="u1", name="n1", signal="SIGKILL", processes=("7 etcd", "9 etcd")),
            Line(2, "signalled", "SIGKILL to 7 etcd, 9 etcd on node n1"),
        ),
        (
            ProcessesSignalled(id="u1", name="n1", signal="SIGKILL", processes=("7 etcd",), number=2, times=3),
            Line(2, "signalled", "SIGKILL to 7 etcd on node n1 (2 of 3)"),
        ),
        (
            ServiceStopped(id="u1", name="n1", service="kubelet", duration_ms=12, number=1, times=2),
            Line(2, "stopped", "service kubelet on node n1, in 12 ms (1 of 2)"),
        ),
        (
            ServiceStarted(id="u1", name="n1", service="kubelet", duration_ms=12),
            Line(2, "started", "service kubelet on node n1, in 12 ms", "good"),
        ),
        (
            StressStarted(id="u1", name="n1", load="cpu 80%", seconds=60),
            Line(2, "stressed", "node n1: cpu 80%, for 60 s at most"),
        ),
        (MOVE, Line(2, "moved", MOVED, "good")),
        (NodeCordoned(node=NODE), Line(2, "cordoned", "n1")),
        (NodeCordoned(node=NODE, already=True), Line(2, "cordoned", "n1 (it was before, and stays so)")),
        (NodeUncordoned(node=NODE), Line(2, "uncordoned", "n1", "good")),
        (NodeUncordoned(node=NODE, already=True), Line(2, "uncordoned", "n1 (it was not cordoned)", "good")),
        (NodeTainted(node=NODE, taint="k:NoSchedule"), Line(2, "tainted", "n1 with k:NoSchedule")),
        (
            PodEvicted(pod=POD, duration_ms=3),
            Line(2, "evicted", "shop/cart-1 (the API server answered in 3 ms)"),
        ),
        (EvictionBlocked(pod=POD, budgets=("web needs 5",)), Line(2, "blocked", "shop/cart-1: web needs 5", "warn")),
        (EvictionSkipped(pod=POD, reason="403", error=True), Line(2, "not evicted", "shop/cart-1: 403", "bad")),
        (GuardrailHeld(guardrail="maxNodes", reason="too many"), Line(2, "held", "maxNodes: too many", "warn")),
        (FaultProven(subject="s", proof="p"), Line(2, "proven", "s: p")),
        (FaultCleared(subject="s", proof="p"), Line(2, "cleared", "s: p", "good")),
        (ProofMissing(subject="s", reason="r"), Line(2, "no proof", "s: r", "warn")),
        (MeasurementTaken(name="nodeReady", of="n1", seconds=1.5), Line(2, "measured", "nodeReady of n1: 1.5 s")),
    ],
    ids=lambda each: each.text if isinstance(each, Line) else type(each).__name__,
)
def test_each_has_a_line(event, line):
    """In words, with the names that count."""
    assert told(event) == [line]


def test_a_command_is_told_with_the_end_of_what_it_wrote():
    """The last lines of its output, below the command and its exit code."""
    output = "\n".join(str(number) for number in range(20))
    given = {"id": "u1", "name": "n1", "command": "ls", "duration_ms": 5}
    first, *rest = told(CommandExecuted(exit_code=2, output=output, **given))
    assert first == Line(2, "ran", "ls on n1: exit code 2, in 5 ms", "bad")
    assert [line.text for line in rest] == [str(number) for number in range(10, 20)]
    [line] = told(CommandExecuted(exit_code=None, output="", error="no way there", **given))
    assert line == Line(2, "not run", "ls on n1: no way there", "bad")


def test_of_many_lines_of_a_kind_ten_are_told_in_each_step():
    """A drain of a large node doesn't fill the screen; the next step begins anew."""
    step = StepStarted(index=0, key="nodeAction", total=2)
    evictions = [PodEvicted(pod=POD, duration_ms=3)] * 30
    lines = told(step, *evictions, step, *evictions)
    assert len(lines) == 2 * (1 + 10 + 1)
    assert lines[11] == Line(2, "evicted", "...", "dim")
