"""Runs to put into stores, as events."""

import itertools
from datetime import UTC, datetime, timedelta

from seatrial.runtime.events import (
    MeasurementTaken,
    Record,
    RoundStarted,
    RunFinished,
    RunStarted,
    SampleTaken,
    ScenarioFinished,
    ScenarioStarted,
    SteadyStateSampled,
    Where,
)
from seatrial.runtime.verdict import Verdict
from seatrial.slo.series import SeriesKey
from seatrial.storage.records import RunRecord

BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
PROBE = "probes[0] (probeHTTP)"
KEY = SeriesKey(cluster="c1", policy="p.yml", scenario="Kill half", digest="d1")
_HERE = Where(round=1, scenario="Kill half")


def run_record(run="run1", **changes):
    """A run that has begun."""
    at = BEGIN.timestamp()
    given = {
        "policy": "p.yml", "policy_text": "scenarios: []\n", "digests": {"Kill half": "d1"}, "seed": "7",
        "server": "https://127.20.0.1:6443", "context": "", "cluster": "c1", "versions": {"seatrial": "1"},
        "host": "here", "started": at, "seen": at, **changes,
    }  # fmt: skip
    return RunRecord(id=run, **given)


def records(*events, begin=BEGIN, first=1, where=_HERE):
    """Events as records, a second apart."""
    return [
        Record(number, begin + timedelta(seconds=number - first), float(number), where, event)
        for number, event in zip(itertools.count(first), events, strict=False)
    ]


def started(run="run1"):
    return RunStarted(run_id=run, policy="p.yml", seed="7", server="https://127.20.0.1:6443", rounds=1, cluster="c1")


def measured(seconds, *, name="timeToRecover", is_lower_bound=False):
    return MeasurementTaken(name=name, of="pod a", seconds=seconds, is_lower_bound=is_lower_bound)


def scenario_over(verdict=Verdict.PASSED, *, reasons=()):
    return ScenarioFinished(name="Kill half", verdict=verdict, reasons=reasons, duration_ms=5000.0)


def run_over(verdict=Verdict.PASSED):
    return RunFinished(verdict=verdict, reasons=("why",), exit_code=0, duration_ms=1000.0, rounds=1)


def sample(at, result="ok", latency_ms=2.5, *, probe=PROBE):
    return SampleTaken(probe=probe, number=0, result=result, due=at, latency_ms=latency_ms)


def sampled(samples, failed=0, unseen=0):
    return SteadyStateSampled(
        probe=PROBE, samples=samples, failed=failed, unseen=unseen, longest_outage_seconds=float(failed)
    )


def a_run(run="run1"):
    """What happens in a small run."""
    return [
        started(run),
        RoundStarted(number=1),
        ScenarioStarted(name="Kill half", description=""),
        measured(1.5),
        measured(30.0, is_lower_bound=True),
        sampled(10, failed=2, unseen=1),
        scenario_over(),
        run_over(),
    ]
