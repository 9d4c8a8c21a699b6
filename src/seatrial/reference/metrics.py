"""The page about metrics, from the table that all collectors work by."""

from seatrial.telemetry.metrics.dogstatsd import datadog_name
from seatrial.telemetry.metrics.table import METRICS, Metric

_INTRODUCTION = """# Metrics

Written from the code by `make docs`. `seatrial autonomous` and `seatrial label` serve these to Prometheus
(`--prometheus-collector`), push them to a Pushgateway (`--pushgateway`), send them to Datadog (`--datadog-collector`),
or print them (`--stdout-collector`): [how](../how-to/metrics.md). [Alerts and a dashboard](../how-to/alerts.md) are
made of them. Names that begin with `seal_` are PowerfulSeal's, with its labels and values. Times are in seconds.
Prometheus gets the `process_` and `python_` series of Seatrial itself as well.

| metric | kind | labels | meaning | in Datadog |
|---|---|---|---|---|
"""


def metrics_page() -> str:
    """The whole page."""
    return _INTRODUCTION + "".join(_row(each) for each in METRICS)


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{each}`" for each in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} | `{datadog_name(metric.name)}` |\n"
