"""`seatrial slo`: how the objectives of kept runs stand."""

import json
import re
import time
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from seatrial.cli.main import run
from seatrial.policy.load import load_policy
from seatrial.runtime.events import ObjectiveJudged, ObjectiveStatus, Where
from seatrial.slo.digest import digest_of
from seatrial.steps.registry import policy_model
from seatrial.storage.store import open_store
from tests.storage.sample_runs import measured, records, run_record, scenario_over

POLICY = """
scenarios:
- name: Kill half
  steps:
  - wait: {seconds: 1}
  objectives:
  - {measurement: timeToRecover, percentile: 95, below: 30}
  - {measurement: timeToRecover, target: 90 %, below: 30, window: 60 runs, name: healing}
"""
BEGAN = time.time() - 6000


@pytest.fixture
def store(tmp_path):
    """An empty store where the commands look for it."""
    opened = open_store(None, state=tmp_path)
    yield opened
    opened.close()


def keep(store, values, *, policy=POLICY, judged=(), cluster="c1", digest="d1", named="p.yml"):
    """A run of so many rounds, a minute apart, each with one time to recover; `judged` by round."""
    kept = run_record(
        policy_text=policy, started=BEGAN, digests={"Kill half": digest}, cluster=cluster,
        run=f"run-{cluster}-{digest}-{named}", policy=named,
    )  # fmt: skip
    store.begin(kept)
    for number, seconds in enumerate(values, start=1):
        where = Where(round=number, scenario="Kill half")
        events = [measured(seconds), scenario_over(), *(each for at, each in judged if at == number)]
        begin = datetime.fromtimestamp(BEGAN + 60 * number, UTC)
        store.add(kept, records(*events, begin=begin, first=10 * number, where=where))


def told(capsys, tmp_path, *arguments):
    """The exit code, and what was printed."""
    code = run(["slo", *arguments, "--state-dir", str(tmp_path)])
    return code, capsys.readouterr().out


def judged(status, text):
    return ObjectiveJudged(
        objective="healing", status=status, text=f"healing: {text}", measurement="timeToRecover", limit=30.0,
        confidence=0.95, window="60 runs", samples=1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "code", "status"),
    [([2.0] * 60, 0, "met"), ([40.0] * 60, 1, "violated"), ([2.0] * 9, 3, "not enough evidence")],
)
def test_the_exit_code_is_the_worst_of_all(store, tmp_path, capsys, values, code, status):
    """0 where all are met, 1 where one is violated, 3 where one is open."""
    keep(store, values)
    found, out = told(capsys, tmp_path, "status", "--output", "json")
    assert found == code
    assert [each["status"] for each in json.loads(out)["objectives"]] == [status, status]


def test_a_table_at_80_columns(store, tmp_path, capsys):
    """The estimate with its bounds, how many values, the budget, the latest values; below it what that rests on."""
    keep(store, [2.0] * 57 + [40.0, 2.0, 3.0])
    _, out = told(capsys, tmp_path, "status")
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["OBJECTIVE", "ESTIMATE", "VALUES", "BUDGET"]
    assert lines[1] == "Kill half (p.yml on c1)"
    assert lines[2].startswith("? timeToRecover: 95 % below 30 s")
    assert "1 slower; 33 more good runs needed" in " ".join(out.split())
    assert "    latest: ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄█▄▅" in lines
    assert "83 % of the error budget left" in " ".join(out.split())
    assert re.search(r"^    burn rates: 1h 0\.\d+, 6h 0\.167$", out, re.MULTILINE)
    assert lines[-1] == "1 met, 1 not enough evidence"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("healing in as little time as we promised", "? healing in as little time as we promised "),
        ("h" * 80, "hhh... "),
    ],
)
def test_a_name_has_as_much_room_as_the_figures_leave(store, tmp_path, capsys, name, shown):
    """What doesn't fit into 80 columns is cut off; of the name of a cluster nothing is."""
    cluster = "3f0c9d3e-5f4b-4a57-9f0c-3f5c2f6f5d1e"
    keep(store, [2.0] * 9, policy=POLICY.replace("name: healing", f"name: {name}"), cluster=cluster)
    _, out = told(capsys, tmp_path, "status")
    assert max(map(len, out.splitlines())) <= 80
    assert f"Kill half (p.yml on {cluster})" in " ".join(out.split())
    assert shown in out


def test_the_objectives_are_those_of_the_policy_as_it_was_run(store, tmp_path, capsys):
    """A secret that was left out, a step that isn't installed here: only objectives are read of it."""
    keep(store, [2.0] * 9, policy=POLICY.replace("wait: {seconds: 1}", "theirs: {token: <left out>}"))
    _, out = told(capsys, tmp_path, "status", "--output", "json")
    assert len(json.loads(out)["objectives"]) == 2


def test_an_experiment_that_was_changed_counts_from_then_on(store, tmp_path, capsys):
    """The latest series of a scenario; each cluster has its own."""
    keep(store, [40.0] * 60, digest="old")
    keep(store, [2.0] * 61, digest="new")
    keep(store, [2.0] * 5, cluster="c2")
    _, out = told(capsys, tmp_path, "status", "--output", "json")
    found = [(each["cluster"], each["objective"], each["samples"]) for each in json.loads(out)["objectives"]]
    assert sorted(found) == [
        ("c1", "healing", 60), ("c1", "timeToRecover: 95 % below 30 s", 61),
        ("c2", "healing", 5), ("c2", "timeToRecover: 95 % below 30 s", 5),
    ]  # fmt: skip


def test_a_policy_as_it_is_now(store, tmp_path, capsys, write):
    """Its objectives are judged on what was measured of the same experiment; other steps are another one."""
    file = write(POLICY.replace("below: 30}", "below: 1}"))
    scenario = load_policy(file, model=policy_model()).scenarios[0]
    keep(store, [2.0] * 60, digest=digest_of(scenario))
    code, out = told(capsys, tmp_path, "status", "--policy-file", str(file), "--output", "json")
    assert code == 1
    assert json.loads(out)["objectives"][0]["objective"] == "timeToRecover: 95 % below 1 s"
    edited = write(POLICY.replace("seconds: 1", "seconds: 2"))
    code, out = told(capsys, tmp_path, "status", "--policy-file", str(edited))
    assert code == 3
    assert "Kill half (" in out
    assert ", never run)" in out
    assert "nothing measured in the window yet" in out


def test_a_policy_has_the_series_of_its_own_name(store, tmp_path, capsys, write, monkeypatch):
    """However its file is pointed at; before it ran under its name it has those of the name that it had."""
    file = write(POLICY)
    monkeypatch.chdir(file.parent)
    digest = digest_of(load_policy(file, model=policy_model()).scenarios[0])

    def series(given):
        _, out = told(capsys, tmp_path, "status", "--policy-file", str(given), "--output", "json")
        return {(each["policy"], each["samples"]) for each in json.loads(out)["objectives"]}

    keep(store, [2.0] * 5, digest=digest)
    assert series(file) == {("p.yml", 5)}
    keep(store, [2.0] * 7, digest=digest, named=file.name)
    assert series(file) == series(file.name) == series(f"../{file.parent.name}/{file.name}") == {(file.name, 7)}


def test_one_scenario_of_several(store, tmp_path, capsys):
    """By its name; one that is not there has no objectives."""
    keep(store, [2.0] * 60)
    assert told(capsys, tmp_path, "status", "--scenario", "Kill half")[0] == 0
    code, out = told(capsys, tmp_path, "status", "--scenario", "another")
    assert (code, out) == (3, "no objectives are known: run a policy that has some, or name it with --policy-file\n")


def test_a_report_tells_what_changed(store, tmp_path, capsys):
    """In Markdown, over a window: how each stands, and when it began to."""
    changes = [
        (1, judged(ObjectiveStatus.UNDECIDED, "too few")),
        (2, judged(ObjectiveStatus.UNDECIDED, "still too few")),
        (40, judged(ObjectiveStatus.VIOLATED, "violated: too slow")),
        (41, replace(judged(ObjectiveStatus.UNDECIDED, "blind"), problem="the disk is full")),
        (60, judged(ObjectiveStatus.MET, "met: fine")),
    ]
    keep(store, [2.0] * 60, judged=changes)
    code, out = told(capsys, tmp_path, "report", "--window", "90m")
    assert code == 3
    assert out.startswith("# Service level objectives\n\n2 objectives over the last 90m, as of ")
    assert "| healing | Kill half | met |" in out
    assert "UTC: violated: too slow" in out
    assert "UTC: met: fine" in out
    assert "too few" not in out
    _, whole = told(capsys, tmp_path, "report", "--output", "json")
    assert [each["status"] for each in json.loads(whole)["objectives"][1]["changes"]] == [
        "not enough evidence", "violated", "met",
    ]  # fmt: skip


def test_what_a_report_is_about_is_shown_as_it_is(store, tmp_path, capsys):
    """A name is no Markdown."""
    keep(store, [2.0] * 5, policy=POLICY.replace("name: healing", 'name: "[x](http://y) | <b>*z*"'))
    _, out = told(capsys, tmp_path, "report")
    assert "\\[x\\](http://y) \\| \\<b>\\*z\\*" in out


def test_a_window_is_a_span_or_so_many_runs(store, tmp_path, capsys):
    """Anything else is wrong usage."""
    assert run(["slo", "report", "--window", "a week", "--state-dir", str(tmp_path)]) == 2
    assert "neither a span of time (24h, 30d) nor a number of runs (200 runs)" in capsys.readouterr().err
    keep(store, [2.0] * 60)
    _, out = told(capsys, tmp_path, "report", "--window", "7 runs", "--output", "json")
    assert {each["samples"] for each in json.loads(out)["objectives"]} == {7}
