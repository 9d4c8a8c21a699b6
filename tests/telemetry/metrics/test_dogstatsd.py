import builtins

import pytest
from msgspec.structs import replace

from seatrial import __version__
from seatrial.errors import UsageError
from seatrial.runtime.events import PodKilled, PodRef, ScenarioFinished, ScenarioStarted, TargetsChosen
from seatrial.runtime.verdict import Verdict
from seatrial.telemetry.metrics.dogstatsd import DatadogReport
from tests.report.conftest import records_of
from tests.telemetry.meanings import JUDGED
from tests.telemetry.scraping import agent, receive

KILL = PodKilled(pod=PodRef(namespace="shop", name="web-1", uid="1"), force=True, duration_ms=1)


def test_metrics_are_sent_under_powerfulseals_names(monkeypatch):
    """Real datagrams in DogStatsD's form: name, value, kind, tags."""
    with agent(monkeypatch) as listening:
        report = DatadogReport()
        for record in records_of([KILL, TargetsChosen(pods=(), matched=0)]):
            report(record)
        report.close()
        assert receive(listening, count=4) == [
            f"powerfulseal.seatrial_build_info:1|g|#version:{__version__}",
            "powerfulseal.pod_kills_total:1|c|#status:success,namespace:shop,name:web-1",
            "powerfulseal.empty_filter_total:1|c",
            "powerfulseal.empty_match_total:1|c|#source:pods",
        ]


def test_a_level_is_sent_as_what_it_stands_at(monkeypatch):
    """One scenario begins: 1; it ends: 0, with its result and its duration."""
    finished = ScenarioFinished(name="s", verdict=Verdict.PASSED, reasons=(), duration_ms=1500)
    with agent(monkeypatch) as listening:
        report = DatadogReport()
        for record in records_of([ScenarioStarted(name="s", description=""), finished]):
            report(record)
        report.close()
        assert receive(listening, count=5)[1:] == [
            "powerfulseal.seatrial_experiments_in_flight:1.0|g",
            "powerfulseal.seatrial_experiments_in_flight:0.0|g",
            "powerfulseal.scenario_runs_total:1|c|#name:s,result:success",
            "powerfulseal.seatrial_scenario_duration_seconds:1.5|h|#name:s",
        ]


def test_levels_are_sent_while_they_are_known(monkeypatch):
    """Those of an objective: what isn't known, or infinite, isn't sent."""
    judged = replace(JUDGED, estimate=float("inf"), budget=None)
    with agent(monkeypatch) as listening:
        report = DatadogReport()
        for record in records_of([judged, KILL]):
            report(record)
        report.close()
        told = receive(listening, until="powerfulseal.pod_kills_total")
    of = "#scenario:Kill_half,objective:healing"
    assert f"powerfulseal.seatrial_objective_status:1.0|g|{of},status:violated" in told
    assert f"powerfulseal.seatrial_objective_lower_bound_seconds:31|g|{of}" in told
    assert [line for line in told if "estimate" in line or "upper" in line or "more_runs" in line] == []


def test_an_agent_that_is_not_there_hurts_nothing(monkeypatch, unused_udp_port, caplog):
    """Metrics go nowhere; it is said once, not for each of them."""
    monkeypatch.setenv("DD_AGENT_HOST", "127.0.0.1")
    monkeypatch.setenv("DD_DOGSTATSD_PORT", str(unused_udp_port))
    report = DatadogReport()
    for record in records_of([KILL] * 100):
        report(record)
    report.close()
    told = [record.getMessage() for record in caplog.records]
    assert told[0] == "Datadog's agent takes no metrics: connection refused; the run goes on"
    assert [each.endswith("complaints in all") for each in told[1:]] in ([], [True])


def test_without_the_extra_it_says_how_to_get_it(monkeypatch):
    """The library is missing: an error with the command that installs it."""
    imported = builtins.__import__

    def without_datadog(name, *arguments):
        if name.startswith("datadog"):
            raise ImportError(name)
        return imported(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_datadog)
    with pytest.raises(UsageError, match="need the extra 'datadog'") as caught:
        DatadogReport()
    assert "pip install 'seatrial[datadog]'" in caught.value.hint
