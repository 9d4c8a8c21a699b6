"""Seatrial's metrics, alerts and dashboard with a real Prometheus and Alertmanager."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace
from prometheus_client import generate_latest

from seatrial.runtime.events import ObjectiveStatus
from seatrial.telemetry.metrics.prometheus import PrometheusReport, served
from seatrial.telemetry.monitoring.files import alert_rules
from tests import monitoring_servers
from tests.monitoring_servers import Monitoring, wait_until
from tests.report.conftest import records_of
from tests.telemetry.meanings import EVENTS, JUDGED

MONITORING = Path(__file__).parents[3] / "deploy" / "monitoring"
BOARD = json.loads((MONITORING / "seatrial-dashboard.json").read_text())
VARIABLES = {
    "$job": ".*", "$instance": ".*", "$scenario": ".*", "$__rate_interval": "1m", "$__range": "5m",
}  # fmt: skip

pytestmark = pytest.mark.skipif(not monitoring_servers.are_there(), reason=monitoring_servers.HOW_TO_GET)


@dataclass(frozen=True)
class Watched:
    """A Seatrial's metrics, and the servers that watch them."""

    report: PrometheusReport
    monitoring: Monitoring

    def happens(self, *events):
        for record in records_of(events):
            self.report(record)


@pytest.fixture(scope="module", name="watched")
def _watched():
    report = PrometheusReport()
    with (
        served(report, host="127.0.0.1", port=0) as port,
        monitoring_servers.alerting(targets=[f"127.0.0.1:{port}"]) as monitoring,
    ):
        watched = Watched(report, monitoring)
        # What counts up has to be scraped before and after, since Prometheus knows growth by differences only.
        watched.happens(*EVENTS)
        monitoring.prometheus.wait_for("seatrial_objective_status")
        watched.happens(*EVENTS)
        yield watched


def queries():
    """Each query of the dashboard, with what Grafana would put in for its variables."""
    for panel in BOARD["panels"]:
        for each in (panel, *panel.get("panels", [])):
            for target in each.get("targets", []):
                expression = target["expr"]
                for variable, value in VARIABLES.items():
                    expression = expression.replace(variable, value)
                yield expression


def test_every_panel_shows_something(watched):
    """Prometheus understands each query of the dashboard, and has an answer to it."""
    for expression in queries():
        assert watched.monitoring.prometheus.wait_for(expression)


def test_prometheus_finds_our_page_sound(watched):
    """Its linter has nothing to say of our own metrics; PowerfulSeal's names are what they are."""
    done = monitoring_servers.promtool("check", "metrics", standard_input=page(watched.report))
    complaints = [line for line in done.stderr.splitlines() if line.startswith(("seatrial_", "error"))]
    assert complaints == []


def test_every_rule_is_evaluated(watched):
    """No expression of a rule fails, and no template of an annotation."""
    prometheus = watched.monitoring.prometheus

    def rules():
        found = [rule for group in prometheus.get("/api/v1/rules")["data"]["groups"] for rule in group["rules"]]
        return found if all(rule["health"] != "unknown" for rule in found) else []

    evaluated = wait_until(rules, what="rules were not evaluated", server=prometheus)
    expected = {rule["alert"] for group in alert_rules()["groups"] for rule in group["rules"]}
    assert {rule["name"] for rule in evaluated} == expected
    assert [(rule["name"], rule.get("lastError")) for rule in evaluated if rule["health"] != "ok"] == []
    texts = [alert["annotations"] for rule in evaluated for alert in rule["alerts"]]
    assert texts
    assert "<error" not in json.dumps(texts)


@pytest.mark.parametrize(
    "name",
    [
        "SeatrialCleanUpFailed",
        "SeatrialErrorBudgetSpent",
        "SeatrialFaultUnproven",
        "SeatrialNotificationsFail",
        "SeatrialRecoveryMissed",
        "SeatrialScenarioFailing",
    ],
)
def test_whatever_goes_wrong_is_told(watched, name):
    """An event of a run is an alert at the webhook, with what the documentation has on it."""
    told = watched.monitoring.receiver.wait_for(name)
    assert told["annotations"]["runbook"] == f"docs/how-to/alerts.md#{name.lower()}"


def test_a_violated_objective_reaches_whoever_is_on_call(watched):
    """Seatrial, Prometheus, Alertmanager, webhook: told in words, and told again when it holds."""
    watched.happens(replace(JUDGED, status=ObjectiveStatus.VIOLATED))
    receiver = watched.monitoring.receiver
    told = receiver.wait_for("SeatrialObjectiveViolated")
    assert told["labels"]["severity"] == "critical"
    assert "SeatrialObjectiveViolated" in watched.monitoring.prometheus.firing()
    assert (told["labels"]["scenario"], told["labels"]["objective"]) == ("Kill half", "healing")
    assert told["annotations"]["summary"] == "Objective violated: healing (scenario Kill half)"
    watched.happens(replace(JUDGED, status=ObjectiveStatus.MET))
    receiver.wait_for("SeatrialObjectiveViolated", status="resolved")


def test_alertmanager_takes_the_example_of_configuration():
    """It starts with it: routes, inhibitions, receivers."""
    config = yaml.safe_load((MONITORING / "alertmanager.example.yml").read_text())
    with monitoring_servers.running_alertmanager(config=config) as server:
        status = server.get("/api/v2/status")
    assert "SeatrialObjectiveViolated" in status["config"]["original"]


def page(report):
    """What is scraped, as text."""
    return generate_latest(report.registry).decode()
