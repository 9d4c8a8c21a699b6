"""Completion: what click knows of the commands, as prompt_toolkit wants it."""

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from seatrial.shell.command_table import COMMANDS
from seatrial.shell.completion import CommandCompleter


@pytest.fixture
def completed(shell):
    """The texts that a line could become, by completing what it ends with."""
    completer = CommandCompleter(shell.shell)

    def complete(line):
        found = completer.get_completions(Document(line), CompleteEvent(text_inserted=True))
        return [line[: len(line) + each.start_position] + each.text for each in found]

    return complete


async def test_commands_that_begin_so_come_first(completed):
    """Then those that have it in them; where nothing is typed, all are offered."""
    assert completed("kil") == ["kill"]
    pods = completed("pods")
    assert pods[0] == "pods"
    assert "cached_pods" in pods
    assert completed("") == [*COMMANDS]
    assert completed("pods; kil") == ["pods; kill"]
    assert completed("nonsense ") == []


async def test_every_command_can_be_completed(completed):
    """Its options are offered, and its first argument breaks nothing."""
    for name in COMMANDS:
        assert f"{name} --help" in completed(f"{name} --")
        completed(f"{name} ")


async def test_options_and_their_values_are_completed(completed):
    """Long names only; a value with a blank or with `=` before it."""
    assert completed("kill --fo") == ["kill --force"]
    assert "kill -f" not in completed("kill -")
    assert completed("pods --output j") == ["pods --output json"]
    assert completed("pods --output=j") == ["pods --output=json"]


async def test_names_of_files_are_completed_and_quoted(completed, tmp_path, monkeypatch):
    """Files of the directory; one with a blank in its name is quoted."""
    directory = tmp_path / "policies"
    directory.mkdir()
    monkeypatch.chdir(directory)
    (directory / "kill half.yml").touch()
    (directory / "slow.yml").touch()
    assert completed("run s") == ["run slow.yml"]
    assert completed("run k") == ["run 'kill half.yml'"]
    assert completed("run 'k") == ["run 'kill half.yml'"]


async def test_comments_are_not_completed(completed):
    """There is nothing to say in them."""
    assert completed("# po") == []
