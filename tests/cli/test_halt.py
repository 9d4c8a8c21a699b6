import json

import pytest

from seatrial.actions.created_objects import deletion_of
from seatrial.runtime.journal import Journal, RunEntry
from tests.cli.programs import seatrial
from tests.cli.test_recover import MADE, die


@pytest.fixture
def on(control, tmp_path):
    """Runs a command on that API server, with a state directory of its own."""

    async def command(name, *arguments, **environ):
        where = ["--kubeconfig", control.directory / "kubeconfig"]
        if name == "status":
            where += ["--state-dir", tmp_path / "state"]
        return await seatrial(name, *where, *arguments, **environ)

    return command


async def test_halt_status_resume(control, on):
    """The mark is set, shown, kept by the first who set it, lifted once."""
    assert (await on("status")).code == 0
    assert (await on("halt", "--reason", "incident 4711")).code == 0
    mark = await control.server.api.get("configmaps", "seatrial-halt", "default")
    assert mark["data"]["reason"] == "incident 4711"
    assert "@" in mark["data"]["by"]
    again = await on("halt", "--reason", "another")
    assert again.code == 0
    assert "incident 4711; that mark stays" in again.output
    shown = await on("status")
    assert shown.code == 3
    assert f"yes, halted by {mark['data']['by']} since {mark['data']['since']}: incident 4711" in shown.output
    assert "incident 4711" in (await on("resume")).output
    assert (await on("resume")).output == "experiments were not halted\n"
    assert (await on("status")).code == 0


async def test_as_json(on):
    """Each of the three prints one document."""
    halted = json.loads((await on("halt", "--reason", "why", "--output", "json")).output)
    assert (halted["halted"], halted["set"], halted["reason"], halted["namespace"]) == (True, True, "why", "default")
    status = json.loads((await on("status", "--output", "json")).output)
    assert (status["halted"], status["halt"]["reason"], status["runs"]) == (True, "why", [])
    lifted = json.loads((await on("resume", "--output", "json")).output)
    assert (lifted["halted"], lifted["was"]["reason"]) == (False, "why")


async def test_the_namespace_of_the_mark(control, on):
    """The flag, or the variable."""
    assert (await on("halt", "--halt-namespace", "kube-system")).code == 0
    assert await control.server.api.get("configmaps", "seatrial-halt", "kube-system")
    assert (await on("status")).code == 0
    assert (await on("status", SEATRIAL_HALT_NAMESPACE="kube-system")).code == 3


@pytest.mark.parametrize("name", ["", "Prod", "a.b", "-a", "a" * 64])
async def test_a_namespace_has_a_name(on, name):
    """What no namespace can be called is wrong usage, before the cluster is asked anything."""
    done = await on("halt", "--halt-namespace", name)
    assert done.code == 2
    assert "is no namespace's name" in done.errors


async def test_who_may_not_set_the_mark_is_told(control):
    """Exit code 3, and which permission is missing."""
    async with await control.connect_as("nobody"):
        done = await seatrial("halt", "--kubeconfig", control.directory / "nobody.kubeconfig")
    assert done.code == 3
    assert "cannot create resource" in done.errors


async def test_the_status_has_the_runs_of_this_machine(control, on, tmp_path):
    """Those at work, and those that left something: exit code 4, with what to do."""
    (tmp_path / "state").mkdir()
    journal = await Journal.open(tmp_path / "state")
    await journal.begin(RunEntry(id="run-1", policy="p.yml", seed="1", server=control.cluster.server))
    shown = await on("status")
    assert shown.code == 0
    assert f"run-1 of p.yml on {control.cluster.server}, 0 changes to undo: still at work" in shown.output
    await journal.write("run-1", deletion_of(MADE, "run-1"))
    await journal.close()
    die(tmp_path / "state")
    shown = await on("status")
    assert shown.code == 4
    assert "1 change to undo: it has ended" in shown.output
    assert "seatrial recover" in shown.output


async def test_the_status_of_a_cluster_that_does_not_answer(nowhere, tmp_path):
    """Whether experiments are halted is not known: exit code 3, and why."""
    done = await seatrial("status", "--kubeconfig", nowhere, "--state-dir", tmp_path / "state")
    assert done.code == 3
    assert "halted    not known: can't reach" in done.output
