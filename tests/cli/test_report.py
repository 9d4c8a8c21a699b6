"""`seatrial report`, and the reports that a run writes at its end."""

import json
import os
import signal
import threading
import time
import xml.etree.ElementTree as ET

import pytest

from seatrial.cli.main import run
from seatrial.cli.report_files import write_reports
from seatrial.runtime.events import RunFinished
from seatrial.storage.store import open_store
from tests.cli.conftest import WAITS
from tests.report.kept_runs import RUN_ID, run_record, small_run

FAILS = """
config: {runStrategy: {runs: 1}}
scenarios:
- name: looks for pods
  steps:
  - podAction: {matches: [{namespace: default}], actions: [{checkPodCount: {count: 3}}]}
"""


@pytest.fixture
def state(tmp_path):
    """A state directory in which a run is kept."""
    store = open_store(None, state=tmp_path)
    store.begin(run_record())
    store.add(run_record(), small_run().records)
    store.close()
    return tmp_path


@pytest.fixture
def report(capsys, state):
    """Runs the command; answers its exit code, what it printed, and what it complained of."""

    def report(*arguments):
        code = run(["report", *map(str, arguments), "--state-dir", str(state)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return report


@pytest.mark.parametrize("which", [[], ["last"], [RUN_ID], [RUN_ID[:5]]], ids=["none", "last", "id", "prefix"])
def test_a_run_is_named_by_its_id_the_beginning_of_it_or_as_the_last(report, which):
    """Without a file and a form, Markdown goes to standard output."""
    code, out, _ = report(*which)
    assert code == 0
    assert out.startswith("## ✗ FAILED: kill-one.yml\n")


@pytest.mark.parametrize(
    ("name", "begins"),
    [("r.html", "<!doctype html>"), ("r.json", "{\n"), ("r.xml", '<?xml version="1.0"'), ("r.MD", "## ")],
)
def test_a_files_name_says_which_form(report, tmp_path, name, begins):
    """The report is in it, and nothing on standard output."""
    code, out, _ = report("--file", tmp_path / name)
    assert (code, out) == (0, "")
    assert (tmp_path / name).read_text().startswith(begins)
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith((".part", name))] == [name]


def test_a_form_outweighs_the_name(report, tmp_path):
    """Whoever says which form wants that one."""
    assert report("--file", tmp_path / "report", "--format", "json")[0] == 0
    assert json.loads((tmp_path / "report").read_text())["run"]["id"] == RUN_ID


def test_a_name_that_says_no_form_is_a_mistake(report, tmp_path):
    """It is said what may be."""
    code, _, err = report("--file", tmp_path / "report.doc")
    assert code == 2
    assert "which form" in err
    assert ".html" in err


def test_a_run_that_is_not_kept_is_a_mistake(report):
    """With how to find out which ones are."""
    code, _, err = report("nothing-like-it")
    assert code == 2
    assert "seatrial runs list" in err


def test_a_file_that_cannot_be_written_is_said(report, tmp_path):
    """And nothing half-written is left."""
    code, _, err = report("--file", tmp_path / "missing" / "r.html")
    assert code == 3
    assert "can't write the report" in err


def test_the_schema_is_printed(report):
    """That of the JSON form, without a run."""
    code, out, _ = report("--schema")
    assert code == 0
    assert json.loads(out)["title"] == "A report of a run of Seatrial"


@pytest.fixture
def autonomous(capsys, tmp_path, somewhere, write):
    """Runs a policy; answers its exit code and what it complained of."""

    def autonomous(policy, *arguments):
        given = ["--policy-file", write(policy), "--kubeconfig", somewhere, "--state-dir", tmp_path / "state"]
        code = run(["autonomous", *map(str, [*given, *arguments])])
        return code, capsys.readouterr().err

    return autonomous


@pytest.mark.parametrize("store", [[], ["--store", "none"]], ids=["kept", "not kept"])
def test_a_run_writes_the_reports_that_were_asked_for(autonomous, tmp_path, store):
    """Each in the form of its name, also of a run that is kept nowhere; the exit code is that of the run."""
    page, cases = tmp_path / "r.html", tmp_path / "r.xml"
    code, _ = autonomous(FAILS, "--report", page, "--report", cases, *store)
    assert code == 1
    assert "✗</span> failed" in page.read_text()
    assert ET.fromstring(cases.read_text()).get("failures") == "1"  # noqa: S314 -- our own


def test_what_can_be_wrong_with_a_report_is_said_before_the_run(autonomous, tmp_path):
    """Not after hours of it."""
    for file in (tmp_path / "r.doc", tmp_path / "missing" / "r.html"):
        code, err = autonomous(WAITS % 0, "--report", file)
        assert code == 2
        assert str(file) in err


@pytest.mark.parametrize(("policy", "expected"), [(WAITS % 0, 3), (FAILS, 1)], ids=["passes", "fails"])
def test_a_report_that_cannot_be_written_is_no_success(autonomous, tmp_path, policy, expected):
    """A run that passed ends with 3, one that did not with its own exit code; the other reports are written."""
    impossible = tmp_path / f"{'x' * 300}.html"  # longer than a name may be
    other = tmp_path / "other.md"
    code, err = autonomous(policy, "--report", impossible, "--report", other)
    assert code == expected
    assert "can't write the report" in err
    assert other.read_text().startswith("## ")


def test_an_interrupted_run_writes_its_reports(autonomous, tmp_path):
    """With what there was, and the exit code of an interruption."""
    file = tmp_path / "r.json"

    def interrupt() -> None:
        deadline = time.monotonic() + 30
        store = tmp_path / "state" / "runs.sqlite3"
        while not store.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    code, _ = autonomous(WAITS % 60, "--report", file)
    assert code == 130
    told = json.loads(file.read_text())
    assert told["exitCode"] == 130
    assert any("SIGINT" in each for each in told["reasons"])


def test_a_report_without_the_end_of_its_run_is_no_success(tmp_path, caplog):
    """A store that has not taken in all of a run (its disk is full) must not pass for the whole of it."""
    records = [each for each in small_run().records if not isinstance(each.event, RunFinished)]
    store = open_store("none", state=tmp_path)
    store.begin(run_record())
    store.add(run_record(), records)
    started = records[0].event
    assert not write_reports((tmp_path / "r.md",), store, started)
    assert (tmp_path / "r.md").exists()
    assert "lack the end of the run" in caplog.text
    store.add(run_record(), list(small_run().records))
    assert write_reports((tmp_path / "r.md",), store, started)
    store.close()
