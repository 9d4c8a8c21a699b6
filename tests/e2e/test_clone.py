"""The examples that clone, as they are run; among them experiment 2, a slow network."""

import json

import pytest

from seatrial.kube.client import connect
from seatrial.kube.resources import DEPLOYMENTS, PODS, SERVICES
from tests.e2e.conftest import EXAMPLES, events
from tests.programs import Process

LOADED = ("--load", EXAMPLES / "manifests" / "goldpinger.yml", "--log-format", "json")


@pytest.fixture
def shortened(tmp_path):
    """An example with a shorter wait."""

    def of(name, *, seconds, instead_of):
        text = (EXAMPLES / name).read_text()
        assert f"seconds: {instead_of}\n" in text
        path = tmp_path / name
        path.write_text(text.replace(f"seconds: {instead_of}\n", f"seconds: {seconds}\n"))
        return path

    return of


async def whole_graph(cluster, instances):
    """What the heatmap draws: how many milliseconds each instance takes to answer each, once all know all."""
    while True:
        answer = await cluster.request("GET", "/api/v1/namespaces/default/services/goldpinger:8080/proxy/check_all")
        responses = json.loads(answer.body)["responses"] if answer.status == 200 else {}
        seen = {name: instance.get("response", {}).get("podResults", {}) for name, instance in responses.items()}
        if len(seen) == instances and all(len(peers) == instances for peers in seen.values()):
            return {
                (caller, callee): each["response-time-ms"]
                for caller, peers in seen.items()
                for callee, each in peers.items()
            }


async def quickest(cluster, instances):
    """The least of some looks: what a busy machine adds now and then is no latency of the network."""
    looks = [await whole_graph(cluster, instances) for _ in range(3)]
    return {pair: min(look[pair] for look in looks) for pair in looks[0]}


def is_copy(name):
    return name.startswith("goldpinger-chaos-")


def finished(process: Process) -> int:
    process.communicate(timeout=90)
    return process.returncode


async def assert_nothing_is_left(cluster):
    left = await cluster.list(DEPLOYMENTS, label_selector="chaos=true", metadata_only=True)
    assert left.items == []
    assert (await cluster.list(PODS, label_selector="chaos=true", metadata_only=True)).items == []


async def test_two_copies_answer_late(cluster, on_cluster, shortened):
    """To others, and not to themselves; they are gone when the scenario ends."""
    policy = shortened("clone-latency.yml", seconds=12, instead_of=120)
    process = on_cluster.start("autonomous", *LOADED, "--policy-file", policy)
    graph = {}
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        for event in events(process):
            if event["event"] == "step_finished" and event["index"] == 0:
                assert event["verdict"] == "passed", event
                graph = await quickest(client, 5)
        assert finished(process) == 0
        await assert_nothing_is_left(client)
    assert len({callee for _, callee in graph if is_copy(callee)}) == 2
    late = {pair for pair, milliseconds in graph.items() if milliseconds >= 250}
    assert late == {(caller, callee) for caller, callee in graph if is_copy(callee) and callee != caller}


async def test_tc_makes_a_copy_late(cluster, on_cluster, shortened):
    """What others ask of it takes as long as tc says."""
    policy = shortened("clone-tc.yml", seconds=10, instead_of=60)
    process = on_cluster.start("autonomous", *LOADED, "--policy-file", policy)
    graph, proof = {}, ""
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        for event in events(process):
            if event["event"] == "step_finished" and event["index"] == 0:
                assert event["verdict"] == "passed", event
                graph = await quickest(client, 4)
            if event["event"] == "fault_proven":
                proof = event["proof"]
        assert finished(process) == 0
        await assert_nothing_is_left(client)
    asked = {pair: milliseconds for pair, milliseconds in graph.items() if is_copy(pair[1]) and pair[0] != pair[1]}
    assert len(asked) == 3
    assert min(asked.values()) >= 100
    assert proof.startswith("'tc qdisc add dev eth0 root netem delay 100ms' ended well; GET :8080/healthz: ")


async def test_a_setting_is_tried_on_a_copy(cluster, on_cluster):
    """The Service leads to it alone, and is as it was afterwards."""
    done = on_cluster.run("autonomous", *LOADED, "--policy-file", EXAMPLES / "clone-environment.yml")
    assert done.returncode == 0, done.stderr
    proven = [event for line in done.stderr.splitlines() if (event := json.loads(line))["event"] == "fault_proven"]
    pod, service = proven
    assert pod["proof"] == "it runs with REFRESH_INTERVAL set in every container"
    assert service["subject"] == "Service default/goldpinger"
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        await assert_nothing_is_left(client)
        services = await client.list(SERVICES, namespace="default")
    assert [each for each in services.items if "chaos" in (each["spec"].get("selector") or {})] == []
