import json
import sqlite3

import pytest

from seatrial.actions.created_objects import RUN_LABEL, deletion_of
from seatrial.actions.field_changes import revert_undo
from seatrial.actions.field_differences import differences
from seatrial.cli.main import run
from seatrial.kube.resources import CONFIGMAPS
from seatrial.runtime.journal import Journal, RunEntry
from seatrial.runtime.process_identity import this_process
from tests.cli.programs import seatrial

MADE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "made", "namespace": "default"},
    "data": {"a": "b"},
}
SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"colour": "red"}}


@pytest.fixture
def state(tmp_path):
    directory = tmp_path / "state"
    directory.mkdir()
    return directory


@pytest.fixture
async def left(control, state):
    """A run that died after it had painted somebody's ConfigMap blue."""
    before = await control.cluster.apply(CONFIGMAPS, SETTINGS, namespace="default", field_manager="team")
    body = {"metadata": {"labels": {RUN_LABEL: "died"}}, "data": {"colour": "blue"}}
    after = await control.cluster.patch(CONFIGMAPS, "settings", body, namespace="default")
    await write_run(control, state, "died", revert_undo(CONFIGMAPS, before, differences(before, after)))
    die(state)


async def write_run(control, state, name, undo, *, server=None):
    journal = await Journal.open(state)
    kubeconfig = str(control.directory / "kubeconfig")
    await journal.begin(
        RunEntry(id=name, policy="p.yml", seed="1", server=server or control.cluster.server, kubeconfig=kubeconfig)
    )
    await journal.write(name, undo)
    await journal.close()


def die(state):
    with sqlite3.connect(state / "journal.sqlite3") as connection:
        connection.execute("UPDATE run SET pid_started = ?", (this_process().began - 60,))
    connection.close()


async def recover(control, state, *arguments, answer=""):
    known = ["--state-dir", state, "--kubeconfig", control.directory / "kubeconfig"]
    return await seatrial("recover", *known, *arguments, answer=answer)


async def colour(control):
    return (await control.server.api.get("configmaps", "settings", "default"))["data"]["colour"]


async def test_what_is_left_is_listed_and_not_touched(control, state, left):
    """Who left what, when, on which cluster, whether it lives, and the command that undoes each change by hand."""
    done = await recover(control, state, "--list")
    assert (done.code, done.errors) == (0, "")
    assert "run died of p.yml, started 20" in done.output
    assert f"on {control.cluster.server}: it has ended" in done.output
    assert "put ConfigMap default/settings back as it was (data.colour)" in done.output
    assert "by hand: kubectl patch configmaps settings -n default" in done.output
    assert await colour(control) == "blue"


async def test_what_is_left_is_undone(control, state, left):
    """As the next run would do first; the second time there is nothing left."""
    done = await recover(control, state)
    assert (done.code, done.errors) == (0, "")
    assert "all undone: 1" in done.output
    assert await colour(control) == "red"
    assert "no run in this journal left anything behind" in (await recover(control, state)).output


async def test_as_json(control, state, left):
    """One document: each run with its state, what became of it, and its undos."""
    [listed] = json.loads((await recover(control, state, "--list", "--output", "json")).output)["runs"]
    assert (listed["run"], listed["state"], listed["outcome"]) == ("died", "dead", "open")
    [undone] = json.loads((await recover(control, state, "--output", "json")).output)["runs"]
    assert (undone["outcome"], undone["failures"]) == ("undone", [])
    assert undone["undos"] == listed["undos"]


async def test_one_run_alone(control, state, left):
    """`--run` undoes what that run left, and leaves the others alone."""
    await write_run(control, state, "another", deletion_of(MADE, "another"))
    die(state)
    assert (await recover(control, state, "--run", "another")).code == 0
    assert await colour(control) == "blue"
    assert (await recover(control, state, "--run", "died")).code == 0
    assert await colour(control) == "red"


async def keep(state, run):
    """What a session does that is told to keep what it did."""
    journal = await Journal.open(state)
    await journal.keep(run)
    await journal.close()


async def test_what_was_kept_on_purpose_is_undone_by_name_only(control, state, left):
    """It is listed as kept, with the command that takes it back; without its name nothing is done to it."""
    await keep(state, "died")
    for arguments in (["--list"], []):
        done = await recover(control, state, *arguments)
        assert (done.code, done.errors) == (0, "")
        assert "kept on purpose; take it back: seatrial recover --run died" in done.output
        assert "by hand: kubectl patch configmaps settings -n default" in done.output
    assert await colour(control) == "blue"
    [listed] = json.loads((await recover(control, state, "--output", "json")).output)["runs"]
    assert listed["outcome"] == "kept"
    done = await recover(control, state, "--run", "died")
    assert (done.code, await colour(control)) == (0, "red")
    assert "all undone: 1" in done.output


async def test_what_is_kept_is_nothing_left_to_undo(control, state, left):
    """`status` names it, and does not call it a leftover (exit code 4)."""
    await keep(state, "died")
    known = ["--state-dir", state, "--kubeconfig", control.directory / "kubeconfig"]
    done = await seatrial("status", *known)
    assert done.code == 0
    assert "1 change kept" in done.output
    assert "take back what is kept: seatrial recover --run died" in done.output


async def test_a_run_that_is_alive_is_left_alone(control, state):
    """What it changed is its own to undo: that is said, and asking for it by name is exit code 3."""
    await write_run(control, state, "alive", deletion_of(MADE, "alive"))
    done = await recover(control, state)
    assert done.code == 0
    assert "still at work: process" in done.output
    assert (await recover(control, state, "--run", "alive")).code == 3


async def test_what_can_t_be_undone_is_exit_code_4(control, state):
    """The cluster isn't where it was: why, and what a person can do, and it stays in the journal."""
    await write_run(control, state, "far", deletion_of(MADE, "far"), server="https://far.example:6443")
    die(state)
    done = await recover(control, state)
    assert done.code == 4
    assert "the kubeconfig leads to" in done.output
    assert "by hand: kubectl delete configmap made -n default" in done.output
    assert (await recover(control, state)).code == 4


async def test_a_cluster_that_is_gone_is_forgotten(control, state):
    """It says what it forgets; asked for no more, it is not told any more."""
    await write_run(control, state, "far", deletion_of(MADE, "far"), server="https://far.example:6443")
    die(state)
    refused = await recover(control, state, "--forget", "far", answer="n\n")
    assert refused.code == 4
    assert "delete ConfigMap default/made" in refused.output
    assert (await recover(control, state, "--forget", "far", "--yes")).code == 0
    assert "no run in this journal" in (await recover(control, state)).output


async def test_a_run_that_is_alive_is_not_forgotten(control, state):
    """It would undo its changes itself."""
    await write_run(control, state, "alive", deletion_of(MADE, "alive"))
    done = await recover(control, state, "--forget", "alive", "--yes")
    assert done.code == 2
    assert "still at work" in done.errors


@pytest.mark.parametrize("flag", ["--run", "--forget"])
async def test_a_run_that_nobody_knows(control, state, flag):
    """Wrong usage, with the command that lists them."""
    done = await recover(control, state, flag, "nonsense")
    assert done.code == 2
    assert "seatrial recover --list" in done.errors


def test_flags_that_exclude_each_other(capsys):
    """Wrong usage."""
    assert run(["recover", "--list", "--run", "x"]) == 2
    assert "go alone" in capsys.readouterr().err


async def test_objects_of_runs_that_the_journal_doesn_t_know_are_found(control, state):
    """Another machine's journal is lost: what its run made is to be deleted, what it changed to be looked at."""
    labelled = {**MADE, "metadata": {**MADE["metadata"], "labels": {RUN_LABEL: "lost"}}}
    await control.cluster.apply(CONFIGMAPS, labelled, namespace="default")
    await control.cluster.apply(CONFIGMAPS, SETTINGS, namespace="default", field_manager="team")
    await control.cluster.patch(
        CONFIGMAPS, "settings", {"metadata": {"labels": {RUN_LABEL: "lost"}}}, namespace="default", field_manager="x"
    )
    done = await recover(control, state, "--output", "json")
    assert json.loads(done.output)["leftovers"] == [
        {
            "run": "lost", "what": "ConfigMap default/made", "created": True,
            "manual": "kubectl delete configmaps made -n default",
        },
        {
            "run": "lost", "what": "ConfigMap default/settings", "created": False,
            "manual": f"kubectl label configmaps settings -n default {RUN_LABEL}-",
        },
    ]  # fmt: skip
    shown = (await recover(control, state, "--list")).output
    assert "ConfigMap default/made, made by run lost" in shown
    assert "ConfigMap default/settings, changed by run lost" in shown


async def test_a_cluster_that_can_t_be_searched_is_said(control, state, left, nowhere):
    """The journal's own runs are undone all the same: they know their clusters."""
    done = await seatrial("recover", "--state-dir", state, "--kubeconfig", nowhere)
    assert done.code == 0
    assert "the cluster was not searched" in done.output
    assert await colour(control) == "red"
