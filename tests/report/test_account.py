from datetime import UTC, datetime

import msgspec
import pytest
from msgspec.structs import replace

from seatrial.reference.event_log import event_kinds
from seatrial.report.account import Account, Line
from seatrial.runtime.events import (
    MeshSampled,
    ObjectApplied,
    PauseStarted,
    PodKilled,
    PodKillSkipped,
    PodRef,
    ProbeSampled,
    RecoveryMissed,
    RoundStarted,
    RunStarted,
    ScenarioFinished,
    ScenarioStarted,
    StepFinished,
    StepStarted,
    StopRequested,
    TargetsChosen,
    TargetsFiltered,
    TargetsMatched,
    UndoDone,
    UndoFailed,
    UndoWritten,
)
from seatrial.runtime.verdict import Verdict
from tests.report.conftest import records_of

POD = PodRef(namespace="shop", name="cart-1", uid="1", node="node1")
STEP = StepStarted(index=0, key="podAction", total=2)


def told(*events):
    """All lines about these events."""
    account = Account()
    return [line for record in records_of(events) for line in account.lines(record)]


def texts(*events):
    return [f"{line.label} {line.text}".strip() for line in told(*events)]


def mesh(*failed, instances=2, error=""):
    return MeshSampled(instances=instances, pairs=instances**2, failed=failed, slowest_ms=1, error=error)


def probe(*, ok, **given):
    values = {"target": "http://web/x", "via": "url", "attempt": 0, "status": 200, "latency_ms": 1.25, **given}
    return ProbeSampled(ok=ok, **values)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            RunStarted(run_id="abc", policy="p.yml", seed="7", server="https://k", rounds=3),
            Line(0, "run", "p.yml on https://k, 3 rounds, seed 7 (run abc)"),
        ),
        (
            RunStarted(run_id="abc", policy="p.yml", seed="7", server="https://k", rounds=None),
            Line(0, "run", "p.yml on https://k, until stopped, seed 7 (run abc)"),
        ),
        (RoundStarted(number=2), Line(0, "round", "2", "dim")),
        (PauseStarted(seconds=30.4), Line(0, "pause", "30 s until the next round", "dim")),
        (STEP, Line(1, "1/2", "podAction")),
        (TargetsMatched(matcher="all namespaces", count=1), Line(2, "matched", "1 pod (all namespaces)")),
        (TargetsMatched(matcher="namespace x", count=0), Line(2, "matched", "0 pods (namespace x)", "warn")),
        (
            TargetsFiltered(filter="state", before=3, after=0, note="none is Running"),
            Line(2, "filtered", "state: 3 → 0 (none is Running)", "warn"),
        ),
        (TargetsChosen(pods=(POD,), matched=3), Line(2, "chosen", "shop/cart-1 on node1")),
        (
            PodKilled(pod=POD, force=False, replaced=False, duration_ms=2),
            Line(2, "killed", "shop/cart-1, gracefully (the API server answered in 2 ms)"),
        ),
        (
            PodKillSkipped(pod=POD, reason="was gone", error=False),
            Line(2, "not killed", "shop/cart-1: was gone", "dim"),
        ),
        (PodKillSkipped(pod=POD, reason="refused", error=True), Line(2, "not killed", "shop/cart-1: refused", "bad")),
        (RecoveryMissed(pod=POD, reason="too late"), Line(2, "no recovery", "shop/cart-1: too late", "warn")),
        (probe(ok=True, via="apiserver"),
         Line(2, "probe", "http://web/x answered 200 in 1.2 ms (through the API server)", "good")),
        (probe(ok=True, via="portForward"),
         Line(2, "probe", "http://web/x answered 200 in 1.2 ms (by a port-forward)", "good")),
        (probe(ok=True, via="dns", target="web.example", status=None, answer="10.1.2.3"),
         Line(2, "probe", "web.example: 10.1.2.3 in 1.2 ms", "good")),
        (probe(ok=True, via="portForward", target="web.shop:80", status=None, latency_ms=None, answer="not refused"),
         Line(2, "probe", "web.shop:80: not refused (by a port-forward)", "good")),
        (probe(ok=False, error="expected 200, got 500"),
         Line(2, "probe", "http://web/x: expected 200, got 500", "warn")),
        (mesh(), Line(2, "peers", "2 instances, all 4 calls succeed", "good")),
        (mesh("a -> b"), Line(2, "peers", "1 of 4 calls fail: a -> b", "warn")),
        (mesh(*"abcd"), Line(2, "peers", "4 of 4 calls fail: a, b, c, ...", "warn")),
        (mesh(error="refused"), Line(2, "peers", "goldpinger did not answer: refused", "warn")),
        (ObjectApplied(kind="Pod", namespace="shop", name="x", created=True), Line(1, "applied", "Pod shop/x", "dim")),
        (
            ObjectApplied(kind="Node", namespace="", name="x", created=False),
            Line(1, "applied", "Node x (was there before)", "dim"),
        ),
        (UndoWritten(description="delete Pod x"), Line(1, "undo noted", "delete Pod x", "dim")),
        (UndoDone(description="delete Pod x"), Line(1, "undone", "delete Pod x", "good")),
        (StopRequested(reason="SIGTERM", hurry=False),
         Line(0, "stop", "SIGTERM: stopping and cleaning up", "warn")),
    ],
)  # fmt: skip
def test_each_event_in_words(event, line):
    """One line an event: where it belongs, what happened, and how bad it is."""
    assert told(event) == [line]


def test_what_could_not_be_undone_comes_with_what_to_do():
    """The error, and below it the way to do it by hand, both as something bad."""
    assert told(UndoFailed(description="delete Pod x", error="refused", manual="kubectl delete pod x")) == [
        Line(1, "NOT undone", "delete Pod x: refused", "bad"),
        Line(2, "by hand", "kubectl delete pod x", "bad"),
    ]


def test_a_scenario_begins_with_its_name_and_ends_with_its_verdict_and_why():
    """The heading, the description where there is one, then the verdict and every reason."""
    finished = ScenarioFinished(name="Kill", verdict=Verdict.FAILED, reasons=("a", "b"), duration_ms=1500)
    assert texts(ScenarioStarted(name="Kill", description=""), finished) == [
        "Kill", "failed Kill, after 1.5 s", "a", "b",
    ]  # fmt: skip
    assert texts(ScenarioStarted(name="Kill", description="Some pods.")) == ["Kill", "Some pods."]


@pytest.mark.parametrize(
    ("verdict", "tone"), [(Verdict.FAILED, "bad"), (Verdict.INCONCLUSIVE, "warn"), (Verdict.PASSED, "good")]
)
def test_inconclusive_does_not_look_like_passed(verdict, tone):
    """The three verdicts have three tones."""
    [line] = told(ScenarioFinished(name="Kill", verdict=verdict, reasons=(), duration_ms=1))
    assert line.tone == tone


def test_the_first_round_goes_without_saying():
    """Most runs have one round: only the later ones are told."""
    assert told(RoundStarted(number=1)) == []


def test_a_step_that_did_not_pass_says_why():
    """Each reason is a line; a step that passed tells its time."""
    failed = StepFinished(index=0, key="wait", verdict=Verdict.FAILED, reasons=("a", "b"), duration_ms=1)
    passed = StepFinished(index=0, key="wait", verdict=Verdict.PASSED, reasons=(), duration_ms=20)
    assert texts(failed, passed) == ["failed a", "failed b", "passed in 20 ms"]


def test_a_retry_that_finds_the_same_pods_says_nothing():
    """What this step has shown of its targets isn't shown again; what changed is, and the next step begins anew."""
    three, two = (TargetsMatched(matcher="m", count=count) for count in (3, 2))
    assert texts(STEP, three, three, two, three) == ["1/2 podAction", "matched 3 pods (m)", "matched 2 pods (m)"]
    assert texts(STEP, three, STEP, three).count("matched 3 pods (m)") == 2


def test_a_retry_that_finds_the_same_pods_on_their_nodes_says_nothing():
    """A pod that had no node at the first try is not told again; another pod is, and so is the next step's."""
    early = PodRef(namespace="n", name="p", uid="1")
    placed = replace(early, node="node1")
    other = PodRef(namespace="n", name="q", uid="2")
    events = [TargetsChosen(pods=(pod,), matched=1) for pod in (early, placed, other)]
    assert texts(STEP, *events) == ["1/2 podAction", "chosen n/p", "chosen n/q"]
    assert texts(STEP, events[0], STEP, events[1])[-1] == "chosen n/p on node1"


def test_only_changes_of_the_mesh_are_told():
    """The same picture again says nothing; each scenario begins with the picture it finds."""
    started = ScenarioStarted(name="s", description="")
    seen = texts(mesh(), mesh(), mesh("a -> b"), mesh("a -> b"), mesh(), started, mesh())
    assert [text for text in seen if text.startswith("peers")] == [
        "peers 2 instances, all 4 calls succeed",
        "peers 1 of 4 calls fail: a -> b",
        "peers 2 instances, all 4 calls succeed",
        "peers 2 instances, all 4 calls succeed",
    ]


def test_failed_probes_of_a_step_are_told_where_they_say_something_else():
    """A service that is down for an hour doesn't fill the screen; the next step's failures are told again."""
    failing = [probe(ok=False, error="refused")] * 10
    assert len(told(STEP, *failing)) == 1 + 1
    assert len(told(STEP, *failing, STEP, *failing)) == 2 * (1 + 1)
    assert len(told(STEP, *(probe(ok=False, error=f"refused {number}") for number in range(10)))) == 1 + 3


def test_a_pause_of_no_time_is_not_told():
    """Rounds that follow each other have no lines between them."""
    assert told(PauseStarted(seconds=0.0)) == []


def test_of_many_chosen_pods_ten_are_named():
    """The others are counted."""
    pods = tuple(PodRef(namespace="n", name=f"p{number}", uid=str(number)) for number in range(12))
    [text] = texts(TargetsChosen(pods=pods, matched=12))
    assert text.endswith("n/p9 and 2 more")


@pytest.mark.parametrize("kind", event_kinds(), ids=lambda kind: kind.__name__)
def test_no_event_breaks_it(kind):
    """Every kind of event there is, with the emptiest of values, gives lines or nothing."""
    samples = {"str": "", "int": 0, "float": 0.0, "bool": False, "Verdict": Verdict.PASSED, "PodRef": POD}
    samples["datetime"] = datetime(2030, 1, 1, tzinfo=UTC)
    values = {}
    for field in msgspec.structs.fields(kind):
        name = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))
        values[field.name] = samples.get(name, () if "tuple" in str(field.type) else None)
    assert all(isinstance(line, Line) for line in told(kind(**values)))
