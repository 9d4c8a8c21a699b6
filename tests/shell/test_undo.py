"""`undo` and `history`: what was done in a session, and the way back."""

import json

import pytest
from click.shell_completion import ShellComplete

from seatrial.shell.command_table import group
from tests.shell.conftest import driven_shell


@pytest.fixture
async def nodes(control):
    """Nodes a, b, c; answers which of them are cordoned."""
    for name in "abc":
        await control.server.api.create("nodes", {"metadata": {"name": name}})

    async def cordoned():
        listed = await control.server.api.list("nodes", None)
        return "".join(each["metadata"]["name"] for each in listed.items if each["spec"].get("unschedulable"))

    return cordoned


async def test_undo_takes_back_the_last_thing_that_stands(shell, nodes):
    """It says what, and does nothing to the rest; where nothing stands it says so, which is no error."""
    await shell.do("cordon a --yes; cordon b --yes")
    shell.forget()
    assert await shell.do("undo") == 0
    assert "undone: cordon b" in shell.words
    assert await nodes() == "a"
    assert await shell.do("undo") == 0
    shell.forget()
    assert await shell.do("undo") == 0
    assert shell.words == "there is nothing to take back"


async def test_undo_all(shell, nodes):
    """Last first."""
    await shell.do("cordon a --yes; cordon b --yes; cordon c --yes")
    shell.forget()
    assert await shell.do("undo all") == 0
    assert shell.words.index("undone: cordon c") < shell.words.index("undone: cordon a")
    assert await nodes() == ""


async def test_undo_of_a_number(shell, nodes):
    """Refused while later things stand, with their numbers; a number that nobody did is wrong usage."""
    await shell.do("cordon a --yes; cordon b --yes")
    assert await shell.do("undo 1") == 2
    assert "what came after 1 and stands goes first: 2" in shell.errors
    assert await nodes() == "ab"
    assert await shell.do("undo 2; undo 1") == 0
    assert await nodes() == ""
    for wrong in ("undo 7", "undo 1", "undo first"):
        assert await shell.do(wrong) == 2


async def test_an_undo_that_fails_is_exit_code_4(control, tmp_path, nodes):
    """It is said what is left, that it can be tried again, and which command does so after leaving."""
    api, group_ = control.server.api, {"apiGroup": "rbac.authorization.k8s.io"}
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    await api.create("clusterroles.rbac.authorization.k8s.io", {"metadata": {"name": "all"}, "rules": rules})
    plural = "clusterrolebindings.rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": "jane"},
        "roleRef": {**group_, "kind": "ClusterRole", "name": "all"},
        "subjects": [{**group_, "kind": "User", "name": "jane"}],
    }
    await api.create(plural, binding)
    await (await control.connect_as("jane")).close()
    async with driven_shell(control.directory / "jane.kubeconfig", tmp_path / "state") as shell:
        await shell.do("cordon a --yes")
        await api.delete(plural, "jane")
        assert await shell.do("undo") == 4
        assert "not undone: cordon a" in shell.errors
        assert f"undo 1; after you leave: seatrial recover --run {shell.session.context.run_id}" in shell.errors
        await shell.do("history")
        assert "not undone" in shell.shown
        await api.create(plural, binding)
        assert await shell.do("undo 1") == 0
    assert await nodes() == ""


async def test_history_tells_what_stands_and_what_undo_would_do(shell, nodes):
    """By number, with its time, its command, what came of it; nothing where nothing was done."""
    await shell.do("history")
    assert shell.words == "nothing was done yet"
    await shell.do("cordon a --yes; cordon b --yes; undo")
    shell.forget()
    assert await shell.do("history -o json") == 0
    first, second = json.loads(shell.shown)
    assert (first["number"], first["title"], first["standing"], first["outcome"]) == (1, "cordon a", "stands", "passed")
    assert first["undo"] == ["uncordon node a"]
    assert first["time"].startswith("20")
    assert (second["number"], second["standing"], second["undo"]) == (2, "undone", [])
    shell.forget()
    await shell.do("history")
    assert [line.split()[0] for line in shell.shown.splitlines()] == ["#", "1", "2"]


async def test_history_tells_what_can_t_be_taken_back(shell, control):
    """A pod that was killed is gone for good."""
    await control.create_pods("web-1")
    await shell.do("kill web-1 --force --yes; history")
    assert "for good" in shell.shown


async def test_undo_completes_the_numbers_that_stand(shell, nodes):
    """Last first, each with what it was."""
    await shell.do("cordon a --yes; cordon b --yes")
    complete = ShellComplete(group, {"obj": shell.shell}, "", "")
    assert [(item.value, item.help) for item in complete.get_completions(["undo"], "")][2:] == [
        ("2", "cordon b"),
        ("1", "cordon a"),
    ]
    assert [item.value for item in complete.get_completions(["undo"], "a")] == ["all"]
