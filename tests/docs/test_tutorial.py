"""The tutorial about the sandbox: each command prints what the page shows."""

import os
from pathlib import Path

import pytest

from tests.docs.transcripts import ROOT, Command, commands_of, masked, rewritten, run, shell_path
from tests.kubectls import newest
from tests.processes import processes_that_mention

PAGE = ROOT / "docs" / "tutorial" / "sandbox.md"


@pytest.mark.skipif(newest() is None, reason="the page uses kubectl, of which there is none on this machine")
def test_the_tutorial_shows_what_happens(tmp_path: Path) -> None:
    """Every command of the page, in order, prints what stands below it; at the end nothing is left."""
    commands = commands_of(PAGE.read_text())
    assert len(commands) > 20
    outputs = run(commands, home=tmp_path, path=shell_path(os.environ, str(newest()), tmp_path))
    assert len(outputs) == len(commands)
    for command, output in zip(commands, outputs, strict=True):
        assert (command.text, masked(output)) == (command.text, masked(command.output))
    assert processes_that_mention(str(tmp_path)) == []


def test_transcripts_are_found_and_rewritten() -> None:
    """A command may go over several lines; its output ends where the next command begins."""
    page = "# Title\n\n```console\n$ one \\\n  more\nold\n$ two\n```\n\n```\n$ not this\n```\n"
    assert commands_of(page) == [Command("one \\\n  more", "old"), Command("two", "")]
    assert "$ one \\\n  more\nnew\n$ two\n```" in rewritten(page, ["new", ""])


def test_what_varies_is_compared_by_its_form() -> None:
    """Ages, addresses, suffixes and the widths of columns."""
    here = masked("web-5d5f7bd5d6-x2x4z   1/1   Running   0     12s   127.77.3.1")
    assert here == masked("web-756f8768-ck9rd 1/1 Running 0 1m5s 127.16.12.44")
    assert here != masked("web-756f8768-ck9rd 0/1 Running 0 1m5s 127.16.12.44")
