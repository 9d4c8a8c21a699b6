"""The page that kills Seatrial: each command prints what the page shows."""

import os
from pathlib import Path

import pytest

from tests.docs.transcripts import ROOT, commands_of, masked, run, shell_path
from tests.kubectls import newest
from tests.processes import processes_that_mention

PAGE = ROOT / "docs" / "tutorial" / "kill-9.md"


@pytest.mark.skipif(newest() is None, reason="the page uses kubectl, of which there is none on this machine")
def test_what_a_killed_run_left_is_undone_as_the_page_shows(tmp_path: Path) -> None:
    """The copy outlives `kill -9`, is listed with what undoes it, and is gone after the recovery."""
    commands = commands_of(PAGE.read_text())
    assert len(commands) > 10
    outputs = run(commands, home=tmp_path, path=shell_path(os.environ, str(newest()), tmp_path))
    for command, output in zip(commands, outputs, strict=True):
        assert (command.text, masked(output)) == (command.text, masked(command.output))
    assert processes_that_mention(str(tmp_path)) == []
