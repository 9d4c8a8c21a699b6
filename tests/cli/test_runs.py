"""`seatrial runs`: what was kept of runs, looked at, compared, handed on and dropped."""

import asyncio
import csv
import io
import json
import sys
from datetime import timedelta

import pytest

from seatrial.runtime.events import OutageSeen, PodKilled, PodRef
from seatrial.runtime.verdict import Verdict
from seatrial.storage.store import open_store
from tests.cli.programs import seatrial
from tests.storage.sample_runs import (
    BEGIN,
    PROBE,
    measured,
    records,
    run_over,
    run_record,
    sample,
    scenario_over,
    started,
)

_POD = PodRef(namespace="default", name="a\x1b[31m", uid="1", node="n", owner="ReplicaSet/x")


@pytest.fixture
def state(tmp_path):
    """A state directory with runs in it."""

    def keep(run, *events, begin=BEGIN, **changes):
        store = open_store(None, state=tmp_path)
        record = run_record(run, started=begin.timestamp(), seen=begin.timestamp(), **changes)
        store.begin(record)
        store.add(record, records(*events, begin=begin))
        store.close()

    keep.directory = tmp_path
    return keep


async def runs(state, *arguments, **environ):
    return await seatrial("runs", *arguments, "--state-dir", state.directory, **environ)


def finished(run, *times, verdict=Verdict.PASSED):
    return [started(run), *[measured(each) for each in times], scenario_over(verdict), run_over(verdict)]


async def test_lists_the_latest_runs(state):
    """With verdicts; a run without an end that has been silent for long has died."""
    state("aaaa1111", *finished("aaaa1111"))
    state("bbbb2222", started("bbbb2222"), scenario_over(), begin=BEGIN - timedelta(days=3000))
    done = await runs(state, "list")
    titles, first, second = done.output.splitlines()
    assert titles.split() == ["RUN", "STARTED", "VERDICT", "ROUNDS", "OBJECTIVES", "POLICY"]
    assert first.split()[0] == "aaaa1111"
    assert "passed" in first
    assert "died" in second
    assert second.split()[4] == "1"  # a round
    found = json.loads((await runs(state, "list", "-o", "json", "--most", "1")).output)
    assert [(each["run"], each["verdict"], each["exitCode"]) for each in found] == [("aaaa1111", "passed", 0)]


async def test_says_that_there_are_none(state):
    """And where they would be."""
    done = await runs(state, "list")
    assert (done.code, "No runs are kept in" in done.output) == (0, True)
    done = await runs(state, "show", "last")
    assert done.code == 2
    assert "there is no run" in done.errors
    assert "seatrial runs list" in done.errors


@pytest.mark.parametrize("command", [("runs", "list"), ("report", "last"), ("slo", "status")])
async def test_looking_into_a_store_makes_none(command, tmp_path):
    """A path that was mistyped is said, and nothing is left there."""
    done = await seatrial(*command, "--store", f"sqlite://{tmp_path / 'typo.sqlite3'}")
    assert done.code == 2
    assert f"there is no store {tmp_path / 'typo.sqlite3'}" in done.errors
    assert list(tmp_path.iterdir()) == []


async def test_shows_a_run(state):
    """Its closing summary counted anew, what was measured, outages, and the command that does it again."""
    outage = OutageSeen(probe=PROBE, number=0, began=BEGIN.timestamp(), seconds=2.5)
    state(
        "aaaa1111", started("aaaa1111"), PodKilled(pod=_POD, force=True, duration_ms=1.0), measured(1.5), measured(2.5),
        measured(30.0, is_lower_bound=True), outage, scenario_over(), run_over(),
        redacted=1, command="seatrial autonomous --policy-file p.yml",
    )  # fmt: skip
    output = (await runs(state, "show", "aaaa")).output
    assert "PASSED" in output
    assert "1 killed: default/a" in output
    assert "Kill half, timeToRecover: 3 times, median 2.5 s, p95 not seen" in output
    assert "1 not seen to the end" in output
    assert "for 2.5 s" in output
    assert "1 secret of the policy" in output
    assert "seatrial autonomous --policy-file p.yml --seed 7" in output
    assert "\x1b" not in output


async def test_shows_a_run_for_programs(state):
    """With its policy, objectives and measurements."""
    state("aaaa1111", *finished("aaaa1111", 1.5))
    found = json.loads((await runs(state, "show", "last", "-o", "json")).output)
    assert found["policyText"] == "scenarios: []\n"
    assert (found["measurements"][0]["name"], found["measurements"][0]["value"]) == ("timeToRecover", 1.5)
    assert found["summary"]["verdict"] == "passed"
    assert (await runs(state, "show", "last", "--policy")).output == "scenarios: []\n"


async def test_compares_two_runs(state):
    """What got slower is the exit code 1; what is the same, 0."""
    quick, slow = [1.0 + each / 100 for each in range(30)], [2.0 + each / 100 for each in range(30)]
    state("aaaa1111", *finished("aaaa1111", *quick))
    state("bbbb2222", *finished("bbbb2222", *slow), begin=BEGIN + timedelta(days=1))
    done = await runs(state, "compare", "aaaa", "bbbb")
    assert done.code == 1
    assert done.output.startswith("Kill half, timeToRecover, 30 times and 30: worse\n")
    assert "large effect" in done.output
    assert (await runs(state, "compare", "bbbb", "aaaa")).code == 0
    found = json.loads((await runs(state, "compare", "aaaa", "bbbb", "-o", "json")).output)
    assert found[0]["outcome"] == "worse"
    assert found[0]["pValue"] < 0.001


async def test_compares_before_and_after_a_moment(state):
    """All runs of the policy that ran last, on its cluster."""
    for number in range(12):
        state(f"run{number}", *finished(f"run{number}", 1.0 + number), begin=BEGIN + timedelta(days=number))
    state("other", *finished("other", 50.0), policy="other.yml", begin=BEGIN - timedelta(days=1))
    done = await runs(state, "compare", "--before", "2030-01-07T00:00+00:00")
    assert "timeToRecover, 6 times and 6: worse" in done.output
    assert done.code == 1
    done = await runs(state, "compare", "--before", "2029-01-01", "--policy", "p.yml")
    assert done.code == 3
    assert "there are no values before" in done.output


async def test_compares_before_and_after_an_edit(state):
    """By the digests of the scenario."""
    state("aaaa1111", *finished("aaaa1111", 1.0), digests={"Kill half": "aaaaaaaaaaaaaaaa"})
    state("bbbb2222", *finished("bbbb2222", 2.0), digests={"Kill half": "bbbbbbbbbbbbbbbb"})
    done = await runs(state, "compare", "--before", "aaaaaa", "--after", "bbbbbb")
    assert "timeToRecover, 1 times and 1: no difference shown" in done.output
    done = await runs(state, "compare", "--before", "aaaaaa", "--after", "nonsense")
    assert done.code == 2
    assert "no digest of a scenario" in done.errors
    done = await runs(state, "compare", "aaaa")
    assert (done.code, "two runs" in done.errors) == (2, True)


async def test_exports_all_of_a_run(state, tmp_path):
    """A JSON object a line: the run, its events, measurements, samples."""
    state("aaaa1111", started("aaaa1111"), measured(1.5), sample(BEGIN.timestamp()), scenario_over(), run_over())
    file = tmp_path / "run.jsonl"
    done = await runs(state, "export", "last", "--file", file)
    assert (done.code, done.output) == (0, "")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    kinds = [each["type"] for each in lines]
    assert kinds == ["run", *["event"] * 5, "scenarioRun", *["measurement"] * 2, "probeMinute"]
    assert lines[0]["policyText"] == "scenarios: []\n"
    assert lines[2]["fields"]["seconds"] == 1.5
    assert lines[-1]["latencyMs"]["p50"] == pytest.approx(2.5, rel=0.004)


async def test_exports_measurements_as_csv(state):
    """With titles, for a spreadsheet that computes nothing of it."""
    bad = measured(1.5, name="=1+1")
    state("aaaa1111", started("aaaa1111"), bad, scenario_over(), run_over())
    rows = list(csv.DictReader(io.StringIO((await runs(state, "export", "last", "--format", "csv")).output)))
    assert [(each["name"], each["value"]) for each in rows] == [("'=1+1", "1.5"), ("passed", "1.0")]


async def test_drops_runs(state):
    """Those that meet all conditions, after it has asked; a run that is at work never."""
    for number in range(4):
        state(f"run{number}", *finished(f"run{number}"), begin=BEGIN - timedelta(days=3000 - number))
    done = await runs(state, "prune", "--keep", "2", "--dry-run")
    assert "2 would be dropped" in done.output
    refused = await seatrial("runs", "prune", "--keep", "2", "--state-dir", state.directory, answer="n\n")
    assert refused.code == 4
    assert len((await runs(state, "list")).output.splitlines()) == 5
    done = await runs(state, "prune", "--keep", "2", "--yes")
    assert (done.code, "Dropped: the store takes" in done.output) == (0, True)
    assert len((await runs(state, "list")).output.splitlines()) == 3
    assert "nothing to drop" in (await runs(state, "prune", "--older-than", "100y")).output
    assert (await runs(state, "prune")).code == 2
    assert (await runs(state, "prune", "--older-than", "soon")).code == 2


async def test_a_store_that_cannot_be_opened(state, tmp_path):
    """Is said with a hint, in a line."""
    (tmp_path / "dir").mkdir()
    done = await seatrial("runs", "list", "--store", f"sqlite://{tmp_path / 'dir'}")
    assert done.code == 3
    assert "hint:" in done.errors
    assert (await seatrial("runs", "list", "--store", "mysql://x")).code == 2


_POLICY = """\
config: {runStrategy: {runs: 2, minSecondsBetweenRuns: 0, maxSecondsBetweenRuns: 0}}
scenarios:
- name: waits a moment
  objectives: [{measurement: passed, ratio: true, above: 0.5}]
  steps:
  - wait: {seconds: 0}
"""


async def test_a_run_is_kept(write, somewhere, state):
    """With what it was, and a row for each round."""
    policy = write(_POLICY)
    flags = ("--policy-file", policy, "--kubeconfig", somewhere, "--state-dir", state.directory, "--seed", "7")
    done = await seatrial("autonomous", *flags)
    assert done.code == 3  # two rounds are no evidence
    found = json.loads((await runs(state, "show", "last", "-o", "json")).output)
    assert (found["policy"], found["policyText"], found["rounds"]) == (str(policy), _POLICY, 2)
    assert (found["verdict"], found["exitCode"], found["seed"]) == ("inconclusive", 3, "7")
    assert [each["name"] for each in found["measurements"]] == ["passed", "passed"]
    assert found["objectives"][0]["status"] == "not enough evidence"
    assert found["digests"]["waits a moment"]
    await seatrial("autonomous", *flags)
    listed = json.loads((await runs(state, "list", "-o", "json")).output)
    assert [each["rounds"] for each in listed] == [2, 2]


async def test_label_mode_is_kept(somewhere, state):
    """As any other run."""
    done = await seatrial("label", "--runs", "1", "--kubeconfig", somewhere, "--state-dir", state.directory)
    assert "Traceback" not in done.errors
    (found,) = json.loads((await runs(state, "list", "-o", "json")).output)
    assert found["policy"] == "label mode (namespace default)"


async def test_a_dry_run_and_a_run_without_a_store_leave_nothing(write, somewhere, state):
    """`none` keeps nothing, and judges objectives on the run alone."""
    await seatrial("label", "--dry-run", "--kubeconfig", somewhere, "--state-dir", state.directory)
    done = await seatrial(
        "autonomous", "--policy-file", write(_POLICY), "--kubeconfig", somewhere, "--state-dir", state.directory,
        "--store", "none",
    )  # fmt: skip
    assert "not enough evidence" in done.output
    assert not (state.directory / "runs.sqlite3").exists()


async def test_a_store_that_was_named_must_be_there(write, somewhere, state):
    """It is the user's mistake, told before anything is touched."""
    done = await seatrial(
        "autonomous", "--policy-file", write(_POLICY), "--kubeconfig", somewhere, "--state-dir", state.directory,
        "--store", f"sqlite://{state.directory}/missing/runs.sqlite3",
    )  # fmt: skip
    assert done.code == 3
    assert "can't open the store" in done.errors


async def test_a_run_that_was_killed_has_died(write, somewhere, state):
    """It is there with all that was written until then."""
    policy = write(_POLICY.replace("seconds: 0", "seconds: 600"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "seatrial", "autonomous", "--policy-file", policy, "--kubeconfig", somewhere,
        "--state-dir", state.directory, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async for line in process.stderr:
        if b"step_started" in line:
            break
    while "running" not in (await runs(state, "list")).output:  # noqa: ASYNC110 -- another process
        await asyncio.sleep(0.1)
    process.kill()
    await process.communicate()
    shown = (await runs(state, "show", "last")).output
    assert "none: the run died" in shown
    assert "seatrial recover" in shown
