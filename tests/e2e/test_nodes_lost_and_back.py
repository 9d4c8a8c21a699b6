"""Nodes that come back before the end, and machines that never do: on a whole sandbox, by the examples."""

import asyncio
import json

import pytest

from seatrial.kube.client import connect
from seatrial.kube.objects import Node
from seatrial.kube.resources import NODES
from seatrial.machines.registry import find_driver
from seatrial.sandbox.timing import SANDBOX
from seatrial.testing import sandbox_cluster
from tests.e2e.conftest import EXAMPLES


@pytest.fixture(scope="module")
def cluster():
    """Three machines; a silent one is missed soon."""
    with asyncio.Runner() as runner:
        load = [EXAMPLES / "manifests" / "goldpinger.yml"]
        block = sandbox_cluster(nodes=3, load=load, timing=SANDBOX.scaled(0.2))
        sandbox = runner.run(block.__aenter__())
        yield sandbox
        runner.run(block.__aexit__(None, None, None))


def run(program, name):
    done = program.run(
        "autonomous", "--policy-file", EXAMPLES / name, "--seed", "5", "--output", "json", "--log-format", "json"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout), [json.loads(line) for line in done.stderr.splitlines()]


async def nodes_and_machines(cluster):
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        nodes = (await client.list(NODES, type=Node)).items
        return nodes, sorted(each.name for each in await (await find_driver(None, client)).list())


async def test_a_node_takes_pods_again_before_the_end(on_cluster, cluster):
    """It is uncordoned by the step, and nothing of the run is left on it."""
    _, logged = await asyncio.to_thread(run, on_cluster, "drain-and-return.yml")
    [uncordoned] = [each for each in logged if each["event"] == "node_uncordoned"]
    assert not uncordoned["already"]
    nodes, _ = await nodes_and_machines(cluster)
    assert [node.metadata.name for node in nodes if node.spec.unschedulable] == []
    assert [node.metadata.name for node in nodes if "seatrial.io/run" in (node.metadata.labels or {})] == []


async def test_a_deleted_machine_is_gone_when_all_is_over(on_cluster, cluster):
    """The service answers from the others, the cluster misses the node, and clean-up has nothing to do."""
    plan = await asyncio.to_thread(on_cluster.run, "plan", EXAMPLES / "node-delete.yml", "--seed", "5")
    assert "for good: nothing brings it back" in " ".join(plan.stdout.split())
    summary, logged = await asyncio.to_thread(run, on_cluster, "node-delete.yml")
    [deleted] = [each for each in logged if each["event"] == "machine_deleted"]
    assert summary["machines"]["deleted"] == 1
    assert not [each for each in logged if each["event"] in {"undo_written", "undo_done"}]
    nodes, machines = await nodes_and_machines(cluster)
    assert deleted["name"] not in machines
    assert len(machines) == 2
    assert [node.metadata.name for node in nodes if not node.is_ready] == [deleted["name"]]
