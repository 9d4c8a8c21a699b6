"""The examples about pods, as their users run them, one after the other on one cluster."""

import asyncio
import json

import pytest

from seatrial.kube.client import connect
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.testing import sandbox_cluster
from tests.e2e.conftest import EXAMPLES

LOADED = (EXAMPLES / "manifests" / "goldpinger.yml", EXAMPLES / "manifests" / "notes.yml")


@pytest.fixture(scope="module")
def runner():
    """A loop for what the tests ask the cluster by themselves."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="module")
def cluster(runner):
    """A sandbox with goldpinger and the notes, which every test leaves as it found it."""
    block = sandbox_cluster(nodes=2, load=LOADED)
    yield runner.run(block.__aenter__())
    runner.run(block.__aexit__(None, None, None))


async def _until_all_is_there(kubeconfig):
    async with (
        await connect(kubeconfig=kubeconfig) as client,
        asyncio.timeout(60),
        client.watch(PODS, namespace="default", type=Pod) as watch,
    ):
        pods = {pod.metadata.uid: pod for pod in watch.snapshot}
        while len(pods) != 4 or not all(pod.is_ready for pod in pods.values()):
            event = await anext(watch)
            pods[event.object.metadata.uid] = event.object
            if event.type == "DELETED":
                del pods[event.object.metadata.uid]


@pytest.fixture
def all_is_there(cluster, runner):
    """Waits until the cluster is as the tests find it: three instances of goldpinger, and the notes."""

    def wait():
        runner.run(_until_all_is_there(cluster.kubeconfig))

    wait()
    return wait


@pytest.fixture
def run(on_cluster, all_is_there):
    """Runs an example; answers its exit code, its summary, and what it logged."""

    def of(name):
        said = ("--output", "json", "--log-format", "json")
        done = on_cluster.run("autonomous", "--policy-file", EXAMPLES / name, *said)
        return done.returncode, json.loads(done.stdout), [json.loads(line) for line in done.stderr.splitlines()]

    return of


def named(logged, event):
    return [each for each in logged if each["event"] == event]


def test_a_pod_is_evicted_and_replaced(run):
    """The eviction is granted; its end, that its Service let go of it, and its replacement are seen."""
    code, result, logged = run("evict.yml")
    assert (code, result["verdict"]) == (0, "passed"), result
    [evicted] = named(logged, "pod_evicted")
    proofs = [each["proof"] for each in named(logged, "fault_proven") if evicted["pod"] in each["subject"]]
    assert sum(proof.endswith("is gone") for proof in proofs) == 1
    assert sum("left the ready endpoints of Service default/goldpinger after " in proof for proof in proofs) == 1
    assert len(named(logged, "pod_recovered")) == 1


def test_a_container_ends_and_is_restarted_in_its_place(run):
    """From an ephemeral container, in an image without a shell; the restart is measured."""
    code, result, logged = run("kill-container.yml")
    assert (code, result["verdict"]) == (0, "passed"), result
    [restart] = named(logged, "container_restarted")
    assert 0 < restart["ended_ms"] < restart["ready_ms"]


def test_a_command_does_harm_and_another_takes_it_back(run, all_is_there):
    """What was moved away is there again after the run: the pod is Ready only with it."""
    code, result, logged = run("exec.yml")
    assert (code, result["verdict"]) == (0, "passed"), result
    assert [each["exit_code"] for each in named(logged, "pod_command_executed")] == [0, 1]
    assert len(named(logged, "undo_done")) == 1
    all_is_there()


def test_a_deployment_is_scaled_up_and_back(run, all_is_there):
    """Two more are Ready in time, which is measured; at the end there are three again."""
    code, result, logged = run("scale.yml")
    assert (code, result["verdict"]) == (0, "passed"), result
    [measured] = named(logged, "measurement_taken")
    assert (measured["name"], measured["of"]) == ("timeToScale", "Deployment default/goldpinger")
    [cleared] = named(logged, "fault_cleared")
    assert cleared["proof"].startswith("3 Ready replicas of 3 again, ")
    all_is_there()


def test_guardrails_refuse_what_is_too_much(run, on_cluster):
    """One pod is killed, three are not: the second scenario is inconclusive with every limit that it would break."""
    plan = on_cluster.run("plan", EXAMPLES / "guardrails.yml", "--output", "json")
    assert plan.returncode == 3
    one, all_of_them = (scenario["steps"][0] for scenario in json.loads(plan.stdout)["scenarios"])
    assert one["refused"] == []
    assert [reason.partition(":")[0] for reason in all_of_them["refused"]] == ["maxPods", "minLeft"]
    code, result, logged = run("guardrails.yml")
    assert (code, result["verdict"], result["pods"]["killed"]) == (3, "inconclusive", 1)
    assert {each["guardrail"] for each in named(logged, "guardrail_held")} >= {"maxPods"}
