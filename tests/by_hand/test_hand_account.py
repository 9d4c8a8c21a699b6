"""What is told of events to a person who did something by hand."""

import pytest

from seatrial.by_hand.hand_account import HandAccount
from seatrial.runtime.events import (
    FaultProven,
    PodKilled,
    PodRef,
    ProbeSampled,
    Record,
    StepFinished,
    StepStarted,
    TargetsChosen,
    TargetsMatched,
    UndoDone,
    UndoWritten,
    Where,
)
from seatrial.runtime.verdict import Verdict
from seatrial.testing import FakeClock

POD = PodRef(namespace="default", name="web-1", uid="1", node="node1")
BY_HAND = Where(round=1, scenario="by hand")


def told(*events):
    """The lines of these events, one after the other."""
    account, clock = HandAccount(), FakeClock()
    records = [Record(number, clock.now(), clock.monotonic(), BY_HAND, each) for number, each in enumerate(events)]
    return [line for record in records for line in account.lines(record)]


def probe(**given):
    return ProbeSampled(**{"target": "http://x/", "via": "url", "ok": True, "attempt": 0, "status": 200, **given})


@pytest.mark.parametrize(
    "event",
    [
        StepStarted(index=0, key="podAction", total=1),
        StepFinished(index=0, key="podAction", verdict=Verdict.FAILED, reasons=("why",), duration_ms=1),
        TargetsMatched(matcher="all", count=3),
        TargetsChosen(pods=(POD,), matched=3),
        UndoWritten(description="scale it back"),
    ],
)
def test_what_the_plan_and_the_command_say_is_left_out(event):
    """No steps, choices, or undos noted; the outcome is told by the command."""
    assert told(event) == []


def test_what_was_done_and_proven_begins_where_commands_begin():
    """Nothing is indented as if it stood below a scenario."""
    done = told(
        PodKilled(pod=POD, force=True, duration_ms=2),
        FaultProven(subject="pod default/web-1", proof="gone"),
        UndoDone(description="scale it back"),
    )
    assert [(line.depth, line.label) for line in done] == [(0, "killed"), (0, "proven"), (0, "undone")]


def test_a_probe_is_told_with_what_took_its_time():
    """As far as that can be seen."""
    [line] = told(probe(latency_ms=5.0, connect_ms=1.0, tls_ms=2.0, first_byte_ms=4.5))
    assert line.text == "http://x/ answered 200 in 5.0 ms: connected 1.0 ms, TLS 2.0 ms, first byte after 4.5 ms"
    [line] = told(probe(latency_ms=5.0))
    assert line.text == "http://x/ answered 200 in 5.0 ms"


def test_several_probes_are_summed_up():
    """How many were as expected, and how fast; of one alone all is said already."""
    start = StepStarted(index=0, key="probeHTTP", total=1)
    end = StepFinished(index=0, key="probeHTTP", verdict=Verdict.PASSED, reasons=(), duration_ms=1)
    samples = [probe(latency_ms=each) for each in (1.0, 2.0, 9.0)]
    assert told(start, *samples, end)[-1].text == "3 probes, all as expected: 2.0 ms in the middle, 1.0 to 9.0 ms"
    assert len(told(start, samples[0], end)) == 1
    failed = probe(ok=False, status=None, latency_ms=None, error="refused")
    assert (
        told(start, samples[0], failed, end)[-1].text == "2 probes, 1 as expected: 1.0 ms in the middle, 1.0 to 1.0 ms"
    )
    assert told(start, failed, failed, end)[-1].text == "2 probes, 0 as expected"


def test_each_command_begins_anew():
    """Probes of an earlier command don't count for a later one."""
    start = StepStarted(index=0, key="probeHTTP", total=1)
    end = StepFinished(index=0, key="probeHTTP", verdict=Verdict.PASSED, reasons=(), duration_ms=1)
    once = probe(latency_ms=1.0)
    assert len(told(start, once, end, start, once, end)) == 2
