"""`help`: what there is, and what one of them does."""

import pytest

from seatrial.shell.command_table import COMMANDS, by_section


async def test_every_command_stands_in_one_line_under_its_heading(shell):
    """The list fits a window of 80 columns."""
    assert await shell.do("help") == 0
    lines = shell.shown.splitlines()
    for section, names in by_section().items():
        begin = lines.index(section)
        assert [line.split()[0] for line in lines[begin + 1 : begin + 1 + len(names)]] == list(names)
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
async def test_help_of_a_command_has_its_usage_options_and_examples(shell, name):
    """In lines of 80 columns at most; its examples begin with its name, and `-h` shows the same."""
    assert await shell.do(f"help {name}") == 0
    shown = shell.shown
    assert shown.startswith(f"Usage: {name}")
    _, _, examples = shown.partition("Examples:\n")
    assert any(line.split()[0] in {name, "?"} for line in examples.splitlines() if line.strip())
    assert [line for line in shown.splitlines() if len(line) > 80] == []


async def test_a_question_mark_is_help(shell):
    """As in other shells."""
    assert await shell.do("? kill") == 0
    assert shell.shown.startswith("Usage: kill")


async def test_help_of_what_is_no_command(shell):
    """Wrong usage, and where the list is."""
    assert await shell.do("help kil") == 2
    assert "there is no command 'kil'; 'help' lists them" in shell.errors
