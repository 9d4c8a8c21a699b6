"""Machines of a whole sandbox: the driver and the executor against its control, and the program's examples."""

import asyncio
import json
import signal

import pytest

from seatrial.errors import MachineError
from seatrial.kube.client import connect
from seatrial.kube.errors import BadRequest
from seatrial.kube.objects import Node, Pod
from seatrial.kube.resources import NODES, PODS
from seatrial.machines.driver import Capability, MachineState
from seatrial.machines.matching import pair_machines
from seatrial.machines.registry import find_driver
from seatrial.remote.registry import find_executor
from seatrial.sandbox.timing import SANDBOX
from seatrial.testing import sandbox_cluster
from tests.e2e.conftest import EXAMPLES, events


@pytest.fixture(scope="module")
def cluster():
    """Four machines in four zones; a silent one is missed soon."""
    with asyncio.Runner() as runner:
        block = sandbox_cluster(load=[EXAMPLES / "manifests" / "goldpinger.yml"], timing=SANDBOX.scaled(0.2))
        sandbox = runner.run(block.__aenter__())
        yield sandbox
        runner.run(block.__aexit__(None, None, None))


async def test_the_driver_of_a_sandbox_does_what_drivers_do(cluster):
    """It is found by itself; each node has its machine; stop and start reach their state and may be repeated."""
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        driver = await find_driver(None, client)
        assert driver.name == "sandbox"
        assert {Capability.START, Capability.STOP, Capability.REBOOT} <= await driver.capabilities()
        nodes = (await client.list(NODES, type=Node)).items
        pairing = pair_machines(nodes, await driver.list())
        assert sorted(pairing.machines) == ["node1", "node2", "node3", "node4"]
        assert (pairing.problems, pairing.unclaimed) == ({}, ())
        found = pairing.machines["node4"]
        assert (found.state, found.zone, found.region) == (MachineState.UP, "east-2", "east")
        for _ in range(2):
            await driver.stop(found.id)
            assert (await driver.describe(found.id)).state is MachineState.DOWN
        for _ in range(2):
            await driver.start(found.id)
            assert (await driver.describe(found.id)).state is MachineState.UP
        await driver.reboot(found.id)
        await driver.pause(found.id)
        assert (await driver.describe(found.id)).state is MachineState.UNKNOWN
        await driver.start(found.id)
        assert await driver.start_command(found.id) == (
            "kubectl create --raw /sandbox/v1/machines/node4/start -f /dev/null"
        )
        await driver.delete("other-node4")
        for act in (driver.describe, driver.start, driver.stop, driver.start_command):
            with pytest.raises(MachineError, match="has no machine other-node4"):
                await act("other-node4")


async def test_commands_run_on_a_machine_of_a_sandbox(cluster):
    """With the node's name in the environment; exit code and both streams come back, a time-out ends all of it."""
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        executor = await find_executor(None, client)
        assert executor.name == "sandbox"
        await executor.require()
        done = await executor.run("node2", 'echo "on $NODE_NAME"; echo oh >&2; exit 3')
        assert (done.exit_code, done.output) == (3, "on node2\noh\n")
        long = await executor.run("node2", "head -c 200000 /dev/zero | tr '\\0' x")
        assert long.exit_code == 0
        assert long.output.endswith("[shortened]")
        with pytest.raises(MachineError, match=r"did not end within 0\.3 s"):
            await executor.run("node2", "sleep 1000 & wait", timeout_seconds=0.3)
        with pytest.raises(MachineError, match="there is no machine 'moon'"):
            await executor.run("moon", "true")
        driver = await find_driver(None, client)
        machine = next(each for each in await driver.list() if each.name == "node2")
        running = asyncio.create_task(executor.run("node2", "touch began; sleep 1000"))
        async with asyncio.timeout(60):
            while (await executor.run("node2", "test -e began")).exit_code:
                pass
        await driver.stop(machine.id)
        with pytest.raises(MachineError, match="went off while the command ran"):
            await running
        with pytest.raises(MachineError, match="machine node2 is stopped"):
            await executor.run("node2", "true")
        await driver.start(machine.id)


@pytest.mark.parametrize(
    "body",
    [{}, {"command": " "}, {"command": "true", "timeoutSeconds": 0}, {"command": "true", "shell": "bash"}, []],
    ids=["nothing", "blank", "no time", "unknown key", "no map"],
)
async def test_a_malformed_command_is_refused_by_the_sandbox(cluster, body):
    """With what is wrong, and nothing is run."""
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        with pytest.raises(BadRequest):
            await client.request_json("POST", "/sandbox/v1/machines/node1/exec", body)


@pytest.mark.parametrize(
    ("example", "seen"),
    [
        ("node-stop.yml", {"machine_stopped", "machine_started", "fault_cleared", "steady_state_sampled"}),
        ("stop-host.yml", {"machine_stopped", "machine_started", "fault_cleared", "probe_sampled", "pod_moved"}),
        ("drain.yml", {"node_tainted", "node_cordoned", "undo_done"}),
        ("node-command.yml", {"command_executed", "undo_done"}),
    ],
)
def test_the_examples_pass_and_leave_everything_as_it_was(on_cluster, cluster, example, seen):
    """Each passes; at the end all machines are up and all nodes take pods as before."""
    before = asyncio.run(state_of(cluster))
    done = on_cluster.run("autonomous", "--policy-file", EXAMPLES / example, "--seed", "5", "--log-format", "json")
    assert done.returncode == 0, done.stderr
    assert seen <= {json.loads(line)["event"] for line in done.stderr.splitlines()}
    assert asyncio.run(state_of(cluster)) == before


def test_a_whole_zone_goes_down_and_what_became_of_its_pods_is_told(on_cluster, cluster):
    """Each pod of the west moves to the east, timed; the service was asked all through; all machines come back."""
    asyncio.run(spread_pods(cluster))
    before, lost = asyncio.run(state_of(cluster)), asyncio.run(pods_of(cluster, "node1", "node2"))
    assert lost
    done = on_cluster.run("autonomous", "--policy-file", EXAMPLES / "zone-down.yml", "--seed", "5", "--output", "json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert sorted(told["machines"]["names"]) == ["node1", "node2"]
    moves = told["moves"]["pods"]
    assert {each["pod"] for each in moves} == lost
    assert {each["from"] for each in moves} <= {"node1", "node2"}
    assert {each["to"] for each in moves} <= {"node3", "node4"}
    assert (
        told["moves"]["ready"]["min"] >= told["moves"]["evicted"]["min"] > told["measurements"]["nodeNotReady"]["min"]
    )
    assert told["measurements"]["podsRescheduled"]["max"] == told["moves"]["ready"]["max"]
    assert told["evidence"] == {"proven": 4, "cleared": 2, "missing": []}
    [steady] = told["steadyState"]
    assert steady["samples"] > steady["failed"]
    assert steady["longestOutageMs"] < told["moves"]["ready"]["max"]
    assert asyncio.run(state_of(cluster)) == before


def test_a_run_that_is_killed_with_a_machine_down_is_cleaned_up_by_the_next(on_cluster, cluster):
    """The journal knows the machine by its id; the next start brings it back before anything else."""
    before = asyncio.run(state_of(cluster))
    arguments = ("autonomous", "--policy-file", EXAMPLES / "node-stop.yml", "--seed", "5", "--log-format", "json")
    killed = on_cluster.start(*arguments)
    stopped = next(event for event in events(killed) if event["event"] == "machine_stopped")
    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=60)
    assert asyncio.run(state_of(cluster))["machines"][stopped["id"]] == "DOWN"
    done = on_cluster.run("autonomous", "--policy-file", EXAMPLES / "node-command.yml", "--log-format", "json")
    assert done.returncode == 0, done.stderr
    assert asyncio.run(state_of(cluster)) == before


async def spread_pods(cluster):
    """Let the pods be placed anew, now that all nodes take some: three on four nodes."""
    async with (
        asyncio.timeout(60),
        await connect(kubeconfig=cluster.kubeconfig) as client,
        client.watch(PODS, namespace="default", type=Pod) as watch,
    ):
        old = {pod.metadata.uid for pod in watch.snapshot}
        for pod in watch.snapshot:
            await client.delete(PODS, pod.metadata.name, namespace="default")
        ready = set()
        while len(ready) < len(old):
            pod = (await anext(watch)).object
            if pod.is_ready and pod.metadata.uid not in old:
                ready.add(pod.metadata.uid)


async def pods_of(cluster, *nodes):
    """The pods on these nodes that a ReplicaSet replaces."""
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        pods = (await client.list(PODS, namespace="default", type=Pod)).items
    return {f"default/{pod.metadata.name}" for pod in pods if pod.spec.node_name in nodes and not pod.is_terminating}


async def state_of(cluster):
    """Machines by id and state; nodes with what keeps pods away, but for what the cluster takes off by and by."""
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        machines = await (await find_driver(None, client)).list()
        nodes = (await client.list(NODES, type=Node)).items
        taints = {
            node.metadata.name: [
                each.key for each in node.spec.taints if not each.key.startswith("node.kubernetes.io/")
            ]
            for node in nodes
        }
        return {
            "machines": {each.id: each.state.value for each in machines},
            "cordoned": {node.metadata.name for node in nodes if node.spec.unschedulable},
            "taints": taints,
            "marked": {node.metadata.name for node in nodes if "seatrial.io/run" in (node.metadata.labels or {})},
        }
