"""`plan`: everything that a command or a policy would hit, and nothing done."""

import json

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from seatrial.shell.command_table import COMMANDS
from seatrial.shell.completion import CommandCompleter
from tests.shell.policies import KILL_ONE


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.yml"
    path.write_text(KILL_ONE)
    return path


async def test_a_command_is_planned_and_not_carried_out(shell, control):
    """All its options hold; nobody is asked, nothing is done, code 0."""
    await control.create_pods("a", "b")
    assert await shell.do("pods; plan kill 1 --force --yes") == 0
    assert "would kill default/a at once" in shell.words
    assert (shell.questions, await control.pod_names()) == ([], ["a", "b"])
    assert shell.session.deeds == []


async def test_after_a_plan_commands_are_carried_out_again(shell, control):
    """Also after one that could not be planned."""
    await control.create_pods("a")
    assert await shell.do("plan kill nobody") == 2
    assert await shell.do("kill a", "y") == 0
    assert await control.pod_names() == []


async def test_a_probe_is_planned_as_well(shell):
    """It changes nothing, and is shown in the words of policies."""
    assert await shell.do("plan probe http://example.com/healthz --count 3") == 0
    assert "3 x GET http://example.com/healthz, expecting 200" in shell.words


async def test_where_it_would_be_refused_the_code_says_so(shell):
    """Code 3, as `seatrial plan` has it."""
    assert await shell.do("plan scale deployment/nowhere 3") == 3
    assert "UNKNOWN" in shell.words


@pytest.mark.parametrize("command", ["exit", "undo all", "halt", "pods", "plan kill 1", "run policy.yml"])
async def test_what_is_no_order_is_not_carried_out_by_a_plan(shell, command):
    """`plan exit` doesn't leave and `plan halt` doesn't halt: there is nothing to plan about them."""
    assert await shell.do(f"plan {command}") == 2
    assert "changes nothing that could be planned" in shell.errors
    assert not shell.shell.is_leaving


def test_every_command_that_breaks_something_can_be_planned():
    """Those of pods and machines act through orders alone; the others can't be planned."""
    plannable = {name for name, entry in COMMANDS.items() if entry.is_order}
    breaking = {name for name, entry in COMMANDS.items() if entry.section in {"Break", "Machines"}}
    assert breaking - plannable == {"plan", "run"}
    assert plannable <= breaking


async def test_a_policy_is_planned_whole(shell, control, policy):
    """Its scenarios, steps and victims; with the seed, the same ones as a run picks."""
    await control.create_pods("a", "b", "c", app="web")
    assert await shell.do(f"plan {policy}") == 0
    assert "one of them" in shell.shown
    assert "matched 3 pods, 1 chosen" in shell.words
    assert "seed 7" in shell.words
    assert "seatrial autonomous" not in shell.words
    assert await control.pod_names() == ["a", "b", "c"]


async def test_a_policy_is_planned_as_json(shell, control, policy):
    """As `seatrial plan --output json` prints it."""
    await control.create_pods("a", app="web")
    assert await shell.do(f"plan --output json --seed 9 {policy}") == 0
    made = json.loads(shell.shown)
    assert (made["seed"], made["allowed"]) == ("9", True)
    [step] = made["scenarios"][0]["steps"]
    assert [each["name"] for each in step["victims"]] == ["a"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nowhere.yml", "can't read nowhere.yml"),
        ("kil 1", "there is no command 'kil'"),
        ("", "Missing argument"),
    ],
)
async def test_neither_command_nor_file(shell, line, problem):
    """Wrong usage, in words."""
    assert await shell.do(f"plan {line}") == 2
    assert problem in shell.errors


class TestCompletion:
    """What may follow `plan`: what may stand in a line of its own."""

    def offered(self, shell, line):
        document = Document(line)
        completer = CommandCompleter(shell.shell)
        return {each.text for each in completer.get_completions(document, CompleteEvent())}

    async def test_commands_that_can_be_planned_are_offered_and_files(self, shell, tmp_path, monkeypatch):
        """`plan k` offers `kill`, never `exit`."""
        (tmp_path / "kafka.yml").touch()
        monkeypatch.chdir(tmp_path)
        assert self.offered(shell, "plan k") >= {"kill", "kafka.yml"}
        assert "exit" not in self.offered(shell, "plan e")

    async def test_then_what_the_command_takes(self, shell, control):
        """Its pods and its options, as without `plan`."""
        await control.create_pods("web-1")
        await shell.shell.live.pods.ready()
        assert "web-1" in self.offered(shell, "plan kill w")
        assert self.offered(shell, "plan kill --f") == {"--force"} == self.offered(shell, "kill --f")
        assert self.offered(shell, "plan --s") == {"--seed"}
        assert self.offered(shell, "plan nonsense ") == set()
