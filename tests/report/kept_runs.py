"""Runs as a store keeps them, made up from events: what the tests and the benchmark of reports tell."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from seatrial.report.run_report.gathering import gather
from seatrial.report.run_report.model import RunReport
from seatrial.runtime.events import (
    BudgetState,
    Event,
    FaultCleared,
    FaultProven,
    GuardrailHeld,
    MeasurementTaken,
    MeshSampled,
    ObjectiveJudged,
    ObjectiveStatus,
    OutageSeen,
    PodKilled,
    PodRecovered,
    PodRef,
    ProbeSampled,
    ProofMissing,
    Record,
    RecoveryMissed,
    RoundStarted,
    RunFinished,
    RunStarted,
    SampleTaken,
    ScenarioFinished,
    ScenarioStarted,
    SteadyStateLost,
    SteadyStateSampled,
    StepFinished,
    StepStarted,
    UndoDone,
    UndoFailed,
    UndoWritten,
    Where,
)
from seatrial.runtime.verdict import Verdict
from seatrial.storage.records import RunRecord
from seatrial.storage.store import Store, open_store

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
RUN_ID = "f00dfeed0001"
SCENARIO = "Kill one of goldpinger"
PROBE = "probes[0] (probeHTTP)"
POLICY = "config: {runStrategy: {runs: 3}}\nscenarios:\n- name: Kill one of goldpinger\n  steps: []\n"


class Timeline:
    """Records of a run, each stamped with a time that the caller moves on."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.records: list[Record] = []
        self.where = Where()

    def add(self, event: Event, *, after: float = 0.0) -> None:
        """One more event, so many seconds after the last one."""
        self.seconds += after
        time = BEGIN + timedelta(seconds=self.seconds)
        self.records.append(Record(len(self.records) + 1, time, self.seconds, self.where, event))

    def at(self, step: int | None) -> None:
        """Go to a step of the scenario."""
        self.where = msgspec.structs.replace(self.where, step=step)

    @property
    def unix(self) -> float:
        """The time of day, as Unix time."""
        return (BEGIN + timedelta(seconds=self.seconds)).timestamp()


def run_record(**other: object) -> RunRecord:
    """A run that has not ended; its process is long gone."""
    known = {
        "id": RUN_ID,
        "policy": "kill-one.yml",
        "policy_text": POLICY,
        "digests": {SCENARIO: "0123456789abcdef"},
        "seed": "42",
        "server": "https://127.20.0.1:6443",
        "context": "staging",
        "cluster": "c1",
        "versions": {"seatrial": "0.1.0", "kubernetes": "v1.33.1", "python": "3.11.7"},
        "host": "laptop",
        "started": BEGIN.timestamp(),
        "seen": BEGIN.timestamp(),
    }
    return RunRecord(**(known | other))


def kept(records: list[Record], run: RunRecord | None = None) -> tuple[RunRecord, Store]:
    """A run in a store of its own, in memory."""
    store = open_store("none", state=None)
    begun = run or run_record()
    store.begin(begun)
    store.add(begun, records)
    return store.run(begun.id), store


def report_of(records: list[Record], run: RunRecord | None = None) -> RunReport:
    """The report of a run that is kept."""
    found, store = kept(records, run)
    try:
        return gather(found, store)
    finally:
        store.close()


def begun(*, rounds: int | None = 3, **named: str) -> Timeline:
    """A run that has begun."""
    line = Timeline()
    line.add(
        RunStarted(
            run_id=RUN_ID, policy=named.get("policy", "kill-one.yml"), seed="42", server="https://127.20.0.1:6443",
            rounds=rounds, context="staging", cluster="c1", kubernetes="v1.33.1",
        )
    )  # fmt: skip
    return line


def finish(line: Timeline, *, rounds: int, verdict: Verdict = Verdict.FAILED, reasons: tuple[str, ...] = ()) -> None:
    """The end of a run."""
    line.where = Where()
    codes = {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.INCONCLUSIVE: 3}
    line.add(
        RunFinished(
            verdict=verdict, reasons=reasons, exit_code=codes[verdict], duration_ms=line.seconds * 1000, rounds=rounds
        ),
        after=0.1,
    )


def small_run(name: str = SCENARIO) -> Timeline:
    """Three rounds: one passes, one fails with an outage, one is inconclusive; something could not be undone."""
    dice = random.Random(1)
    line = begun()
    for number in (1, 2, 3):
        add_round(line, number, dice, name=name, fails=number == 2, misses=number == 3)
    line.add(GuardrailHeld(guardrail="protected", reason="namespace kube-system is protected"))
    line.add(
        UndoFailed(description="uncordon node2", error="no route to host", manual="kubectl uncordon node2"), after=0.1
    )
    finish(line, rounds=3, reasons=(f"{name}: the Service did not answer", "clean-up is incomplete"))
    return line


def long_run(rounds: int, *, samples_each: int = 20) -> Timeline:
    """Rounds of which a few fail, with an objective that is judged after each."""
    dice = random.Random(2)
    line = begun(rounds=None)
    for number in range(1, rounds + 1):
        fails = number % 97 == 40
        add_round(line, number, dice, fails=fails, misses=number % 211 == 100, samples=samples_each)
        line.add(_judged(number))
    finish(line, rounds=rounds, reasons=("the objective is violated",))
    return line


def add_round(
    line: Timeline,
    number: int,
    dice: random.Random,
    *,
    name: str = SCENARIO,
    fails: bool = False,
    misses: bool = False,
    samples: int = 20,
) -> None:
    """One round: a pod is killed, its peers see it, it is replaced; a probe of the steady state looks on."""
    line.where = Where(round=number, scenario=name)
    line.add(RoundStarted(number=number), after=0.5)
    line.add(ScenarioStarted(name=name, description="A pod dies; users notice nothing."))
    began = line.seconds
    names = ("goldpinger-a", "goldpinger-b", "goldpinger-c")
    line.add(_look(names, dice), after=0.05)
    line.at(0)
    line.add(StepStarted(index=0, key="podAction", total=2), after=0.1)
    old = PodRef(namespace="default", name="goldpinger-a", uid=f"u{number}", node="node1")
    new = PodRef(namespace="default", name="goldpinger-d", uid=f"v{number}", node="node2")
    line.add(UndoWritten(description="put the pod back"))
    line.add(PodKilled(pod=old, force=True, duration_ms=2.5), after=0.01)
    line.add(FaultProven(subject=f"pod {old}", proof="its object is gone"), after=0.02)
    line.add(StepFinished(index=0, key="podAction", verdict=Verdict.PASSED, reasons=(), duration_ms=60), after=0.03)
    line.at(None)
    line.add(_look(names, dice, failed=("goldpinger-b -> goldpinger-a", "goldpinger-c -> goldpinger-a")), after=0.1)
    ready_ms = dice.lognormvariate(5.5, 0.5)
    line.at(0)
    if misses:
        line.add(RecoveryMissed(pod=old, reason="nobody came", waited_ms=30_000.0), after=0.1)
        line.add(ProofMissing(subject=f"pod {old}", reason="no replacement was seen"))
    else:
        line.add(
            PodRecovered(
                pod=old, replacement=new, gone_ms=5, created_ms=10, scheduled_ms=20, running_ms=ready_ms / 2,
                ready_ms=ready_ms,
            ),
            after=ready_ms / 1000,
        )  # fmt: skip
        line.add(FaultCleared(subject=f"pod {old}", proof=f"its replacement {new.name} is Ready"))
    line.at(1)
    line.add(StepStarted(index=1, key="probeHTTP", total=2), after=0.05)
    verdict = Verdict.FAILED if fails else Verdict.INCONCLUSIVE if misses else Verdict.PASSED
    reasons = {Verdict.PASSED: (), Verdict.FAILED: ("the Service did not answer",), Verdict.INCONCLUSIVE: ("unseen",)}
    line.add(
        ProbeSampled(
            target="http://goldpinger/healthz", via="clusterIP", ok=not fails, attempt=0,
            status=None if fails else 200, latency_ms=None if fails else 3.0, error="refused" if fails else "",
        ),
        after=0.1,
    )  # fmt: skip
    line.add(StepFinished(index=1, key="probeHTTP", verdict=verdict, reasons=reasons[verdict], duration_ms=110))
    line.at(None)
    _sample_through(line, began, dice, fails=fails, samples=samples)
    line.add(_look(("goldpinger-b", "goldpinger-c", "goldpinger-d"), dice), after=0.1)
    line.add(UndoDone(description="put the pod back"), after=0.1)
    line.add(MeasurementTaken(name="warmUp", of="the cache", seconds=dice.uniform(0.2, 0.4)))
    duration = (line.seconds - began) * 1000
    line.add(ScenarioFinished(name=name, verdict=verdict, reasons=reasons[verdict], duration_ms=duration), after=0.05)


def _sample_through(line: Timeline, began: float, dice: random.Random, *, fails: bool, samples: int) -> None:
    """Samples at even distances over the round; in one that fails, a quarter of them."""
    step = (line.seconds - began) / samples
    first, last = samples // 2, samples // 2 + max(1, samples // 4)
    begin_unix = line.unix - (line.seconds - began)
    for number in range(samples):
        down = fails and first <= number < last
        if down and number == first:
            line.add(SteadyStateLost(probe=PROBE, reason="connection refused"))
        line.add(
            SampleTaken(
                probe=PROBE, number=0, result="failed" if down else "ok", due=begin_unix + number * step,
                latency_ms=None if down else dice.uniform(1, 9),
            )
        )  # fmt: skip
    lost = last - first if fails else 0
    if fails:
        line.add(OutageSeen(probe=PROBE, number=0, began=begin_unix + first * step, seconds=lost * step))
    line.add(
        SteadyStateSampled(probe=PROBE, samples=samples, failed=lost, unseen=0, longest_outage_seconds=lost * step)
    )


def _look(names: tuple[str, ...], dice: random.Random, *, failed: tuple[str, ...] = ()) -> MeshSampled:
    times = tuple(tuple(round(dice.uniform(1, 12), 1) for _ in names) for _ in names)
    return MeshSampled(
        instances=len(names), pairs=9, failed=failed, slowest_ms=max(max(row) for row in times), names=names,
        calls_ms=times,
    )  # fmt: skip


def _judged(number: int) -> ObjectiveJudged:
    violated = number > 300
    spread = 1.2 / (1 + number**0.5)
    return ObjectiveJudged(
        objective="95 % recover within 500 ms",
        status=ObjectiveStatus.VIOLATED if violated else ObjectiveStatus.UNDECIDED,
        text=f"95 % of {number} recovered within 590 ms: {'violated' if violated else 'not enough evidence'}",
        measurement="timeToRecover",
        limit=0.5,
        confidence=0.95,
        window="30d",
        samples=number,
        estimate=0.59,
        lower=max(0.0, 0.59 - spread),
        upper=0.59 + spread if number > 58 else None,
        budget=BudgetState(target=0.95, good=number * 9 // 10, bad=number // 10, left=-0.4, burn_rates={"5m": 2.5}),
        warnings=("the times grow: 3 % a round (p = 0.01)",),
    )


def numbered(records: list[Record]) -> Iterator[Record]:
    """Records with sequence numbers from 1 on, where some were taken out or put in."""
    for number, record in enumerate(records, start=1):
        yield msgspec.structs.replace(record, sequence=number)
