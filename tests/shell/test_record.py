"""`record`: what was done by hand, as a policy file that runs."""

import pytest

from seatrial.policy.load import load_policy
from seatrial.steps.registry import policy_model
from tests.programs import Process


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


@pytest.mark.timeout(240)
async def test_what_is_recorded_runs(sandbox, sandbox_shell, tmp_path):
    """Killed by name, scaled, cordoned by hand: the policy does the same to whatever is there, and passes."""
    import asyncio

    shell, file = sandbox_shell, tmp_path / "recorded.yml"
    assert await shell.do("pods default app=goldpinger; kill 1 --force --yes") == 0
    assert await shell.do("scale deployment/goldpinger 4 --yes") == 0
    assert await shell.do("undo all") == 0
    assert await shell.do(f"record {file} --no-waits") == 0
    environ = {"SEATRIAL_STATE_DIR": str(tmp_path / "another"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    arguments = ["autonomous", "--policy-file", str(file), "--kubeconfig", str(sandbox.kubeconfig), "--silent"]
    with Process(arguments, environ=environ) as process:
        output, errors = await asyncio.to_thread(process.communicate, "", 200)
        assert (process.returncode, errors) == (0, ""), output
