"""The dashboard for Grafana: objectives first, then what they rest on, at the end every other metric of the table.

The last row is made from what the others don't show, so that a metric that is added has a panel.
"""

import re
from collections.abc import Iterator
from typing import Any

from seatrial.slo.budget import FAST_BURN, SLOW_BURN
from seatrial.telemetry.metrics.table import (
    BUDGET_LEFT,
    BUILD_INFO,
    BURN_RATE,
    ESTIMATE_RATIO,
    ESTIMATE_SECONDS,
    EVICTIONS,
    FAULTS,
    GUARDRAILS,
    IN_FLIGHT,
    LIMIT_RATIO,
    LIMIT_SECONDS,
    LOWER_RATIO,
    LOWER_SECONDS,
    MEASUREMENT_SECONDS,
    MEASUREMENTS_CUT_SHORT,
    MESH_FAILED,
    METRICS,
    NEXT_ROUND_AT,
    NODES_STOPPED,
    OBJECTIVE_MORE_RUNS,
    OBJECTIVE_SAMPLES,
    OBJECTIVE_STATUS,
    OUTAGE_SECONDS,
    POD_KILLS,
    PROBES,
    RECOVERIES_MISSED,
    RECOVERY_SECONDS,
    ROUNDS,
    SCENARIO_RUNS,
    SCENARIO_SECONDS,
    SCENARIO_VERDICT,
    STEADY_STATE_LATENCY,
    STEADY_STATE_SAMPLES,
    UNDO_RETRIES,
    UNDOS,
    UPPER_RATIO,
    UPPER_SECONDS,
    Metric,
)
from seatrial.telemetry.monitoring.panels import (
    BLUE,
    DATASOURCE,
    GREEN,
    ORANGE,
    RED,
    YELLOW,
    Panel,
    Query,
    Row,
    arranged,
    course,
    distribution,
    states,
    thresholds,
    value,
    words,
)

# The oldest schema that has all of these panels; newer versions of Grafana move it on when they read it.
_SCHEMA_VERSION = 38
_RUN = 'job=~"$job", instance=~"$instance"'
_OBJECTIVE = f'{_RUN}, scenario=~"$scenario"'
_SCENARIO = f'{_RUN}, name=~"$scenario"'
_NAME = re.compile(r"\b(?:seal|seatrial)_[a-z_]+\b")


def _statuses(status: str) -> str:
    return f'{OBJECTIVE_STATUS.name}{{{_OBJECTIVE}, status="{status}"}}'


def _verdicts(verdict: str) -> str:
    return f'{SCENARIO_VERDICT.name}{{{_SCENARIO}, verdict="{verdict}"}}'


def _quantile(share: float, metric: Metric, *by: str) -> str:
    grouped = ", ".join(("le", *by))
    series = f"{metric.name}_bucket{{{_RUN}}}"
    return f"histogram_quantile({share}, sum by ({grouped}) (increase({series}[$__range])))"


def _increase(metric: Metric, *by: str, labels: str = _RUN, span: str = "$__rate_interval") -> str:
    return f"sum by ({', '.join(by)}) (increase({metric.name}{{{labels}}}[{span}]))"


_OVERVIEW = Row(
    title="At a glance",
    panels=(
        value(
            "Objectives violated",
            Query(f"sum({_statuses('violated')}) or vector(0)"),
            steps=[(None, GREEN), (1, RED)],
        ),
        value(
            "Not enough evidence",
            Query(f"sum({_statuses('undecided')}) or vector(0)"),
            steps=[(None, GREEN), (1, YELLOW)],
        ),
        value("Objectives met", Query(f"sum({_statuses('met')}) or vector(0)"), steps=[(None, BLUE), (1, GREEN)]),
        value(
            "Least budget left",
            Query(f"min({BUDGET_LEFT.name}{{{_OBJECTIVE}}})"),
            steps=[(None, RED), (0, ORANGE), (0.25, GREEN)],
            unit="percentunit",
            without="no budgets",
        ),
        value(
            "Changes not undone",
            Query(f'sum({UNDOS.name}{{{_RUN}, result="failed"}}) or vector(0)'),
            steps=[(None, GREEN), (1, RED)],
        ),
        value(
            "Next round in",
            Query(f"min({NEXT_ROUND_AT.name}{{{_RUN}}}) - time()"),
            steps=[(None, RED), (0, BLUE)],
            unit="s",
            without="running",
        ),
    ),
)

_BUDGET_COLOURS = thresholds([(None, RED), (0, ORANGE), (0.25, GREEN)])
_TABLE_COLUMNS = {
    "Value #A": "status", "Value #B": "estimate (s)", "Value #C": "at most (s)", "Value #D": "limit (s)",
    "Value #E": "estimate (share)", "Value #F": "limit (share)", "Value #G": "values", "Value #H": "more runs needed",
    "Value #I": "budget left",
}  # fmt: skip
_STATUS_NAMES = (("met", GREEN), ("not enough evidence", YELLOW), ("violated", RED))
_STATUS = (
    f"max by (scenario, objective) ({_statuses('violated')} * 2 or {_statuses('undecided')} or {_statuses('met')} * 0)"
)


def _latest(metric: Metric) -> Query:
    return Query(f"max by (scenario, objective) ({metric.name}{{{_OBJECTIVE}}})")


_OBJECTIVES = Row(
    title="Objectives",
    panels=(
        Panel(
            kind="table",
            title="What is known",
            queries=(
                Query(_STATUS),
                *map(
                    _latest,
                    (
                        ESTIMATE_SECONDS,
                        UPPER_SECONDS,
                        LIMIT_SECONDS,
                        ESTIMATE_RATIO,
                        LIMIT_RATIO,
                        OBJECTIVE_SAMPLES,
                        OBJECTIVE_MORE_RUNS,
                        BUDGET_LEFT,
                    ),
                ),
            ),
            width=24,
            instant=True,
            defaults={"custom": {"align": "auto"}},
            overrides=[
                {
                    "matcher": {"id": "byName", "options": "status"},
                    "properties": [
                        {"id": "mappings", "value": [words(_STATUS_NAMES)]},
                        {"id": "custom.cellOptions", "value": {"type": "color-background", "mode": "basic"}},
                    ],
                },
                {
                    "matcher": {"id": "byName", "options": "budget left"},
                    "properties": [
                        {"id": "unit", "value": "percentunit"},
                        {"id": "custom.cellOptions", "value": {"type": "color-text"}},
                        {"id": "thresholds", "value": _BUDGET_COLOURS},
                    ],
                },
            ],
            options={"showHeader": True, "cellHeight": "sm"},
            more={
                "transformations": [
                    {"id": "merge", "options": {}},
                    {
                        "id": "organize",
                        "options": {
                            "excludeByName": {"Time": True},
                            "indexByName": {"scenario": 0, "objective": 1},
                            "renameByName": _TABLE_COLUMNS,
                        },
                    },
                ],
            },
        ),
        states(
            "Status over time",
            Query(_STATUS, "{{scenario}}: {{objective}}"),
            names=_STATUS_NAMES,
            width=24,
            height=6,
        ),
        course(
            "Times against their limits",
            Query(f"{LOWER_SECONDS.name}{{{_OBJECTIVE}}}", "{{objective}}: at least"),
            Query(f"{ESTIMATE_SECONDS.name}{{{_OBJECTIVE}}}", "{{objective}}: estimate"),
            Query(f"{UPPER_SECONDS.name}{{{_OBJECTIVE}}}", "{{objective}}: at most"),
            Query(f"{LIMIT_SECONDS.name}{{{_OBJECTIVE}}}", "{{objective}}: limit"),
            unit="s",
            meaning="The bounds hold with the confidence that the objective asks for.",
            width=12,
        ),
        course(
            "Shares against their limits",
            Query(f"{LOWER_RATIO.name}{{{_OBJECTIVE}}}", "{{objective}}: at least"),
            Query(f"{ESTIMATE_RATIO.name}{{{_OBJECTIVE}}}", "{{objective}}: estimate"),
            Query(f"{UPPER_RATIO.name}{{{_OBJECTIVE}}}", "{{objective}}: at most"),
            Query(f"{LIMIT_RATIO.name}{{{_OBJECTIVE}}}", "{{objective}}: limit"),
            unit="percentunit",
            meaning="The bounds hold with the confidence that the objective asks for.",
            width=12,
        ),
    ),
)

_BUDGETS = Row(
    title="Error budgets",
    panels=(
        course(
            "Budget left",
            Query(f"{BUDGET_LEFT.name}{{{_OBJECTIVE}}}", "{{scenario}}: {{objective}}"),
            unit="percentunit",
            meaning="Below 0 it is overspent.",
            width=12,
            defaults={"max": 1, "thresholds": thresholds([(None, RED), (0, GREEN)])},
            style={"thresholdsStyle": {"mode": "line"}},
        ),
        course(
            "Burn rate",
            Query(f"{BURN_RATE.name}{{{_OBJECTIVE}}}", "{{objective}} ({{window}})"),
            meaning="At 1 a budget lasts exactly as long as the window of its objective.",
            width=12,
            defaults={"thresholds": thresholds([(None, GREEN), (1, YELLOW), (SLOW_BURN, ORANGE), (FAST_BURN, RED)])},
            style={"thresholdsStyle": {"mode": "dashed"}},
        ),
    ),
)

_MEASUREMENTS = Row(
    title="Measurements",
    panels=(
        course(
            "Percentiles",
            *(
                Query(_quantile(share, MEASUREMENT_SECONDS, "name"), f"{{{{name}}}} p{share * 100:g}")
                for share in (0.5, 0.95, 0.99)
            ),
            unit="s",
            meaning="Of what was measured within the range of the dashboard; what was cut short isn't in it.",
        ),
        distribution(
            "How long killed pods took to be replaced and ready",
            Query(
                f'sum by (le) (increase({RECOVERY_SECONDS.name}_bucket{{{_RUN}, moment="ready"}}[$__rate_interval]))',
                "{{le}}",
            ),
            unit="s",
        ),
        course(
            "Recovery of pods, 95th percentile",
            Query(_quantile(0.95, RECOVERY_SECONDS, "moment"), "{{moment}}"),
            unit="s",
        ),
        course(
            "Cut short and missed",
            Query(_increase(MEASUREMENTS_CUT_SHORT, "name"), "{{name}}: cut short"),
            Query(_increase(RECOVERIES_MISSED, "job"), "recoveries missed"),
            meaning="What took longer than anybody waited.",
            style={"drawStyle": "bars"},
        ),
        course(
            "Samples of steady states that failed",
            Query(
                f'sum by (probe) (increase({STEADY_STATE_SAMPLES.name}{{{_RUN}, result="failed"}}[$__range])) / '
                f'sum by (probe) (increase({STEADY_STATE_SAMPLES.name}{{{_RUN}, result=~"ok|failed"}}[$__range]))',
                "{{probe}}",
            ),
            unit="percentunit",
            meaning="The share of those that could be taken, within the range of the dashboard.",
        ),
        course(
            "Answers of steady states, 99th percentile",
            Query(_quantile(0.99, STEADY_STATE_LATENCY, "probe"), "{{probe}}"),
            unit="s",
            meaning="From when a sample was due.",
        ),
        course(
            "Outages",
            Query(_quantile(0.95, OUTAGE_SECONDS, "probe"), "{{probe}} p95"),
            unit="s",
            meaning="How long every sample of a probe failed.",
        ),
        course(
            "Probes and the mesh",
            Query(_increase(PROBES, "target", labels=f'{_RUN}, result="failed"'), "{{target}}: failed"),
            Query(_increase(MESH_FAILED, "job"), "calls between goldpingers that failed"),
            style={"drawStyle": "bars"},
        ),
    ),
)

_EXPERIMENTS = Row(
    title="Experiments",
    panels=(
        states(
            "Scenarios",
            Query(
                f"max by (name) ({_verdicts('failed')} * 2 or {_verdicts('inconclusive')} "
                f"or {_verdicts('passed')} * 0)",
                "{{name}}",
            ),
            names=(("passed", GREEN), ("inconclusive", YELLOW), ("failed", RED)),
            width=16,
        ),
        course(
            "Scenarios that ended",
            Query(_increase(SCENARIO_RUNS, "result", labels=_SCENARIO), "{{result}}"),
            style={"drawStyle": "bars", "stacking": {"mode": "normal", "group": "A"}},
        ),
        course(
            "Rounds begun, scenarios in flight",
            Query(_increase(ROUNDS, "job"), "rounds of {{job}}"),
            Query(f"sum({IN_FLIGHT.name}{{{_RUN}}})", "in flight"),
        ),
        course("How long scenarios took, 95th percentile", Query(_quantile(0.95, SCENARIO_SECONDS, "name")), unit="s"),
        course(
            "Faults",
            Query(_increase(POD_KILLS, "status"), "pods killed: {{status}}"),
            Query(_increase(NODES_STOPPED, "status"), "machines stopped: {{status}}"),
            Query(_increase(EVICTIONS, "result"), "evictions: {{result}}"),
            style={"drawStyle": "bars"},
        ),
        course("Proofs of faults", Query(_increase(FAULTS, "proof"), "{{proof}}"), style={"drawStyle": "bars"}),
        course(
            "Clean-up",
            Query(_increase(UNDOS, "result"), "undos: {{result}}"),
            Query(_increase(UNDO_RETRIES, "job"), "tried again"),
            style={"drawStyle": "bars"},
        ),
        course("Guardrails that refused", Query(_increase(GUARDRAILS, "guardrail")), style={"drawStyle": "bars"}),
    ),
)

_SEATRIAL_ITSELF = Row(
    title="Seatrial itself",
    panels=(
        course("Memory", Query(f"process_resident_memory_bytes{{{_RUN}}}", "{{instance}}"), unit="bytes"),
        course("Processors", Query(f"rate(process_cpu_seconds_total{{{_RUN}}}[$__rate_interval])", "{{instance}}")),
        course("Open files", Query(f"process_open_fds{{{_RUN}}}", "{{instance}}")),
    ),
)

_ROWS = (_OVERVIEW, _OBJECTIVES, _BUDGETS, _MEASUREMENTS, _EXPERIMENTS, _SEATRIAL_ITSELF)


def dashboard() -> dict[str, Any]:
    """The dashboard in the form of Grafana's JSON."""
    return {
        "uid": "seatrial",
        "title": "Seatrial",
        "description": "Chaos experiments and the objectives that they verify.",
        "tags": ["seatrial", "chaos-engineering", "slo"],
        "schemaVersion": _SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "timepicker": {},
        "fiscalYearStartMonth": 0,
        "links": [],
        "templating": {"list": list(_variables())},
        "annotations": {"list": [_alerts_annotation()]},
        "panels": arranged((*_ROWS, _everything_else())),
    }


def _everything_else() -> Row:
    shown = {
        name for row in _ROWS for panel in row.panels for query in panel.queries for name in _names(query.expression)
    }
    rest = [metric for metric in METRICS if metric.name not in shown]
    return Row(title="Every other metric", panels=tuple(map(_plain_panel, rest)), is_folded=True)


def _names(expression: str) -> set[str]:
    """The metrics of an expression, a histogram's by its own name."""
    return {name.removesuffix("_bucket") for name in _NAME.findall(expression)}


def _plain_panel(metric: Metric) -> Panel:
    by = metric.labels or ("job",)
    legend = " ".join(f"{{{{{label}}}}}" for label in by)
    unit = "s" if metric.name.endswith("_seconds") else "short"
    match metric.kind:
        case "counter":
            query = Query(_increase(metric, *by), legend)
        case "histogram":
            query = Query(_quantile(0.95, metric, *metric.labels), legend)
        case "gauge":
            query = Query(f"{metric.name}{{{_RUN}}}", legend)
    if metric.name.endswith("_timestamp_seconds"):
        query, unit = Query(f"time() - {query.expression}", legend), "s"
    return course(metric.name, query, unit=unit, meaning=metric.meaning, width=6, height=6)


def _variables() -> Iterator[dict[str, Any]]:
    yield {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1}
    yield _variable("job", "Job", f"label_values({BUILD_INFO.name}, job)")
    yield _variable("instance", "Instance", f'label_values({BUILD_INFO.name}{{job=~"$job"}}, instance)')
    yield _variable("scenario", "Scenario", f"label_values({SCENARIO_VERDICT.name}{{{_RUN}}}, name)")


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _alerts_annotation() -> dict[str, Any]:
    return {
        "name": "Alerts",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": RED,
        "expr": 'ALERTS{alertname=~"Seatrial.*", alertstate="firing", severity!="info"}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{scenario}}{{name}} {{objective}}",
    }
