"""What Seatrial sets for itself is not what programs of others see."""

import os

from seatrial.environment import set_for_ourselves, users_environment
from tests.cli.programs import seatrial

_NAME = "SEATRIAL_TEST_OF_ITSELF"


def test_what_was_set_for_ourselves_is_no_part_of_the_users(monkeypatch):
    """We have it, and nobody else."""
    monkeypatch.setattr("seatrial.environment._ours", {})
    monkeypatch.setenv(_NAME, "")
    del os.environ[_NAME]
    set_for_ourselves(_NAME, "1")
    assert os.environ[_NAME] == "1"
    assert _NAME not in users_environment()
    assert users_environment()["PATH"] == os.environ["PATH"]


def test_what_the_user_has_set_stays(monkeypatch):
    """Also where it is what we would have set."""
    monkeypatch.setattr("seatrial.environment._ours", {})
    monkeypatch.setenv(_NAME, "1")
    set_for_ourselves(_NAME, "1")
    assert users_environment()[_NAME] == "1"


_POLICY = """
config: {runStrategy: {runs: 1}}
scenarios:
  - name: which variables
    steps:
      - probeCommand: {command: [sh, -c, 'test -z "$PYDANTIC_DISABLE_PLUGINS"']}
"""


async def test_a_probe_runs_in_the_environment_of_the_user(control, tmp_path):
    """A program that uses pydantic as we do has its plugins."""
    policy = tmp_path / "policy.yml"
    policy.write_text(_POLICY)
    where = ("--kubeconfig", control.directory / "kubeconfig", "--state-dir", tmp_path / "state")
    done = await seatrial("autonomous", "--policy-file", policy, *where)
    assert done.code == 0, done.output
