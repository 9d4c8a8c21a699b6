"""Machines rebooted, paused and loaded, processes and services on them: on a whole sandbox, by the examples."""

import asyncio
import json
import signal

import pytest

from seatrial.actions.machine_processes import Wanted, find_processes
from seatrial.kube.client import connect
from seatrial.kube.objects import Node
from seatrial.kube.resources import NODES
from seatrial.machines.registry import find_driver
from seatrial.remote.sandbox import SandboxExecutor
from seatrial.runtime.world import World
from seatrial.sandbox.timing import SANDBOX
from seatrial.testing import sandbox_cluster
from tests.e2e.conftest import EXAMPLES, events

SEED = ("--seed", "5")


@pytest.fixture(scope="module")
def cluster():
    """Two machines; a silent one is missed soon."""
    with asyncio.Runner() as runner:
        load = [EXAMPLES / "manifests" / "goldpinger.yml"]
        block = sandbox_cluster(nodes=2, load=load, timing=SANDBOX.scaled(0.2))
        sandbox = runner.run(block.__aenter__())
        yield sandbox
        runner.run(block.__aexit__(None, None, None))


@pytest.fixture
def example(on_cluster):
    """Runs an example; answers the events that it logged."""

    def run(name):
        done = on_cluster.run("autonomous", "--policy-file", EXAMPLES / name, *SEED, "--log-format", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        return [json.loads(line) for line in done.stderr.splitlines()]

    return run


def of(logged, kind):
    return [event for event in logged if event["event"] == kind]


def subjects(logged, kind):
    return [event["subject"] for event in of(logged, kind)]


async def state_of(cluster):
    """What each machine and its node are like, and what of ours runs there."""
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        executor = SandboxExecutor(client)
        machines = {each.name: each.state.value for each in await (await find_driver(None, client)).list()}
        nodes = (await client.list(NODES, type=Node)).items
        found = {}
        for node in nodes:
            name = node.metadata.name
            look = "systemctl is-active kubelet; pgrep -l stress-ng"
            said = (await executor.run(name, look)).output
            found[name] = (machines[name], said.replace("activating", "active"))
        return found


def test_a_reboot_is_seen_by_the_boot_id_and_measured(example, cluster):
    """The node reports another boot and is Ready again before the verdict; nothing is left to undo but to see it up."""
    logged = example("node-reboot.yml")
    [rebooted] = of(logged, "machine_rebooted")
    promise = f"reboot of node {rebooted['name']}"
    assert promise in subjects(logged, "fault_proven")
    assert promise in subjects(logged, "fault_cleared")
    assert {"machineRebooted", "nodeReady"} <= {event["name"] for event in of(logged, "measurement_taken")}
    assert set(asyncio.run(state_of(cluster)).values()) == {("UP", "active\n")}


def test_a_paused_machine_goes_on_at_clean_up(example, cluster):
    """The driver says that it stands still, the cluster misses its node; in the end it is up and Ready."""
    logged = example("node-pause.yml")
    [paused] = of(logged, "machine_paused")
    assert subjects(logged, "fault_proven") == [f"pause of machine {paused['id']}", f"node {paused['name']} not Ready"]
    assert subjects(logged, "fault_cleared") == [f"pause of machine {paused['id']}"]
    assert set(asyncio.run(state_of(cluster)).values()) == {("UP", "active\n")}


def test_a_kubelet_is_killed_in_a_pattern_on_its_machine_alone(example, cluster):
    """Three times, each another process, each seen to be gone; the other machine's kubelet is the one it was."""

    async def kubelets():
        async with await connect(kubeconfig=cluster.kubeconfig) as client:
            world = World(cluster=client, executor=SandboxExecutor(client))
            nodes = ("node1", "node2")
            return {
                each: await find_processes(Wanted(name="kubelet"), each, world, timeout_seconds=60) for each in nodes
            }

    before = asyncio.run(kubelets())
    logged = example("kill-kubelet.yml")
    kills = of(logged, "processes_signalled")
    assert [(event["number"], event["times"], event["signal"]) for event in kills] == [
        (number, 3, "SIGKILL") for number in (1, 2, 3)
    ]
    [victim] = {event["name"] for event in kills}
    assert len({tuple(event["processes"]) for event in kills}) == 3
    assert len(of(logged, "fault_proven")) == 3
    assert [event["name"] for event in of(logged, "measurement_taken")].count("processesReturned") == 1
    after = asyncio.run(kubelets())
    other = "node1" if victim == "node2" else "node2"
    assert after[other] == before[other]
    assert after[victim] != before[victim]


def test_a_stopped_kubelet_makes_its_node_not_ready_and_is_started_at_clean_up(example, cluster):
    """Proven by systemd and by the cluster; a timer guards it meanwhile, and is ended."""
    logged = example("stop-kubelet.yml")
    [stopped] = of(logged, "service_stopped")
    stop = f"stop of service kubelet on node {stopped['name']}"
    assert subjects(logged, "fault_proven") == [stop, f"node {stopped['name']} not Ready"]
    assert subjects(logged, "fault_cleared") == [stop]
    assert len(of(logged, "timer_armed")) == 1
    assert of(logged, "proof_missing") == []
    assert set(asyncio.run(state_of(cluster)).values()) == {("UP", "active\n")}


def test_load_runs_beside_the_steps_and_is_gone_at_the_end(example, cluster):
    """Seen to run, ended by clean-up, seen to be gone."""
    logged = example("node-stress.yml")
    [started] = of(logged, "stress_started")
    assert started["load"] == "cpu 1 worker, memory 64Mi, io 1 worker"
    load = f"load on node {started['name']}"
    assert subjects(logged, "fault_proven") == subjects(logged, "fault_cleared") == [load]
    assert of(logged, "fault_cleared")[0]["proof"] == "stress-ng has ended"
    assert set(asyncio.run(state_of(cluster)).values()) == {("UP", "active\n")}


@pytest.mark.parametrize(
    ("example", "begun"),
    [
        ("node-pause.yml", "machine_paused"),
        ("stop-kubelet.yml", "service_stopped"),
        ("node-stress.yml", "stress_started"),
    ],
)
def test_a_run_that_is_killed_is_cleaned_up_by_recover(on_cluster, cluster, example, begun):
    """The journal knows what was done: the machine goes on, the kubelet runs, the load is gone."""
    killed = on_cluster.start("autonomous", "--policy-file", EXAMPLES / example, *SEED, "--log-format", "json")
    assert any(event["event"] == begun for event in events(killed))
    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=60)
    recovered = on_cluster.run("recover")
    assert recovered.returncode == 0, recovered.stdout + recovered.stderr
    assert set(asyncio.run(state_of(cluster)).values()) == {("UP", "active\n")}


def test_a_plan_says_what_would_be_done_and_changes_nothing(on_cluster, tmp_path):
    """Each action in words, with its pattern and its end."""
    actions = [
        {"reboot": {"force": True}},
        {"pause": {}},
        {"killProcess": {"name": "kubelet", "repeat": {"times": 2, "every": 5}}},
        {"stopService": {"name": "kubelet", "downFor": 5, "repeat": {"times": 2, "every": 20}}},
        {"startService": {"name": "kubelet"}},
        {"stress": {"cpu": "50%", "duration": 60}},
    ]
    step = {"nodeAction": {"matches": [{"property": {"name": "name", "value": "node1$"}}], "actions": actions}}
    path = tmp_path / "policy.yml"
    path.write_text(json.dumps({"scenarios": [{"name": "all of it", "steps": [step]}]}))
    planned = on_cluster.run("plan", path, *SEED, "--output", "json")
    [told] = json.loads(planned.stdout)["scenarios"][0]["steps"]
    changes = "\n".join(told["changes"])
    for words in (
        "of node node1 by force",
        "let it go on at clean-up",
        "send SIGKILL to every process named kubelet on node node1, 2 times, every 5 s",
        "stop service kubelet on node node1, start it after 5 s, 2 times, every 20 s",
        "start service kubelet on node node1",
        "put load on node node1: cpu 50%, for 60 s at most",
    ):
        assert words in changes
    assert told["refused"] == []


async def test_programs_of_a_machine_keep_to_it(cluster):
    """`pkill` and `systemctl`, with `sudo` or without, know one machine; its kubelet comes back when it dies."""
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        executor = SandboxExecutor(client)

        async def said(node, command):
            return (await executor.run(node, command)).output.split()

        [here], [there] = await said("node1", "pgrep -x kubelet"), await said("node2", "pgrep -x kubelet")
        assert here != there
        assert await said("node1", "sudo -n -u root -- systemctl is-active kubelet.service") == ["active"]
        assert await said("node1", "systemctl show docker") == ["LoadState=not-found", "ActiveState=inactive"]
        assert (await executor.run("node1", "systemctl stop docker")).exit_code == 5
        assert (await executor.run("node1", "systemctl poweroff")).exit_code == 1
        await said("node1", "systemctl restart kubelet")
        assert await said("node1", "pgrep -x kubelet") != [here]
        await said("node1", "sudo pkill -9 kubelet")
        assert await said(
            "node1", "until pgrep -x kubelet >/dev/null; do sleep 0.1; done; systemctl is-active kubelet"
        ) == ["active"]
        assert await said("node2", "pgrep -x kubelet") == [there]


async def test_a_machine_has_another_boot_id_after_each_boot_and_keeps_it_meanwhile(cluster):
    """Through the death of its kubelet, and unlike the computer that it runs on."""
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        driver, executor = await find_driver(None, client), SandboxExecutor(client)
        [machine] = [each for each in await driver.list() if each.name == "node2"]

        async def boot_after(change):
            async with client.watch(NODES, field_selector="metadata.name=node2", type=Node) as watch:
                before = watch.snapshot[0].status.node_info.boot_id
                await change()
                async for event in watch:
                    if event.object.is_ready and event.object.status.node_info.boot_id != before:
                        return before, event.object.status.node_info.boot_id
            raise AssertionError("the watch ended")

        first, second = await boot_after(lambda: driver.reboot(machine.id))
        assert "" not in {first, second}
        await executor.run("node2", "systemctl restart kubelet")
        before, third = await boot_after(lambda: driver.reboot(machine.id))
        assert before == second
        assert third not in {first, second}


@pytest.fixture
def through_the_kubelet(on_cluster, tmp_path):
    """Runs node actions on node1 by commands that go through a pod, and so through its kubelet; answers the events."""

    def run(*actions):
        matches = [{"property": {"name": "name", "value": "node1$"}}]
        scenarios = [{"name": "from within", "steps": [{"nodeAction": {"matches": matches, "actions": list(actions)}}]}]
        path = tmp_path / "policy.yml"
        path.write_text(json.dumps({"config": {"runStrategy": {"runs": 1}}, "scenarios": scenarios}))
        options = ("--execution-mode", "node-shell", "--log-format", "json")
        done = on_cluster.run("autonomous", "--policy-file", path, *options)
        return done.returncode, [json.loads(line) for line in done.stderr.splitlines()]

    return run


def test_a_kubelet_is_killed_through_itself(through_the_kubelet, cluster):
    """The way to the machine breaks with it, and is waited for: that it is gone is seen by the next one."""
    code, logged = through_the_kubelet({"killProcess": {"name": "kubelet", "timeout": 60}})
    assert code == 0, logged
    assert subjects(logged, "fault_proven") == ["SIGKILL to processes named kubelet on node node1"]
    assert set(asyncio.run(state_of(cluster)).values()) == {("UP", "active\n")}


def test_a_kubelet_is_stopped_through_itself_with_a_timer_only(through_the_kubelet, cluster):
    """Without one the step refuses; with one the machine is out of reach until it fires, which clean-up waits for."""
    code, logged = through_the_kubelet({"stopService": {"name": "kubelet"}})
    assert code == 3
    assert "that needs expiresAfter" in of(logged, "scenario_finished")[0]["reasons"][0]
    code, logged = through_the_kubelet({"stopService": {"name": "kubelet", "expiresAfter": 15}})
    assert code == 0, logged
    stop = "stop of service kubelet on node node1"
    assert stop in subjects(logged, "fault_proven")
    assert subjects(logged, "fault_cleared") == [stop]
    assert of(logged, "undo_failed") == []
    assert set(asyncio.run(state_of(cluster)).values()) == {("UP", "active\n")}
