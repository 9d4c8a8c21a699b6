"""Whatever is done by hand is recorded as what it was, and its policy does the same on a whole cluster."""

import asyncio
import json
from pathlib import Path

import pytest

from seatrial.policy.load import load_policy
from seatrial.sandbox.timing import SANDBOX
from seatrial.steps.registry import policy_model
from seatrial.testing import sandbox_cluster
from tests.shell.conftest import driven_shell

# Commands, and what stands in the policy for each: its step, and what is in that.
COMMANDS = {
    "pods default app=goldpinger; kill 1 --force": ("podAction", "deployment", "randomSample", "kill"),
    "pods default app=goldpinger; kill 1 SIGTERM": ("podAction", "deployment", "randomSample", "killContainer"),
    "pods default app=goldpinger; evict 1": ("podAction", "deployment", "randomSample", "evict"),
    "scale deployment/goldpinger 4": ("scale", "goldpinger"),
    "scale deployment/goldpinger -1": ("scale", "goldpinger"),
    "clone goldpinger --latency 100ms": ("clone", "goldpinger", "toxiproxy"),
    "probe goldpinger:8080/healthz --count 3": ("probeHTTP", "goldpinger", "/healthz"),
    "wait 0.1": ("wait", "0.1"),
    "cordon node2": ("nodeAction", "node2", "cordon"),
    "drain node3 --timeout 60 --delete-empty-dir-data": ("nodeAction", "node3", "drain"),
    "taint zone:west-1 test=on:NoSchedule": ("nodeAction", "west-1", "taint"),
    "exec node2 'test 007 = \"007\"'": ("nodeAction", "node2", "execute"),
    "sudo --undo 'rm -f /tmp/broken' node2 touch /tmp/broken": ("nodeAction", "node2", "execute", "undo"),
    "reboot node4": ("nodeAction", "node4", "reboot"),
    "pause node4": ("nodeAction", "node4", "pause"),
    "stop node4": ("nodeAction", "node4", "stop"),
}


@pytest.fixture(scope="module")
def sandbox():
    """Four machines in four zones; a silent one is missed soon."""
    with asyncio.Runner() as runner:
        load = [Path("examples/manifests/goldpinger.yml")]
        block = sandbox_cluster(nodes=4, load=load, timing=SANDBOX.scaled(0.2))
        cluster = runner.run(block.__aenter__())
        yield cluster
        runner.run(block.__aexit__(None, None, None))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("command", COMMANDS)
async def test_what_is_recorded_runs(sandbox, tmp_path, command):
    """It is a step of its kind, which finds something to do, and passes."""
    file = tmp_path / "recorded.yml"
    async with driven_shell(sandbox.kubeconfig, tmp_path / "state", assume_yes=True) as shell:
        shell.front.is_interactive = False
        assert await shell.do(f"{command}; undo all; record {file}") == 0, (shell.words, shell.errors)
        [scenario] = load_policy(file, model=policy_model()).scenarios
        [step] = scenario.steps
        written = json.dumps(step.model_dump(mode="json", exclude_unset=True))
        assert [part for part in COMMANDS[command] if part not in written] == []
        assert await shell.do(f"run {file}") == 0, (shell.words, shell.errors)


@pytest.mark.timeout(120)
async def test_what_was_done_taken_back_and_done_again_is_recorded_so_that_it_runs(sandbox, tmp_path):
    """The second time it finds what it found by hand, and not what the first one left."""
    file = tmp_path / "recorded.yml"
    async with driven_shell(sandbox.kubeconfig, tmp_path / "state", assume_yes=True) as shell:
        shell.front.is_interactive = False
        again = "cordon node2; undo"
        assert await shell.do(f"{again}; {again}; record {file}; run {file}") == 0, (shell.words, shell.errors)
    assert len(load_policy(file, model=policy_model()).scenarios) == 2
