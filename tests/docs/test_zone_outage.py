"""The page that loses a zone: each command prints what the page shows."""

import os
from pathlib import Path

import pytest

from tests.docs.transcripts import ROOT, commands_of, masked, run, shell_path
from tests.kubectls import newest
from tests.processes import processes_that_mention

PAGE = ROOT / "docs" / "how-to" / "lose-a-zone.md"


@pytest.mark.skipif(newest() is None, reason="the page uses kubectl, of which there is none on this machine")
def test_an_outage_of_a_zone_is_told_as_the_page_shows(tmp_path: Path) -> None:
    """Both machines of the zone go down, their pods move to the other, both come back; how it went is counted."""
    commands = commands_of(PAGE.read_text())
    assert len(commands) > 8
    outputs = run(commands, home=tmp_path, path=shell_path(os.environ, str(newest()), tmp_path))
    for command, output in zip(commands, outputs, strict=True):
        assert (command.text, masked(output)) == (command.text, masked(command.output))
    assert processes_that_mention(str(tmp_path)) == []
