import json
import re
from itertools import combinations
from pathlib import Path

import pytest

from seatrial.telemetry.metrics.table import METRICS
from seatrial.telemetry.monitoring.dashboard import dashboard
from seatrial.telemetry.monitoring.panels import Panel, Query, Row, arranged

COMMITTED = Path(__file__).parents[3] / "deploy" / "monitoring" / "seatrial-dashboard.json"
KINDS = {"row", "timeseries", "stat", "table", "state-timeline", "heatmap"}


@pytest.fixture(scope="module", name="board")
def _board():
    return json.loads(COMMITTED.read_text())


def panels_of(board):
    """All panels, those of folded rows as well."""
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


def test_the_dashboard_is_what_the_code_says(board):
    """`make docs` would not change it."""
    assert board == dashboard()


def test_every_metric_has_a_panel(board):
    """Those of the table all, and no other of ours: a name that is no metric's would show nothing."""
    expressions = [target["expr"] for panel in panels_of(board) for target in panel.get("targets", [])]
    shown = {
        name.removesuffix("_bucket")
        for text in expressions
        for name in re.findall(r"\b(?:seal|seatrial)_[a-z_]+", text)
    }
    assert shown == {metric.name for metric in METRICS}


def test_panels_have_numbers_of_their_own_and_a_kind_that_grafana_has(board):
    """Ids are unique; each panel has a title, a data source to choose, and queries with letters of their own."""
    panels = list(panels_of(board))
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {panel["type"] for panel in panels} == KINDS
    for panel in panels:
        assert panel["title"]
        letters = [target["refId"] for target in panel.get("targets", [])]
        assert len(set(letters)) == len(letters)
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel.get("targets", []))


def test_panels_do_not_lie_on_each_other(board):
    """Each inside the grid of 24 columns, none over another one that is seen at the same time."""
    seen_together = [board["panels"], *(panel["panels"] for panel in board["panels"] if panel.get("panels"))]
    for together in seen_together:
        places = [panel["gridPos"] for panel in together]
        assert all(each["x"] >= 0 and each["x"] + each["w"] <= 24 for each in places)
        for one, other in combinations(places, 2):
            is_beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            is_below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
            assert is_beside or is_below, (one, other)


def test_panels_that_find_no_room_beside_go_below():
    """A third panel of half the width begins a new line, below the taller of the first two."""
    small, tall = (Panel(kind="stat", title="t", queries=(Query("x"),), width=12, height=each) for each in (4, 9))
    placed = arranged([Row(title="r", panels=(small, tall, small))])
    assert [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in placed] == [(0, 0), (0, 1), (12, 1), (0, 10)]


def test_variables_are_used_and_every_used_one_is_there(board):
    """Job, instance and scenario narrow down what is shown; the rest are Grafana's own."""
    text = json.dumps([board["panels"], board["templating"]])
    used = set(re.findall(r"\$\{?(?!__)([a-z_]+)", text))
    assert used == {variable["name"] for variable in board["templating"]["list"]}
