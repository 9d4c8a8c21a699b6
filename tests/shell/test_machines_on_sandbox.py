"""Machines by hand on a whole sandbox: a zone goes down and comes back, commands run on all of it."""

import asyncio
from pathlib import Path

import pytest

from seatrial.kube.objects import Node, Pod
from seatrial.kube.resources import NODES, PODS
from seatrial.sandbox.timing import SANDBOX
from seatrial.testing import sandbox_cluster
from tests.shell.conftest import driven_shell


@pytest.fixture(scope="module")
def sandbox():
    """Four machines in four zones; a silent one is missed soon."""
    with asyncio.Runner() as runner:
        load = [Path("examples/manifests/goldpinger.yml")]
        block = sandbox_cluster(nodes=4, load=load, timing=SANDBOX.scaled(0.2))
        cluster = runner.run(block.__aenter__())
        yield cluster
        runner.run(block.__aexit__(None, None, None))


@pytest.fixture
async def script(sandbox, tmp_path):
    """A shell that nobody sits at, with goldpinger's cluster."""
    async with driven_shell(sandbox.kubeconfig, tmp_path / "state", assume_yes=True) as driven:
        driven.front.is_interactive = False
        yield driven


async def not_ready(shell):
    nodes = (await shell.session.context.cluster.list(NODES, type=Node)).items
    return [node.metadata.name for node in nodes if not node.is_ready]


async def test_a_zone_goes_down_is_missed_and_comes_back_by_undo(script):
    """A script waits until the cluster has missed its nodes; undo waits until they are Ready."""
    assert await script.do("stop zone:west-1 node4") == 0
    assert await not_ready(script) == ["node1", "node4"]
    assert "node node1 not Ready: the cluster missed it" in script.words
    assert await script.do("nodes down") == 0
    assert script.shell.numbered_nodes == ["node1", "node4"]
    assert await script.do("undo") == 0
    assert await not_ready(script) == []


async def test_leaving_starts_what_was_stopped(sandbox, tmp_path):
    """As undo does, without being asked."""
    async with driven_shell(sandbox.kubeconfig, tmp_path / "state", recovery_timeout_seconds=0) as driven:
        assert await driven.do("stop node3", "y") == 0
        machines = driven.session.context.machines
        assert {each.name: each.state.value for each in await machines.list()}["node3"] == "DOWN"
    async with driven_shell(sandbox.kubeconfig, tmp_path / "other") as driven:
        assert await driven.do("start down -y") == 3
        assert await not_ready(driven) == []


async def test_a_command_runs_on_all_machines(script):
    """The output of each below its name."""
    assert await script.do("exec all 'uname -s; echo on $NODE_NAME'") == 0
    lines = [line.strip() for line in script.shown.splitlines()]
    for name in ("node1", "node2", "node3", "node4"):
        begin = next(index for index, line in enumerate(lines) if line.startswith(f"{name} ") and "exit code 0" in line)
        assert lines[begin + 1 : begin + 3] == ["Linux", f"on {name}"]


async def test_all_of_a_long_output_is_shown(script):
    """And not its end alone, as logs and reports have it."""
    assert await script.do("exec node1 seq 2000") == 0
    lines = [line.strip() for line in script.shown.splitlines()]
    assert lines[-2000:] == [str(number) for number in range(1, 2001)]


async def test_a_program_that_machines_do_not_have_fails_on_each(script):
    """127 from each machine's shell, 1 from ours."""
    assert await script.do("exec all no-such-program --version") == 1
    assert script.words.count("exit code 127") == 4
    assert "failed: the command ended with 127 on node node4" in script.words


async def goldpingers(shell):
    """Where the Ready ones are."""
    listed = await shell.session.context.cluster.list(PODS, label_selector="app=goldpinger", type=Pod)
    return sorted(pod.spec.node_name for pod in listed.items if pod.is_ready)


async def test_a_node_is_drained_and_let_in_again(script):
    """Its pods are Ready on others by the time that a script goes on; uncordon and undo leave it as it was."""
    before = await goldpingers(script)
    assert await script.do(f"drain {before[0]} --timeout 60 --delete-empty-dir-data") == 0
    after = await goldpingers(script)
    assert len(after) == len(before)
    assert before[0] not in after
    assert await script.do(f"uncordon {before[0]}; undo all") == 0
    nodes = (await script.session.context.cluster.list(NODES, type=Node)).items
    assert [node.metadata.name for node in nodes if node.spec.unschedulable] == []


async def test_a_deleted_machine_is_missed_and_stays_away(script):
    """Its Node stays, as in any cluster without a cloud's controller; undo has nothing to bring back."""
    assert await script.do("delete node4 --confirm node4") == 0
    assert await not_ready(script) == ["node4"]
    assert await script.do("undo all; nodes") == 0
    assert [each.name for each in await script.session.context.machines.list()] == ["node1", "node2", "node3"]
    assert await script.do("start node4") == 3
    assert "no machine of the cloud is known to be this node's" in script.words
