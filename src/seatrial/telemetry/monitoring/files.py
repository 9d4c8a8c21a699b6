"""The files in `deploy/monitoring`: for Prometheus alone, for its operator in Kubernetes, Alertmanager, Grafana.

`docs/generate.py` writes them; a test compares the committed ones with what this gives.
"""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from seatrial.telemetry.monitoring.alerts import GROUPS, Alert
from seatrial.telemetry.monitoring.dashboard import dashboard

_WRITTEN = "# Written from the code by `make docs`: src/seatrial/telemetry/monitoring.\n"
_LABELS = {"app": "seatrial"}
_PORT = 9000

_README = """# Watching Seatrial

Written from the code by `make docs`, from the [table of metrics](../../docs/reference/metrics.md).
[How to use these](../../docs/how-to/alerts.md).

| file | for |
|---|---|
| `seatrial-alerts.yml` | Prometheus: alert rules (`rule_files`) |
| `scrape.example.yml` | Prometheus: scraping a Seatrial, and a Pushgateway (`scrape_configs`) |
| `alertmanager.example.yml` | Alertmanager: who hears of what |
| `prometheus-rule.yaml` | the Prometheus operator: the same rules as a `PrometheusRule` |
| `service-monitor.yaml` | the Prometheus operator: a Service for Seatrial's metrics, and its `ServiceMonitor` |
| `seatrial-dashboard.json` | Grafana: the dashboard |

| alert | severity | after |
|---|---|---|
"""


def monitoring_files() -> Mapping[str, str]:
    """All files: name and content."""
    return {
        "README.md": _README + "".join(_row(alert) for group in GROUPS for alert in group.alerts),
        "seatrial-alerts.yml": _as_yaml(alert_rules()),
        "prometheus-rule.yaml": _as_yaml(
            {
                "apiVersion": "monitoring.coreos.com/v1",
                "kind": "PrometheusRule",
                "metadata": {"name": "seatrial", "labels": _LABELS},
                "spec": alert_rules(),
            }
        ),
        "service-monitor.yaml": _as_yaml(*_service_monitor()),
        "scrape.example.yml": _as_yaml({"scrape_configs": _scraping()}),
        "alertmanager.example.yml": _as_yaml(_alertmanager()),
        "seatrial-dashboard.json": json.dumps(dashboard(), indent=2) + "\n",
    }


def alert_rules() -> dict[str, Any]:
    """The alerts in the form of Prometheus' files of rules."""
    return {"groups": [{"name": each.name, "rules": [_rule(alert) for alert in each.alerts]} for each in GROUPS]}


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        **({"for": alert.lasting} if alert.lasting else {}),
        "labels": {"severity": alert.severity},
        "annotations": {"summary": alert.summary, "description": alert.description, "runbook": alert.runbook},
    }


def _row(alert: Alert) -> str:
    return f"| [{alert.name}](../../{alert.runbook}) | {alert.severity} | {alert.lasting or 'at once'} |\n"


def _service_monitor() -> tuple[dict[str, Any], dict[str, Any]]:
    metadata = {"name": "seatrial-metrics", "labels": _LABELS}
    port = {"name": "metrics", "port": _PORT, "targetPort": _PORT}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "clusterIP": "None",
            # Who is not ready has all the more to tell.
            "publishNotReadyAddresses": True,
            "selector": _LABELS,
            "ports": [port],
        },
    }
    monitor = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": metadata,
        "spec": {"selector": {"matchLabels": _LABELS}, "endpoints": [{"port": "metrics", "interval": "15s"}]},
    }
    return service, monitor


def _scraping() -> list[dict[str, Any]]:
    return [
        {"job_name": "seatrial", "static_configs": [{"targets": [f"seatrial.example.com:{_PORT}"]}]},
        {
            "job_name": "pushgateway",
            "honor_labels": True,
            "static_configs": [{"targets": ["pushgateway.example.com:9091"]}],
        },
    ]


def _alertmanager() -> dict[str, Any]:
    urgent = {
        "matchers": ['alertname=~"Seatrial.*"', 'severity="critical"'],
        "receiver": "on-call",
        "repeat_interval": "1h",
    }
    for_the_day = {"matchers": ['alertname=~"Seatrial.*"', 'severity=~"warning|info"'], "receiver": "team"}
    told_anyway = {
        "source_matchers": ['alertname="SeatrialObjectiveViolated"'],
        "target_matchers": ['alertname=~"SeatrialErrorBudget.*"'],
        "equal": ["scenario", "objective"],
    }
    return {
        "route": {
            "receiver": "team",
            "group_by": ["alertname", "scenario", "objective", "name"],
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": "12h",
            "routes": [urgent, for_the_day],
        },
        "inhibit_rules": [told_anyway],
        "receivers": [
            {"name": "on-call", "webhook_configs": [{"url": "https://on-call.example.com/alerts"}]},
            {"name": "team", "webhook_configs": [{"url": "https://chat.example.com/hooks/seatrial"}]},
        ],
    }


def _as_yaml(*documents: Mapping[str, Any]) -> str:
    return _WRITTEN + yaml.dump_all(documents, sort_keys=False, width=120, Dumper=_Dumper)


class _Dumper(yaml.SafeDumper):
    """No anchors: what several documents share is written out."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 -- PyYAML's signature
        return True
