"""Partitions on a whole sandbox: machines that go silent by their own firewalls, pods parted by NetworkPolicies."""

import asyncio
import json
import signal

import pytest

from seatrial.actions.node_readiness import last_renewal, wait_until_back
from seatrial.kube.client import connect
from seatrial.kube.objects import Node
from seatrial.kube.resources import NETWORKPOLICIES, NODES
from seatrial.machines.registry import find_driver
from seatrial.remote.sandbox import SandboxExecutor
from seatrial.sandbox.timing import SANDBOX
from seatrial.testing import sandbox_cluster
from tests.e2e.conftest import EXAMPLES, events

LOAD = ("goldpinger.yml", "notes.yml")


@pytest.fixture(scope="module")
def cluster():
    """Two machines in two zones; a silent one is missed soon."""
    with asyncio.Runner() as runner:
        load = [EXAMPLES / "manifests" / each for each in LOAD]
        block = sandbox_cluster(nodes=2, load=load, timing=SANDBOX.scaled(0.2))
        sandbox = runner.run(block.__aenter__())
        yield sandbox
        runner.run(block.__aexit__(None, None, None))


@pytest.fixture
def policy(tmp_path):
    """Writes a policy of one scenario; more keys of it may be given."""

    def write(*steps, **given):
        path = tmp_path / "policy.json"
        scenario = {"name": "a partition", "steps": list(steps), **given}
        path.write_text(json.dumps({"config": {"runStrategy": {"runs": 1}}, "scenarios": [scenario]}))
        return path

    return write


def of_node(name, *, expires_after=600, **peers):
    action = {"partition": {"from": peers, "expiresAfter": expires_after}}
    return {"nodeAction": {"matches": [{"property": {"name": "name", "value": f"{name}$"}}], "actions": [action]}}


def run(on_cluster, policy_file):
    """Run a policy; answers its exit code and the events that it logged."""
    done = on_cluster.run("autonomous", "--policy-file", policy_file, "--seed", "5", "--log-format", "json")
    return done.returncode, [json.loads(line) for line in done.stderr.splitlines()]


def of(logged, kind):
    return [event for event in logged if event["event"] == kind]


def on_machines(cluster, command):
    """What a command prints on each machine."""

    async def ask():
        async with await connect(kubeconfig=cluster.kubeconfig) as client:
            executor = SandboxExecutor(client)
            return [(await executor.run(name, command)).output for name in ("node1", "node2")]

    return asyncio.run(ask())


def are_open(cluster):
    """Whether no machine's firewall drops anything, and no timer waits."""
    return on_machines(cluster, "nft list tables; pgrep -f '[s]eatrial-timer-'") == ["", ""]


async def until_ready(cluster, name, *, ready):
    """Wait until a node is Ready, or isn't."""
    async with (
        asyncio.timeout(100),
        await connect(kubeconfig=cluster.kubeconfig) as client,
        client.watch(NODES, field_selector=f"metadata.name={name}", type=Node) as watch,
    ):
        if watch.snapshot[0].is_ready is not ready:
            async for event in watch:
                if event.object.is_ready is ready:
                    break


def test_a_machine_that_cannot_reach_the_api_server_looks_gone_and_comes_back(on_cluster, cluster):
    """Its firewall says so, the cluster misses its node; in the end it is Ready again, and both times are measured."""
    code, logged = run(on_cluster, EXAMPLES / "node-partition.yml")
    assert code == 0
    [chosen] = of(logged, "nodes_chosen")
    fault = f"partition of node {chosen['nodes'][0]} from the API server"
    proven = [event["subject"] for event in of(logged, "fault_proven")]
    assert proven == [fault, f"node {chosen['nodes'][0]} not Ready"]
    assert [event["subject"] for event in of(logged, "fault_cleared")] == [fault]
    assert [event["name"] for event in of(logged, "measurement_taken")] == ["nodeNotReady", "nodeReady"]
    assert [event["seconds"] for event in of(logged, "timer_armed")] == [300]
    assert of(logged, "proof_missing") == []
    assert are_open(cluster)


def test_machines_that_cannot_reach_each_other_stay_ready(on_cluster, cluster, policy):
    """Their pods don't call each other any more, and do again after; the cluster misses nobody."""
    service = {"name": "goldpinger", "namespace": "default", "port": 8080}
    others = {"matches": [{"property": {"name": "az", "value": ".*"}}]}
    code, logged = run(
        on_cluster,
        policy(
            of_node("node2", nodes=others),
            {"wait": {"seconds": 8}},
            observe=[{"goldpinger": {"service": service, "interval": 0.2}}],
        ),
    )
    assert code == 0
    assert any(event.get("failed") for event in of(logged, "mesh_sampled"))
    assert [event["name"] for event in of(logged, "measurement_taken")] == []
    [cleared] = of(logged, "fault_cleared")
    assert cleared["proof"] == "its firewall has none of our rules"
    assert are_open(cluster)


def test_from_everything_a_machine_is_silent_for_all(on_cluster, cluster, policy):
    """The sandbox's own way to it is that of a console, so clean-up gets there at once."""
    code, logged = run(on_cluster, policy(of_node("node2", everything={})))
    assert code == 0
    assert [event["name"] for event in of(logged, "measurement_taken")] == ["nodeNotReady", "nodeReady"]
    assert are_open(cluster)


def test_after_sigkill_a_machine_is_let_speak_again_by_its_own_timer(on_cluster, cluster, policy):
    """Nobody is there any more, and the node is Ready again; a recovery later finds nothing left to do."""
    path = policy(of_node("node2", apiServer={}, expires_after=5), {"wait": {"seconds": 3600}})
    killed = on_cluster.start("autonomous", "--policy-file", path, "--log-format", "json")
    next(event for event in events(killed) if event["event"] == "fault_proven")
    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=60)
    asyncio.run(until_ready(cluster, "node2", ready=False))
    asyncio.run(until_ready(cluster, "node2", ready=True))
    recovered = on_cluster.run("recover")
    assert recovered.returncode == 0, recovered.stdout + recovered.stderr
    assert are_open(cluster)


def test_a_recovery_before_its_time_ends_the_partition_and_its_timer(on_cluster, cluster, policy):
    """Another process finishes the clean-up from the journal."""
    path = policy(of_node("node2", apiServer={}), {"wait": {"seconds": 3600}})
    killed = on_cluster.start("autonomous", "--policy-file", path, "--log-format", "json")
    next(event for event in events(killed) if event["event"] == "fault_proven")
    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=60)
    assert not are_open(cluster)
    recovered = on_cluster.run("recover")
    assert recovered.returncode == 0, recovered.stdout + recovered.stderr
    assert are_open(cluster)


def test_a_machines_firewall_is_its_own_and_gone_after_a_reboot(cluster):
    """It takes what partitions are made of and refuses all else; the computer's own is never reached."""
    drop = "printf 'table inet t {\\nchain c {\\nip saddr 127.0.0.9 drop\\n}\\n}\\n' | nft -f - && nft list tables"
    assert on_machines(cluster, drop) == ["table inet t\n"] * 2
    for command, said in {
        "printf 'table inet u {\\nchain c {\\ntcp dport 80 accept\\n}\\n}\\n' | nft -f -": "tcp dport 80 accept",
        "nft flush ruleset": "the sandbox's knows",
        "nft list table inet u": "No such file or directory",
        "iptables -S": "a sandbox's machine has nft instead",
    }.items():
        assert all(said in text for text in on_machines(cluster, f"{command} && echo done")), command
    asyncio.run(reboot_all(cluster))
    assert are_open(cluster)


async def reboot_all(cluster):
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        driver = await find_driver(None, client)
        for each in await driver.list():
            before = await last_renewal(each.name, client)
            await driver.reboot(each.id)
            await wait_until_back(each.name, client, since_renewal=before)


def test_the_plan_says_who_is_cut_off_and_touches_nothing(on_cluster, cluster):
    """With the time after which the machine ends it by itself."""
    done = on_cluster.run("plan", EXAMPLES / "node-partition.yml", "--seed", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "off from the API server by its firewall, until clean-up or for 300 s" in " ".join(done.stdout.split())
    assert are_open(cluster)


def test_policies_that_nothing_enforces_are_no_partition(on_cluster, cluster):
    """A sandbox takes NetworkPolicies as every cluster does; the probe still gets through, and that is the result."""
    code, logged = run(on_cluster, EXAMPLES / "network-partition.yml")
    assert code == 3
    [finished] = of(logged, "step_finished")
    assert finished["verdict"] == "inconclusive"
    assert "does not enforce them, it seems" in finished["reasons"][0]
    assert asyncio.run(left_policies(cluster)) == []


def test_a_plugin_that_enforces_them_is_seen_to_do_so(on_cluster, cluster, policy):
    """From inside: through before, cut meanwhile, through again; the test plays the network plugin, with a file."""
    command = ["sh", "-c", "test ! -e /tmp/cut"]
    sides = {"pods": {"namespace": "default", "selector": "app=notes"}, "from": {"everything": {}}}
    path = policy({"partition": {**sides, "direction": "out", "probes": [{"command": command}]}})
    started = on_cluster.start("autonomous", "--policy-file", path, "--log-format", "json")
    logged = asyncio.run(_play_the_plugin(cluster, started))
    assert started.returncode == 0
    subject = "pods app=notes in default parted from everything (out)"
    assert [event["subject"] for event in of(logged, "fault_proven")] == [subject]
    assert [event["name"] for event in of(logged, "measurement_taken")] == ["timeToPartition"]
    assert [event["subject"] for event in of(logged, "fault_cleared")] == [subject]
    assert asyncio.run(left_policies(cluster)) == []


async def _play_the_plugin(cluster, started):
    """Cut a pod off while there is a policy; answers what the run logged."""

    async def put(client, *words):
        await client.exec("notes-0", namespace="default", command=words)

    async def follow(client):
        async with client.watch(NETWORKPOLICIES, namespace="default") as watch:
            async for event in watch:
                await put(client, *(["rm", "/tmp/cut"] if event.type == "DELETED" else ["touch", "/tmp/cut"]))

    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        following = asyncio.create_task(follow(client))
        logged = await asyncio.to_thread(lambda: list(events(started)))
        await asyncio.to_thread(started.wait, 60)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    return logged


async def left_policies(cluster):
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        return [each["metadata"]["name"] for each in (await client.list(NETWORKPOLICIES)).items]
