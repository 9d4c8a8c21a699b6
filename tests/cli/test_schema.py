"""`seatrial schema`: the JSON Schema, on the screen or in a file."""

import json
from pathlib import Path

import pytest

from seatrial.cli.main import run
from seatrial.policy.schema import make_schema
from seatrial.steps.registry import policy_model


def test_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """The schema alone is written there, so that it can be piped."""
    assert run(["schema"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == make_schema(policy_model())
    assert shown.err == ""


def test_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file holds the schema; the line that makes editors use it is shown."""
    file = tmp_path / "policy.schema.json"
    assert run(["schema", "--output", str(file)]) == 0
    assert json.loads(file.read_text()) == make_schema(policy_model())
    assert capsys.readouterr() == ("", f"# yaml-language-server: $schema={file}\n")


def test_a_file_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What keeps the file from being written is said in one line."""
    file = tmp_path / "missing" / "policy.schema.json"
    assert run(["schema", "--output", str(file)]) == 2
    assert capsys.readouterr().err == f"error: can't write {file}: No such file or directory\n"


def test_policies_may_name_their_schema() -> None:
    """The line for editors is a comment: it changes nothing for Seatrial."""
    from seatrial.policy.load import load_policy

    text = b"# yaml-language-server: $schema=policy.schema.json\nscenarios: []\n"
    assert load_policy(text, model=policy_model()).scenarios == ()
