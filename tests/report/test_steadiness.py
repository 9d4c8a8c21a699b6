from msgspec.structs import replace

from seatrial.report.account import Account
from seatrial.report.summary import Summary
from seatrial.runtime.events import (
    ExperimentAborted,
    ProbeSampled,
    SteadyStateHeld,
    SteadyStateLost,
    SteadyStateRegained,
    SteadyStateSampled,
    Where,
)
from tests.report.conftest import records_of

PROBE = "probes[0] (probeHTTP)"
ASKED = ProbeSampled(target="http://s/", via="url", ok=False, attempt=0, status=500, latency_ms=1.0, error="500")


def sampled(**others):
    figures = {"samples": 50, "failed": 4, "unseen": 0, "longest_outage_seconds": 1.5, **others}
    return SteadyStateSampled(probe=PROBE, **figures)


def in_background(events):
    """Records of what is sampled beside the steps of a scenario."""
    where = Where(round=1, scenario="Kill half")
    return [replace(record, where=where) for record in records_of(events)]


def told(*events):
    account = Account()
    return [f"{line.label} {line.text}" for record in in_background(events) for line in account.lines(record)]


def test_the_account_tells_what_changes():
    """Held, lost, regained, counted, returned; and what ended the experiment."""
    assert told(
        SteadyStateHeld(moment="before", probes=1, seconds=0.02),
        SteadyStateLost(probe=PROBE, reason="expected 200, got 500"),
        SteadyStateRegained(probe=PROBE, seconds=1.5),
        sampled(unseen=2),
        SteadyStateHeld(moment="after", probes=2, seconds=3.0),
        ExperimentAborted(condition="abortWhen[0] (probeTCP)", reason="refused (once)"),
    ) == [
        "steady 1 probe held, in 20 ms",
        f"lost steady state, {PROBE}: expected 200, got 500",
        f"regained steady state, {PROBE}: after 1.5 s",
        f"steady {PROBE}: 4 of 50 samples failed, for 1.5 s at a stretch, 2 could not be taken",
        "steady 2 probes held again 3.0 s after clean-up",
        "ABORT abortWhen[0] (probeTCP): refused (once); cleaning up",
    ]


def test_single_samples_fill_no_screen():
    """Each request of a background probe is an event; the account leaves them out, the summary counts them apart."""
    assert told(*[ASKED] * 20) == []
    summary = Summary()
    for record in [*in_background([ASKED] * 20), *records_of([ASKED])]:
        summary(record)
    assert summary.as_json()["probes"] == {"ok": 0, "failed": 1}


def test_the_summary_adds_up_all_rounds():
    """Samples and failures of every round, and the longest outage of any."""
    summary = Summary()
    for record in in_background([sampled(), sampled(failed=1, longest_outage_seconds=2.0, unseen=1)]):
        summary(record)
    [steady] = summary.as_json()["steadyState"]
    assert steady == {
        "scenario": "Kill half", "probe": PROBE, "samples": 100, "failed": 5, "unseen": 1, "longestOutageMs": 2000.0,
    }  # fmt: skip
    text = dict(summary.lines())["steady"]
    assert text == f"Kill half, {PROBE}: 5 of 100 samples failed, for 2.0 s at the longest, 1 could not be taken"


def test_the_summary_says_what_was_aborted():
    """Which scenario, by which condition, and why."""
    summary = Summary()
    [record] = in_background([ExperimentAborted(condition="abortWhen[0] (probeTCP)", reason="refused")])
    summary(record)
    assert summary.as_json()["aborted"] == ["Kill half: abortWhen[0] (probeTCP): refused"]
    assert dict(summary.lines())["aborted"].startswith("Kill half")
