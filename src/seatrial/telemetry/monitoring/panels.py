"""Panels of Grafana's dashboards, as its JSON has them: values, courses, tables, distributions, states over time.

A panel knows its size; `arranged` puts panels side by side in rows of Grafana's grid, which is 24 wide.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, YELLOW, ORANGE, RED, BLUE = "green", "yellow", "orange", "red", "blue"
_WIDTH = 24


@dataclass(frozen=True, slots=True)
class Query:
    """What a panel asks: an expression of PromQL, and what to call the series that it gives."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A panel: its kind is Grafana's (`timeseries`, `stat`, ...); `more` are keys of the panel as they are.

    With `instant`, the latest values are asked for instead of their course.
    """

    kind: str
    title: str
    queries: tuple[Query, ...]
    meaning: str = ""
    width: int = 8
    height: int = 8
    instant: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    overrides: Sequence[Mapping[str, Any]] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A heading, and the panels below it; they are hidden at first where it is folded."""

    title: str
    panels: tuple[Panel, ...]
    is_folded: bool = False


def course(title: str, *queries: Query, unit: str = "short", meaning: str = "", **more: Any) -> Panel:
    """How values went."""
    style = {"lineWidth": 2, "fillOpacity": 8, "showPoints": "never", "spanNulls": False}
    custom = {**style, **more.pop("style", {})}
    options = {
        "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    defaults = {"unit": unit, "custom": custom, **more.pop("defaults", {})}
    return Panel(
        kind="timeseries", title=title, queries=queries, meaning=meaning, defaults=defaults, options=options, **more
    )


def value(title: str, query: Query, *, steps: Sequence[tuple[float | None, str]], **more: Any) -> Panel:
    """The latest value, large; `steps` are the values from which it has another colour."""
    defaults = {
        "unit": more.pop("unit", "short"),
        "noValue": more.pop("without", "none"),
        "thresholds": thresholds(steps),
        **more.pop("defaults", {}),
    }
    options = {
        "colorMode": "background",
        "graphMode": "none",
        "justifyMode": "center",
        "textMode": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    return Panel(
        kind="stat", title=title, queries=(query,), instant=True, defaults=defaults, options=options,
        **{"width": 4, "height": 4, **more},
    )  # fmt: skip


def states(title: str, *queries: Query, names: Sequence[tuple[str, str]], **more: Any) -> Panel:
    """Which state each series was in, over time: `names` are those of the values 0, 1, ..., with their colours."""
    defaults = {
        "mappings": [words(names)],
        "custom": {"fillOpacity": 80, "lineWidth": 0},
        "color": {"mode": "thresholds"},
        "thresholds": thresholds([(None, names[0][1])]),
    }
    options = {"mergeValues": True, "showValue": "auto", "rowHeight": 0.8, "legend": {"showLegend": False}}
    return Panel(kind="state-timeline", title=title, queries=queries, defaults=defaults, options=options, **more)


def distribution(title: str, query: Query, *, unit: str, **more: Any) -> Panel:
    """How many values fell into which bucket, over time."""
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5},
        "yAxis": {"unit": unit, "axisPlacement": "left"},
        "tooltip": {"mode": "single", "yHistogram": True},
        "legend": {"show": True},
    }
    return Panel(kind="heatmap", title=title, queries=(query,), options=options, **more)


def words(names: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """What to show instead of the values 0, 1, ..., and in which colour."""
    said = enumerate(names)
    options = {str(number): {"text": text, "color": colour, "index": number} for number, (text, colour) in said}
    return {"type": "value", "options": options}


def thresholds(steps: Sequence[tuple[float | None, str]]) -> dict[str, Any]:
    """From which value on there is which colour; the first value is None."""
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]}


def arranged(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The panels of these rows in Grafana's form, each at its place and with a number of its own."""
    placed: list[dict[str, Any]] = []
    number, top = 0, 0
    for row in rows:
        number += 1
        heading = {
            "id": number, "type": "row", "title": row.title, "collapsed": row.is_folded, "panels": [],
            "gridPos": {"x": 0, "y": top, "w": _WIDTH, "h": 1},
        }  # fmt: skip
        placed.append(heading)
        inside: list[dict[str, Any]] = heading["panels"] if row.is_folded else placed  # type: ignore[assignment]
        left, top, tallest = 0, top + 1, 0
        for panel in row.panels:
            if left + panel.width > _WIDTH:
                left, top, tallest = 0, top + tallest, 0
            number += 1
            position = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            inside.append(_as_json(panel, number=number, position=position))
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest
    return placed


def _as_json(panel: Panel, *, number: int, position: Mapping[str, int]) -> dict[str, Any]:
    is_distribution = panel.kind == "heatmap"
    targets = [
        {
            "refId": chr(ord("A") + index),
            "datasource": DATASOURCE,
            "editorMode": "code",
            "expr": query.expression,
            "legendFormat": query.legend or "__auto",
            "format": "table" if panel.kind == "table" else ("heatmap" if is_distribution else "time_series"),
            "instant": panel.instant,
            "range": not panel.instant,
        }
        for index, query in enumerate(panel.queries)
    ]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.meaning,
        "datasource": DATASOURCE,
        "gridPos": dict(position),
        "targets": targets,
        "fieldConfig": {"defaults": dict(panel.defaults), "overrides": list(panel.overrides)},
        "options": dict(panel.options),
        **panel.more,
    }
