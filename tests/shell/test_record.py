"""`record`: what was done by hand, as a policy file that runs."""

import pytest

from seatrial.policy.load import load_policy
from seatrial.steps.registry import policy_model
from tests.shell.conftest import driven_shell


@pytest.fixture
async def done(shell, control):
    """A shell in which a node was cordoned and a pod of a ReplicaSet killed."""
    await control.server.api.create("nodes", {"metadata": {"name": "a"}})
    await control.create_pods("web-1")
    await shell.do("cordon a --yes; kill web-1 --force --yes")
    shell.forget()
    return shell


def steps_of(text):
    """The steps of the one scenario of a policy."""
    [scenario] = load_policy(text.encode(), model=policy_model()).scenarios
    return [step.key for step in scenario.steps]


async def test_a_file_is_written_that_is_a_policy(done, tmp_path):
    """Its scenario is called like the file; it says how many steps there are and how to run them."""
    file = tmp_path / "friday.yml"
    assert await done.do(f"record {file} --no-waits") == 0
    assert f"wrote 2 steps to {file};" in done.words
    assert f"seatrial autonomous --policy-file {file}" in done.words
    text = file.read_text()
    assert "  - name: friday\n" in text
    assert steps_of(text) == ["nodeAction", "podAction"]


async def test_how_to_run_it_has_what_the_cluster_is_reached_by(control, tmp_path):
    """And what was loaded into it: the policy may be about that."""
    reached_by = ("--sandbox", "--load", "my app.yml")
    async with driven_shell(control.directory / "kubeconfig", tmp_path / "state", reached_by=reached_by) as shell:
        await shell.do(f"wait 0.01; record {tmp_path / 'friday.yml'}")
        assert shell.words.endswith(f"--policy-file {tmp_path / 'friday.yml'} --sandbox --load 'my app.yml'")


async def test_a_dash_shows_it(done):
    """As it would be written, and nothing else."""
    assert await done.do("record - --no-waits --name 'a bad friday'") == 0
    assert steps_of(done.shown) == ["nodeAction", "podAction"]
    assert "name: a bad friday\n" in done.shown
    assert done.shown.startswith("# Recorded from what was done by hand, ")


async def test_from_a_number_on(done):
    """What was before is left out; where that is all there is nothing to record."""
    assert await done.do("record - --from 2") == 0
    assert steps_of(done.shown) == ["podAction"]
    assert await done.do("record - --from 3") == 2
    assert "there is nothing to record from 3 on" in done.errors


async def test_a_file_is_not_overwritten_unless_told_to(done, tmp_path):
    """Somebody's file is worth more than a recording."""
    file = tmp_path / "friday.yml"
    file.write_text("mine")
    assert await done.do(f"record {file}") == 2
    assert (file.read_text(), "--force to overwrite it" in done.errors) == ("mine", True)
    assert await done.do(f"record {file} --force") == 0
    assert steps_of(file.read_text())


@pytest.mark.parametrize("file", ["nowhere/friday.yml", "."])
async def test_a_place_that_can_t_be_written_is_wrong_usage(done, tmp_path, file):
    """In one line."""
    assert await done.do(f"record {tmp_path / file}") == 2
    assert done.errors.startswith("error: ")


async def test_nothing_is_nothing_to_record(shell, tmp_path):
    """No file is made."""
    assert await shell.do(f"record {tmp_path / 'friday.yml'}") == 2
    assert "there is nothing to record" in shell.errors
    assert not (tmp_path / "friday.yml").exists()
