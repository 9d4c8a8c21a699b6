"""The page for people who come from PowerfulSeal: its policies run, its command lines are valid."""

import json
import re
import shlex

import click
import pytest

from seatrial.cli.main import seatrial
from tests.e2e.conftest import EXAMPLES, ROOT

PAGE = (ROOT / "docs" / "how-to" / "from-powerfulseal.md").read_text()
POLICIES = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
COMMANDS = sorted(set(re.findall(r"(?:^ {4,}|`)(seatrial [^`\n]*)(?:`|$)", PAGE, flags=re.MULTILINE)))


@pytest.mark.parametrize("policy", POLICIES, ids=range(len(POLICIES)))
def test_its_policies_run_unchanged(policy, program, tmp_path):
    """On a sandbox with goldpinger: all scenarios pass, and nothing is left to undo."""
    path = tmp_path / "policy.yml"
    path.write_text(policy)
    arguments = (
        "--sandbox",
        "--load",
        EXAMPLES / "manifests" / "goldpinger.yml",
        "--policy-file",
        path,
        "--output",
        "json",
    )
    done = program.run("autonomous", *arguments)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [(each["passed"], each["failed"], each["inconclusive"]) for each in result["scenarios"]] == [(1, 0, 0)] * 2
    assert result["undo"]["done"] >= 1
    assert result["undo"]["failed"] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_its_command_lines_are_valid(command):
    """Each names a command, and flags that it has."""
    arguments = shlex.split(command)[1:]
    context = click.Context(seatrial, info_name="seatrial")
    names = seatrial.list_commands(context)
    at = next(index for index, each in enumerate(arguments) if each in names)
    for group, given in (
        (seatrial, arguments[:at]),
        (seatrial.get_command(context, arguments[at]), arguments[at + 1 :]),
    ):
        # The parser knows the flags; what they are given need not be there.
        inside = click.Context(group, info_name=group.name, **seatrial.context_settings)
        group.make_parser(inside).parse_args(list(given))


def test_there_is_something_to_test():
    """A policy, and the commands of five minutes."""
    assert len(POLICIES) == 1
    assert {each.split()[1] for each in COMMANDS} >= {"validate", "plan", "autonomous", "label"}
