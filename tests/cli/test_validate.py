"""`seatrial validate`: each file is checked, each problem shown, nothing else touched."""

import io
import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from seatrial.cli.main import run
from seatrial.steps.registry import step_types

VALID = """\
scenarios:
- name: Kill half of the pods
  steps:
  - podAction:
      matches: [{labels: {selector: app=goldpinger, namespace: default}}]
      filters: [{randomSample: {ratio: 0.5}}]
      actions: [{kill: {force: true}}]
  - wait: {seconds: 1}
- name: Nothing
  steps: []
"""

INVALID = """\
scenarios:
- name: Wait
  steps:
  - wiat: {seconds: 5}
"""

SHOWN = """\
{file}:4:5: scenarios[0].steps[0]: unknown key 'wiat'; did you mean 'wait'? Allowed: {steps}
    4 |   - wiat: {{seconds: 5}}
      |     ^
{file} is invalid: 1 problem
"""


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a valid and an invalid policy."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POLICY_FILE", raising=False)
    Path("valid.yml").write_text(VALID)
    Path("invalid.yml").write_text(INVALID)


def feed(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the program read this from standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))


def test_a_valid_file(capsys: pytest.CaptureFixture[str]) -> None:
    """One line says that it is valid, and what was understood."""
    assert run(["validate", "valid.yml"]) == 0
    assert capsys.readouterr() == ("valid.yml: valid (2 scenarios, 2 steps)\n", "")


def test_an_invalid_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Each problem with its place; exit code 2."""
    assert run(["validate", "invalid.yml"]) == 2
    assert capsys.readouterr() == (SHOWN.format(file="invalid.yml", steps=", ".join(step_types())), "")


def test_many_files(capsys: pytest.CaptureFixture[str]) -> None:
    """All are checked, in the order given, also after one that is missing, unreadable or wrong."""
    assert run(["validate", "missing.yml", ".", "invalid.yml", "valid.yml"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "missing.yml: can't read missing.yml: No such file or directory"
    assert lines[1] == ".: can't read .: Is a directory"
    assert lines[2:6] == SHOWN.format(file="invalid.yml", steps=", ".join(step_types())).splitlines()
    assert lines[6] == "valid.yml: valid (2 scenarios, 2 steps)"


def test_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` stands for what is piped in."""
    feed(INVALID.encode(), monkeypatch)
    assert run(["validate", "-", "valid.yml"]) == 2
    assert capsys.readouterr().out.startswith("<stdin>:4:5: scenarios[0].steps[0]: unknown key 'wiat'")


def test_noise_on_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that are no text are a problem like others."""
    feed(b"\xff\xfe\x00", monkeypatch)
    assert run(["validate", "-"]) == 2
    assert "isn't UTF-8" in capsys.readouterr().out


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get each file with its problems as data."""
    assert run(["validate", "--output", "json", "valid.yml", "invalid.yml", "missing.yml"]) == 2
    valid, invalid, missing = json.loads(capsys.readouterr().out)["files"]
    nothing: dict[str, Any] = {"valid": False, "scenarios": 0, "steps": 0, "error": "", "problems": []}
    assert valid == {**nothing, "file": "valid.yml", "valid": True, "scenarios": 2, "steps": 2}
    assert missing == {
        **nothing,
        "file": "missing.yml",
        "error": "can't read missing.yml: No such file or directory",
    }
    (problem,) = invalid["problems"]
    assert (problem["line"], problem["column"], problem["suggestion"]) == (4, 5, "wait")


def test_names_of_files_by_other_ways(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`--policy-file` names a file too, and so does POLICY_FILE where no other is named."""
    assert run(["validate", "--policy-file", "valid.yml"]) == 0
    monkeypatch.setenv("POLICY_FILE", "invalid.yml")
    assert run(["validate", "valid.yml"]) == 0
    assert run(["validate"]) == 2
    assert "invalid.yml is invalid" in capsys.readouterr().out


def test_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Without any file there is nothing to check, and that is no success."""
    assert run(["validate"]) == 2
    assert "name a policy file" in capsys.readouterr().err


def test_nothing_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checking opens no connection, whatever a policy names."""

    def refuse(*arguments: object) -> None:
        raise AssertionError(arguments)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    Path("probe.yml").write_text("scenarios: [{name: one, steps: [{probeHTTP: {target: {url: 'http://x.test'}}}]}]")
    before = sorted(Path().iterdir())
    assert run(["validate", "probe.yml"]) == 0
    assert sorted(Path().iterdir()) == before
