"""Runs as traces, as a real collector gets them."""

import asyncio
import builtins
import logging
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from seatrial import __version__
from seatrial.errors import UsageError
from seatrial.runtime.events import (
    MachineStopped,
    ObjectiveJudged,
    ObjectiveStatus,
    PauseStarted,
    PodKilled,
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
    UndoDone,
    Where,
)
from seatrial.runtime.trace_ids import traceparent
from seatrial.runtime.verdict import Verdict
from seatrial.telemetry.tracing import exporting
from seatrial.telemetry.tracing.trace_report import TraceReport
from tests.telemetry.notifications.receivers import status
from tests.telemetry.tracing.collectors import attributes, collecting

POD = PodRef(namespace="shop", name="web-1", uid="1", node="node1", owner="ReplicaSet/web")
BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
ROUND, SCENARIO, STEP = Where(1), Where(1, "kill"), Where(1, "kill", 0)


def a_round(number=1, *, verdict=Verdict.PASSED):
    """The events of a round, with their places."""
    where, scenario, step = Where(number), Where(number, f"kill {number}"), Where(number, f"kill {number}", 0)
    why = () if verdict is Verdict.PASSED else ("too slow",)
    return [
        (where, RoundStarted(number=number)),
        (scenario, ScenarioStarted(name=scenario.scenario, description="")),
        (step, StepStarted(index=0, key=f"podAction {number}", total=1)),
        (Where(number, scenario.scenario, 0, 1, 0), PodKilled(pod=POD, force=True, duration_ms=2.5)),
        (step, StepFinished(index=0, key="podAction", verdict=verdict, reasons=why, duration_ms=1)),
        (scenario, UndoDone(description="start i-1")),
        (scenario, ScenarioFinished(name=scenario.scenario, verdict=verdict, reasons=why, duration_ms=1)),
        (
            scenario,
            ObjectiveJudged(
                objective="p95", status=ObjectiveStatus.MET, text="t", measurement="m", limit=1.0, confidence=0.95,
                window="24h", samples=9, estimate=0.5,
            ),
        ),
    ]  # fmt: skip


def started(rounds=1):
    return Where(), RunStarted(
        run_id="run-1", policy="p.yml", seed="7", server="https://127.0.0.1:6443", rounds=rounds, cluster="uid-1",
        context="staging",
    )  # fmt: skip


FINISHED = Where(), RunFinished(verdict=Verdict.PASSED, reasons=(), exit_code=0, duration_ms=1, rounds=1)


async def trace(collector, *events, jump=timedelta()):
    """Events a second apart; the wall clock jumps after the first."""
    report = TraceReport(endpoint=collector.url)
    for number, (where, event) in enumerate(events):
        time = BEGIN + timedelta(seconds=number) + (jump if number else timedelta())
        report(Record(number, time, 100.0 + number, where, event))
    await asyncio.to_thread(report.close)


def seconds(nanoseconds):
    return nanoseconds / 1e9 - BEGIN.timestamp()


async def test_a_run_is_a_trace_with_a_span_for_each_step():
    """Run, round, scenario, step, each the parent of the next, all of one trace; times are those of the events."""
    async with collecting() as collector:
        await trace(collector, started(), *a_round(), FINISHED)
        spans = collector.spans
        run, round_, scenario, step = (spans[name] for name in ("run p.yml", "round 1", "kill 1", "podAction 1"))
        assert len(spans) == 4
        assert (run.parent_span_id, round_.parent_span_id, scenario.parent_span_id, step.parent_span_id) == (
            b"", run.span_id, round_.span_id, scenario.span_id,
        )  # fmt: skip
        assert len({span.trace_id for span in spans.values()}) == 1
        times = [
            (seconds(each.start_time_unix_nano), seconds(each.end_time_unix_nano)) for each in (step, scenario, run)
        ]
        assert times == [(3, 5), (2, 7), (0, 9)]
        assert collector.receiver.calls[0].path == "/v1/traces"


async def test_what_happened_are_events_of_the_innermost_span():
    """Faults on the step, undo on the scenario, with their times; pods by OpenTelemetry's names."""
    async with collecting() as collector:
        await trace(collector, started(), *a_round(), FINISHED)
        [killed] = collector.spans["podAction 1"].events
        assert (killed.name, seconds(killed.time_unix_nano)) == ("pod_killed", 4)
        assert attributes(killed) == {
            "k8s.namespace.name": "shop", "k8s.pod.name": "web-1", "k8s.pod.uid": "1", "k8s.node.name": "node1",
            "seatrial.force": True, "seatrial.replaced": True, "seatrial.duration_ms": 2.5,
        }  # fmt: skip
        [undone] = collector.spans["kill 1"].events
        assert (undone.name, attributes(undone)) == ("undo_done", {"seatrial.description": "start i-1"})


async def test_verdicts_are_statuses_and_objectives_attributes():
    """Failed is an error with its reasons, passed is OK, inconclusive is neither."""
    async with collecting() as collector:
        rounds = [each for n, verdict in enumerate(Verdict, 1) for each in a_round(n, verdict=verdict)]
        await trace(collector, started(3), *rounds, FINISHED)
        spans = collector.spans
        codes = [spans[f"kill {number}"].status.code for number in (1, 2, 3)]
        assert codes == [Status.STATUS_CODE_ERROR, Status.STATUS_CODE_UNSET, Status.STATUS_CODE_OK]
        assert spans["kill 1"].status.message == "too slow"
        assert spans["podAction 1"].status.code == Status.STATUS_CODE_ERROR
        found = attributes(spans["kill 2"])
        assert found["seatrial.verdict"] == "inconclusive"
        assert found["seatrial.reasons"] == ["too slow"]
        assert found["seatrial.objective.p95.status"] == "met"
        assert found["seatrial.objective.p95.samples"] == 9
        assert {span.trace_id for span in spans.values()} == {spans["run p.yml"].trace_id}


async def test_the_resource_says_who_and_which_cluster(monkeypatch):
    """Service, version, the cluster's UID; what the environment says wins."""
    async with collecting() as collector:
        await trace(collector, started(), FINISHED)
        assert collector.resource.items() >= {
            "service.name": "seatrial", "service.version": __version__, "k8s.cluster.uid": "uid-1",
            "k8s.cluster.name": "staging",
        }.items()  # fmt: skip
    monkeypatch.setenv("OTEL_SERVICE_NAME", "chaos")
    async with collecting() as collector:
        await trace(collector, started(), FINISHED)
        assert collector.resource["service.name"] == "chaos"


async def test_of_a_run_for_ever_each_round_is_a_trace():
    """With a link to the run, whose own span comes when it ends; a round is sent when it is over."""
    async with collecting() as collector:
        pause = (Where(), PauseStarted(seconds=30, until=BEGIN))
        await trace(collector, started(rounds=None), *a_round(1), pause, *a_round(2), FINISHED)
        spans = collector.spans
        one, two, run = spans["round 1"], spans["round 2"], spans["run p.yml"]
        assert len({one.trace_id, two.trace_id, run.trace_id}) == 3
        for round_ in (one, two):
            assert round_.parent_span_id == b""
            [link] = round_.links
            assert (link.trace_id, link.span_id) == (run.trace_id, run.span_id)
        assert spans["podAction 2"].trace_id == two.trace_id
        assert seconds(one.end_time_unix_nano) == 9


async def test_a_run_for_ever_holds_no_more_than_its_round():
    """After each pause nothing is open but the run's own span, however many rounds there were."""
    async with collecting() as collector:
        report = TraceReport(endpoint=collector.url)
        where, event = started(rounds=None)
        report(Record(0, BEGIN, 0.0, where, event))
        pause = (Where(), PauseStarted(seconds=30, until=BEGIN))
        for number in range(1, 200):
            for where, event in (*a_round(number), pause):
                report(Record(number, BEGIN, float(number), where, event))
            assert report._spans.keys() == {Where()}
            assert not report._ended
        await asyncio.to_thread(report.close)
        assert len(collector.spans) == 199 * 3 + 1


@pytest.mark.parametrize("rounds", [1, None], ids=["one round", "for ever"])
async def test_a_probe_knows_the_ids_of_the_span_that_it_belongs_to(rounds):
    """The header of a request in a step names the step's span, though the one who sends it knows no trace."""
    async with collecting() as collector:
        await trace(collector, started(rounds), *a_round(), FINISHED)
        step = collector.spans["podAction 1"]
        where = Where(1, "kill 1", 0, attempt=2, action=1)
        header = traceparent("run-1", Where(where.round, where.scenario, where.step), by_round=rounds is None)
        assert header == f"00-{step.trace_id.hex()}-{step.span_id.hex()}-01"
        assert traceparent("run-1", where, by_round=rounds is None) == header


async def test_a_wall_clock_that_is_set_tears_no_trace_apart():
    """An hour's jump between two events: the step took two seconds, as the monotonic clock says."""
    async with collecting() as collector:
        await trace(collector, started(), *a_round(), FINISHED, jump=timedelta(hours=1))
        step = collector.spans["podAction 1"]
        assert step.end_time_unix_nano - step.start_time_unix_nano == 2_000_000_000
        assert seconds(step.start_time_unix_nano) == 3


async def test_probes_in_the_background_are_told_of_when_they_fail():
    """One of a thousand that succeed says nothing; all of a step's do."""
    sample = {"target": "http://s", "via": "url", "attempt": 0, "status": 200, "latency_ms": 1.0}
    good, bad = ProbeSampled(ok=True, **sample), ProbeSampled(ok=False, **sample)
    head, tail = a_round()[:3], a_round()[4:]
    step = head[-1][0]
    scenario = Where(1, "kill 1")
    async with collecting() as collector:
        await trace(collector, started(), *head, (scenario, good), (scenario, bad), (step, good), *tail, FINISHED)
        spans = collector.spans
        assert [attributes(each)["seatrial.ok"] for each in spans["kill 1"].events if "probe" in each.name] == [False]
        assert [attributes(each)["seatrial.ok"] for each in spans["podAction 1"].events] == [True]


async def test_what_is_open_when_a_run_breaks_off_is_sent():
    """Stopped in the middle of a step: its spans end with the last event."""
    async with collecting() as collector:
        stopped = (Where(1, "kill 1", 0), MachineStopped(id="i-1", name="node1", force=True, duration_ms=1))
        await trace(collector, started(), *a_round()[:3], stopped)
        assert collector.spans.keys() == {"run p.yml", "round 1", "kill 1", "podAction 1"}
        [event] = collector.spans["podAction 1"].events
        assert attributes(event)["k8s.node.name"] == "node1"
        assert attributes(event)["host.id"] == "i-1"


async def test_a_collector_that_is_not_there_is_complained_of_once(monkeypatch, unused_tcp_port, caplog):
    """One line, at the end how many there were, no traceback; and the end of the run waits no longer than said."""
    monkeypatch.setattr(exporting, "_LAST_SECONDS", 3)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    report = TraceReport(endpoint=f"http://127.0.0.1:{unused_tcp_port}")
    with caplog.at_level(logging.WARNING, logger="seatrial.traces"):
        for number, (where, event) in enumerate([started(), *a_round(), FINISHED]):
            report(Record(number, BEGIN, float(number), where, event))
        await asyncio.to_thread(report.close)
    lines = [each for each in caplog.records if each.name == "seatrial.traces"]
    # How often the library tries in the time that it has, and what it says of it then, is its own affair.
    told = [text for each in lines if not (text := each.getMessage()).endswith("complaints in all")]
    assert len(told) == 1
    assert re.fullmatch(r"traces are not taken: .+; the run goes on", told[0])
    assert len(lines) - len(told) <= 1
    assert not any(each.exc_info for each in lines)


async def test_a_collector_that_refuses_is_complained_of_once(caplog):
    """A wrong token, say: the library's complaint in one line of ours."""
    async with collecting(status(401)) as collector:
        with caplog.at_level(logging.WARNING, logger="seatrial.traces"):
            await trace(collector, started(), *a_round(), FINISHED)
        lines = [each.getMessage() for each in caplog.records if each.name == "seatrial.traces"]
        assert len(lines) == 1
        assert "traces are not taken" in lines[0]


async def test_the_environment_says_where_to_and_with_which_headers(monkeypatch):
    """OpenTelemetry's own variables."""
    async with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{collector.url}/prefix")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-token=abc")
        report = TraceReport()
        where, event = started()
        report(Record(0, BEGIN, 0.0, where, event))
        await asyncio.to_thread(report.close)
        [call] = collector.receiver.calls
        assert (call.path, call.headers["x-token"]) == ("/prefix/v1/traces", "abc")


def test_an_address_that_is_none_is_refused():
    """Before the run."""
    with pytest.raises(UsageError, match="is no URL"):
        TraceReport(endpoint="collector:4318")


def test_without_the_extra_it_says_how_to_get_it(monkeypatch):
    """With the command that installs it."""
    imported = builtins.__import__

    def without(name, *arguments):
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return imported(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match="need the extra 'otel'") as caught:
        TraceReport(endpoint="http://127.0.0.1:4318")
    assert "pip install 'seatrial[otel]'" in caught.value.hint


def test_nobody_who_wants_no_traces_loads_the_library():
    """The options that say so import nothing of it."""
    script = (
        "import sys; from seatrial.cli.telling_options import TellingChoice, tracing\n"
        "with tracing(TellingChoice()) as made: assert made == []\n"
        "print(*(name for name in sys.modules if name.startswith(('opentelemetry', 'seatrial.telemetry'))))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
