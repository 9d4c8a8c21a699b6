import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from seatrial.telemetry.metrics.table import METRICS, RUN_SECONDS
from seatrial.telemetry.monitoring import alerts
from seatrial.telemetry.monitoring.alerts import GROUPS
from seatrial.telemetry.monitoring.files import alert_rules
from tests import monitoring_servers
from tests.monitoring_servers import RULES, promtool

ROOT = Path(__file__).parents[3]
ALERTS = {alert.name: alert for group in GROUPS for alert in group.alerts}

RUN = 'job="seatrial", instance="i"'
IN_RUN = {"job": "seatrial", "instance": "i"}
HEALING = f'{RUN}, scenario="kill", objective="healing"'
OF_HEALING = {**IN_RUN, "scenario": "kill", "objective": "healing"}
KILL = f'{RUN}, name="kill"'
OF_KILL = {**IN_RUN, "name": "kill"}

needs_promtool = pytest.mark.skipif(
    monitoring_servers.find("promtool") is None, reason="no promtool: python -m tests.monitoring_servers"
)


@dataclass(frozen=True)
class Case:
    """Series, and what an alert does: after so long it fires with these labels, or not at all.

    A series has a value each minute, or as often as `pace` says.
    """

    alert: str
    what: str
    series: dict
    at: str
    fires: dict | None = None
    shown: str = ""
    pace: str = "1m"


def burns(judged="0+60x15", **rates):
    windows = {"five": "5m", "hour": "1h", "six": "6h"}
    series = {f'seatrial_error_budget_burn_rate{{{HEALING}, window="{windows[name]}"}}': rates[name] for name in rates}
    return {
        **{name: f"{rate}x400" for name, rate in series.items()},
        f"seatrial_objective_judged_timestamp_seconds{{{HEALING}}}": judged,
    }


CASES = [
    Case(
        "SeatrialObjectiveViolated", "the status is violated",
        {f'seatrial_objective_status{{{HEALING}, status="violated"}}': "0 0 1 1 1"},
        at="3m", fires={**OF_HEALING, "status": "violated"},
    ),
    Case(
        "SeatrialObjectiveViolated", "it holds again",
        {
            f'seatrial_objective_status{{{HEALING}, status="violated"}}': "1 1 0 0 0",
            f'seatrial_objective_status{{{HEALING}, status="met"}}': "0 0 1 1 1",
        },
        at="3m",
    ),
    Case(
        "SeatrialErrorBudgetBurningFast", "over the hour and the last minutes",
        burns(hour=20, five=15, six=3), at="5m", fires={**OF_HEALING, "window": "1h"}, shown="20",
    ),
    Case(
        "SeatrialErrorBudgetBurningFast", "over by now, though the hour still has it",
        burns(hour=20, five=0, six=3), at="5m",
    ),
    Case("SeatrialErrorBudgetBurningFast", "a few bad minutes", burns(hour=2, five=50, six=1), at="5m"),
    Case(
        "SeatrialErrorBudgetBurningSlowly", "over six hours and the last one",
        burns(hour=7, five=0, six=6.5), at="5m", fires={**OF_HEALING, "window": "6h"}, shown="6.5",
    ),
    Case(
        "SeatrialErrorBudgetBurningFast", "two hours ago, when it was judged the last time",
        burns(hour=20, five=15, six=3, judged="0x400"), at="2h",
    ),
    Case(
        "SeatrialErrorBudgetBurningSlowly", "as far as was known two hours ago",
        burns(hour=7, five=0, six=6.5, judged="0x400"), at="2h", fires={**OF_HEALING, "window": "6h"}, shown="6.5",
    ),
    Case("SeatrialErrorBudgetBurningSlowly", "over by now", burns(hour=1, five=0, six=6.5), at="5m"),
    Case(
        "SeatrialErrorBudgetSpent", "overspent by half",
        {f"seatrial_error_budget_left_ratio{{{HEALING}}}": "0.5 0.1 -0.5 -0.5"},
        at="3m", fires=OF_HEALING, shown="-50%",
    ),
    Case(
        "SeatrialErrorBudgetSpent", "a tenth is left",
        {f"seatrial_error_budget_left_ratio{{{HEALING}}}": "0.1x5"}, at="3m",
    ),
    Case(
        "SeatrialEvidenceStale", "judged a day and an hour ago",
        {f"seatrial_objective_judged_timestamp_seconds{{{HEALING}}}": "0x30"},
        pace="1h", at="25h", fires=OF_HEALING, shown="1d 1h 0m 0s",
    ),
    Case(
        "SeatrialEvidenceStale", "judged every hour",
        {f"seatrial_objective_judged_timestamp_seconds{{{HEALING}}}": "0+3600x30"}, pace="1h", at="25h",
    ),
    Case(
        "SeatrialObjectiveUnreadable", "for ten minutes",
        {f"seatrial_objective_unreadable{{{HEALING}}}": "0 1x20"}, at="11m", fires=OF_HEALING,
    ),
    Case(
        "SeatrialObjectiveUnreadable", "once",
        {f"seatrial_objective_unreadable{{{HEALING}}}": "0 1 0x20"}, at="11m",
    ),
    Case(
        "SeatrialObjectiveWarns", "for two hours",
        {f"seatrial_objective_warnings{{{HEALING}}}": "2x120"}, at="2h", fires=OF_HEALING,
    ),
    Case("SeatrialObjectiveWarns", "of nothing", {f"seatrial_objective_warnings{{{HEALING}}}": "0x120"}, at="2h"),
    Case(
        "SeatrialObjectiveUndecided", "for more than a week",
        {f'seatrial_objective_status{{{HEALING}, status="undecided"}}': "1x200"},
        pace="1h", at="169h", fires={**OF_HEALING, "status": "undecided"},
    ),
    Case(
        "SeatrialObjectiveUndecided", "for six days",
        {f'seatrial_objective_status{{{HEALING}, status="undecided"}}': "1x200"}, pace="1h", at="144h",
    ),
    Case(
        "SeatrialScenarioFailing", "the last run of it failed",
        {f'seatrial_scenario_verdict{{{KILL}, verdict="failed"}}': "0 1 1 1"}, at="2m", fires=OF_KILL,
    ),
    Case(
        "SeatrialScenarioFailing", "it failed and passed again between two looks",
        {
            f'seal_scenario_runs_total{{{KILL}, result="fail"}}': "3 3 4 4 4 4",
            f'seatrial_scenario_verdict{{{KILL}, verdict="failed"}}': "0x5",
        },
        at="5m", fires=OF_KILL,
    ),
    Case(
        "SeatrialScenarioFailing", "it failed before anybody looked, and passed again",
        {
            f'seal_scenario_runs_total{{{KILL}, result="fail"}}': "_x10 1x40",
            f'seatrial_scenario_verdict{{{KILL}, verdict="failed"}}': "_x10 0x40",
        },
        at="15m", fires=OF_KILL,
    ),
    Case(
        "SeatrialScenarioFailing", "it failed long ago",
        {
            f'seal_scenario_runs_total{{{KILL}, result="fail"}}': "3 4 4x30",
            f'seal_scenario_runs_total{{{KILL}, result="success"}}': "0+1x30",
            f'seatrial_scenario_verdict{{{KILL}, verdict="failed"}}': "1 1 0x30",
        },
        at="25m",
    ),
    Case(
        "SeatrialScenarioInconclusive", "for more than six hours",
        {f'seatrial_scenario_verdict{{{KILL}, verdict="inconclusive"}}': "1x400"},
        at="361m", fires={**OF_KILL, "verdict": "inconclusive"},
    ),
    Case(
        "SeatrialScenarioInconclusive", "now and then",
        {f'seatrial_scenario_verdict{{{KILL}, verdict="inconclusive"}}': "1x200 0 1x200"}, at="361m",
    ),
    Case(
        "SeatrialCleanUpFailed", "two changes, by a run that is over",
        {f'seatrial_undos_total{{{RUN}, result="failed"}}': "0 0 2 stale"},
        at="30m", fires={**IN_RUN, "result": "failed"}, shown="2",
    ),
    Case(
        "SeatrialCleanUpFailed", "everything was undone",
        {
            f'seatrial_undos_total{{{RUN}, result="failed"}}': "0x30",
            f'seatrial_undos_total{{{RUN}, result="done"}}': "0+1x30",
        },
        at="30m",
    ),
    Case(
        "SeatrialRecoveryMissed", "one within the hour",
        {f"seatrial_pod_recoveries_missed_total{{{RUN}}}": "0x20 1x20"}, at="30m", fires=IN_RUN,
    ),
    Case(
        "SeatrialRecoveryMissed", "one, long ago",
        {f"seatrial_pod_recoveries_missed_total{{{RUN}}}": "0 1x200"}, at="2h",
    ),
    Case(
        "SeatrialFaultUnproven", "one within the hour",
        {f'seatrial_faults_total{{{RUN}, proof="missing"}}': "0x20 1x20"},
        at="30m", fires={**IN_RUN, "proof": "missing"},
    ),
    Case(
        "SeatrialFaultUnproven", "all were seen",
        {
            f'seatrial_faults_total{{{RUN}, proof="missing"}}': "0x40",
            f'seatrial_faults_total{{{RUN}, proof="proven"}}': "0+1x40",
        },
        at="30m",
    ),
    Case(
        "SeatrialAbsent", "gone for twenty minutes",
        {f'seatrial_build_info{{{RUN}, version="1"}}': "1x9 stale"}, at="30m", fires={},
    ),
    Case(
        "SeatrialAbsent", "it was scraped all the time",
        {f'seatrial_build_info{{{RUN}, version="1"}}': "1x40"}, at="30m",
    ),
    Case(
        "SeatrialAbsent", "begun anew",
        {f'seatrial_build_info{{{RUN}, version="1"}}': "1x9 stale _x10 1x40"}, at="30m",
    ),
    Case(
        "SeatrialRoundOverdue", "by ten minutes",
        {f"seatrial_next_round_timestamp_seconds{{{RUN}}}": "600x40"}, at="20m", fires=IN_RUN, shown="10m 0s",
    ),
    Case(
        "SeatrialRoundOverdue", "due in a while",
        {f"seatrial_next_round_timestamp_seconds{{{RUN}}}": "1800x40"}, at="20m",
    ),
    Case(
        "SeatrialRoundStuck", "for three hours",
        {
            f"seatrial_round_started_timestamp_seconds{{{RUN}}}": "0x200",
            f"seatrial_experiments_in_flight{{{RUN}}}": "1x200",
        },
        at="3h", fires=IN_RUN, shown="3h 0m 0s",
    ),
    Case(
        "SeatrialRoundStuck", "a long pause after it",
        {
            f"seatrial_round_started_timestamp_seconds{{{RUN}}}": "0x200",
            f"seatrial_experiments_in_flight{{{RUN}}}": "1x5 0x200",
        },
        at="3h",
    ),
    Case(
        "SeatrialScheduleMissed", "once within the hour",
        {f"seatrial_schedule_missed_total{{{RUN}}}": "0x20 1x60"}, at="70m", fires=IN_RUN, shown="1",
    ),
    Case("SeatrialScheduleMissed", "never", {f"seatrial_schedule_missed_total{{{RUN}}}": "0x80"}, at="70m"),
    Case(
        "SeatrialPolicyRejected", "for ten minutes",
        {f"seatrial_policy_rejected{{{RUN}}}": "0x5 1x20"}, at="16m", fires=IN_RUN,
    ),
    Case(
        "SeatrialPolicyRejected", "put right within two minutes",
        {f"seatrial_policy_rejected{{{RUN}}}": "0x5 1 1 0x20"}, at="8m",
    ),
    Case(
        "SeatrialNotificationsFail", "the first message already",
        {f'seatrial_notifications_total{{{RUN}, channel="webhook", result="failed"}}': "_x5 1x20"},
        at="10m", fires={**IN_RUN, "channel": "webhook"},
    ),
    Case(
        "SeatrialNotificationsFail", "all arrive",
        {f'seatrial_notifications_total{{{RUN}, channel="webhook", result="sent"}}': "0+1x20"}, at="10m",
    ),
    Case(
        "SeatrialHalted", "and nothing runs since",
        {f"seatrial_halted{{{RUN}}}": "0 0 1 stale"}, at="40m", fires={"job": "seatrial"},
    ),
    Case(
        "SeatrialHalted", "and another run began",
        {
            f"seatrial_halted{{{RUN}}}": "0 0 1 stale",
            'seatrial_halted{job="seatrial", instance="j"}': "_x10 0x100",
        },
        at="60m",
    ),
]  # fmt: skip


def rendered(template, labels, shown):
    """A template of an annotation, filled in."""
    filled = re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], template)
    return re.sub(r"{{ \$value[^}]*}}", shown, filled)


def as_promtool_has_it(case):
    alert = ALERTS[case.alert]
    expected = []
    if case.fires is not None:
        texts = {"summary": alert.summary, "description": alert.description, "runbook": alert.runbook}
        expected.append(
            {
                "exp_labels": {**case.fires, "severity": alert.severity},
                "exp_annotations": {key: rendered(text, case.fires, case.shown) for key, text in texts.items()},
            }
        )
    test = {
        "interval": case.pace,
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "alert_rule_test": [{"eval_time": case.at, "alertname": case.alert, "exp_alerts": expected}],
    }
    return {"rule_files": [str(RULES)], "evaluation_interval": case.pace, "tests": [test]}


@needs_promtool
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}: {case.what}")
def test_alerts_fire_when_they_should(case, tmp_path):
    """Prometheus' own unit tests: each alert fires with these labels and words, and keeps silent otherwise."""
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump(as_promtool_has_it(case)))
    done = promtool("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried_both_ways():
    """A case in which it fires, and one in which it doesn't."""
    assert {case.alert for case in CASES if case.fires is not None} == set(ALERTS)
    assert {case.alert for case in CASES if case.fires is None} == set(ALERTS)


@needs_promtool
def test_the_rules_are_sound():
    """`promtool check rules` takes them, its lint included."""
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_takes_the_examples_of_configuration(tmp_path):
    """The scrape configurations and the rules in one file: `promtool check config`."""
    config = yaml.safe_load((ROOT / "deploy/monitoring/scrape.example.yml").read_text())
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({**config, "rule_files": [str(RULES)]}))
    done = promtool("check", "config", tmp_path / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_operators_rules_are_the_same():
    """The PrometheusRule has the groups of the file of rules."""
    operators = yaml.safe_load((ROOT / "deploy/monitoring/prometheus-rule.yaml").read_text())
    assert (operators["apiVersion"], operators["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert operators["spec"] == yaml.safe_load(RULES.read_text()) == alert_rules()


@pytest.mark.parametrize("alert", ALERTS.values(), ids=lambda alert: alert.name)
def test_every_alert_watches_metrics_that_there_are_and_has_a_runbook(alert):
    """Its expression names metrics of the table; a heading of the page has its name, with what it means and to do."""
    named = set(re.findall(r"\b(?:seal|seatrial)_\w+", alert.expression))
    assert named
    assert named <= {metric.name for metric in METRICS}
    page, _, anchor = alert.runbook.partition("#")
    assert f"\n### {alert.name}\n" in (ROOT / page).read_text()
    assert anchor == alert.name.lower()


def test_a_label_that_a_metric_does_not_have_is_a_mistake():
    """An alert on it would never fire."""
    with pytest.raises(ValueError, match="seatrial_run_duration_seconds has no label status"):
        alerts._where(RUN_SECONDS, status="failed")
