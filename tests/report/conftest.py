from datetime import UTC, datetime, timedelta

import pytest

from seatrial.runtime.events import (
    MeshSampled,
    PodKilled,
    PodRecovered,
    PodRef,
    ProbeSampled,
    Record,
    RoundStarted,
    RunFinished,
    RunStarted,
    ScenarioFinished,
    ScenarioStarted,
    StepFinished,
    StepStarted,
    TargetsChosen,
    TargetsFiltered,
    TargetsMatched,
    Where,
)
from seatrial.runtime.verdict import Verdict

OLD = PodRef(namespace="default", name="goldpinger-a", uid="1", node="node1", owner="ReplicaSet/goldpinger")
NEW = PodRef(namespace="default", name="goldpinger-b", uid="2", node="node2", owner="ReplicaSet/goldpinger")


def records_of(events):
    """Events as records, a tenth of a second apart."""
    begin = datetime(2030, 1, 1, tzinfo=UTC)
    where = Where(round=1, scenario="Kill half", step=0)
    return [
        Record(number, begin + timedelta(seconds=number / 10), number / 10, where, event)
        for number, event in enumerate(events, start=1)
    ]


@pytest.fixture
def run():
    """The records of a small run: one of three pods killed, seen by its peers, replaced."""
    mesh = {"instances": 3, "pairs": 9, "slowest_ms": 1.0}
    return records_of(
        [
            RunStarted(run_id="abc", policy="p.yml", seed="7", server="https://127.20.0.1:6443", rounds=1),
            RoundStarted(number=1),
            ScenarioStarted(name="Kill half", description="Half of the pods."),
            MeshSampled(failed=(), **mesh),
            StepStarted(index=0, key="podAction", total=1),
            TargetsMatched(matcher="labels app=goldpinger in namespace default", count=3),
            TargetsFiltered(filter="randomSample", before=3, after=1, note="0.5 of 3 is 1, rounded down"),
            TargetsChosen(pods=(OLD,), matched=3),
            PodKilled(pod=OLD, force=True, duration_ms=2.5),
            MeshSampled(failed=("c -> a", "d -> a"), **mesh),
            MeshSampled(failed=(), **mesh),
            ProbeSampled(target="http://s/healthz", via="clusterIP", ok=True, attempt=0, status=200, latency_ms=3.0),
            StepFinished(index=0, key="podAction", verdict=Verdict.PASSED, reasons=(), duration_ms=50),
            PodRecovered(
                pod=OLD, replacement=NEW, gone_ms=5, created_ms=10, scheduled_ms=20, running_ms=100, ready_ms=250
            ),
            ScenarioFinished(name="Kill half", verdict=Verdict.PASSED, reasons=(), duration_ms=900),
            RunFinished(verdict=Verdict.PASSED, reasons=(), exit_code=0, duration_ms=1000, rounds=1),
        ]
    )
