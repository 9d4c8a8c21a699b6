"""Label mode on a cluster with nodes and controllers: killed pods are replaced, and what owners say holds."""

import asyncio
import json

import pytest

from seatrial.kube.client import connect
from seatrial.kube.objects import Deployment, Pod
from seatrial.kube.resources import DEPLOYMENTS, PODS
from seatrial.testing import sandbox_cluster
from tests.e2e.conftest import EXAMPLES

ALWAYS = {
    "seal/enabled": "true",
    "seal/days": "mon,tue,wed,thu,fri,sat,sun",
    "seal/start-time": "00-00-00",
    "seal/end-time": "23-59-59",
}


@pytest.fixture(scope="module")
def cluster():
    """A sandbox on which goldpinger runs already."""
    with asyncio.Runner() as runner:
        block = sandbox_cluster(nodes=2, load=[EXAMPLES / "manifests" / "goldpinger.yml"])
        sandbox = runner.run(block.__aenter__())
        runner.run(_all_ready(sandbox.kubeconfig))
        yield sandbox
        runner.run(block.__aexit__(None, None, None))


async def _all_ready(kubeconfig):
    async with await connect(kubeconfig=kubeconfig) as client:
        watching = client.watch(DEPLOYMENTS, namespace="default", type=Deployment)
        async with asyncio.timeout(100), watching as watch:
            if any(each.status.ready_replicas >= 3 for each in watch.snapshot):
                return
            async for event in watch:
                if event.object.status.ready_replicas >= 3:
                    return


async def annotate(kubeconfig, resource, choose, **said):
    """Annotates the first object that `choose` takes."""
    async with await connect(kubeconfig=kubeconfig) as client:
        listed = await client.list(resource, namespace="default", type=Pod if resource is PODS else Deployment)
        [first, *_] = filter(choose, listed.items)
        body = {"metadata": {"annotations": said}}
        await client.patch(resource, first.metadata.name, body, namespace="default")
        return first.metadata.name


async def test_one_pod_is_killed_and_replaced_in_a_policy(cluster, on_cluster):
    """The example: the pod whose owners allow it is gone, its replacement measured, the service answers."""
    willing = await annotate(cluster.kubeconfig, PODS, lambda pod: pod.is_ready, **ALWAYS)
    arguments = ("--policy-file", EXAMPLES / "label-mode.yml", "--output", "json")
    done = await asyncio.to_thread(on_cluster.run, "autonomous", *arguments)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["pods"]["victims"] == [f"default/{willing}"]
    assert result["recovery"]["recovered"] == 1
    assert result["probes"]["ok"] == 1


async def test_an_annotation_of_the_deployment_stops_it_at_once(cluster, on_cluster):
    """The pod still asks for it; its Deployment says no, so it lives on and that is why."""
    willing = await annotate(cluster.kubeconfig, PODS, lambda pod: pod.is_ready, **ALWAYS)
    await annotate(cluster.kubeconfig, DEPLOYMENTS, lambda _: True, **{"seal/enabled": "false"})
    done = await asyncio.to_thread(on_cluster.run, "label", "--runs", "1", "--log-format", "json", "--output", "json")
    assert done.returncode == 3, done.stderr
    spared = [line for line in map(json.loads, done.stderr.splitlines()) if line["event"] == "pod_spared"]
    assert [(each["pod"], each["reason"]) for each in spared] == [
        (f"default/{willing}", "its Deployment goldpinger says seal/enabled=false")
    ]


async def test_an_annotation_that_was_removed_stops_nothing(cluster, on_cluster):
    """Though the ReplicaSet keeps the copy that the Deployment's controller made of it."""
    willing = await annotate(cluster.kubeconfig, PODS, lambda pod: pod.is_ready, **ALWAYS)
    await annotate(cluster.kubeconfig, DEPLOYMENTS, lambda _: True, **{"seal/enabled": None})
    done = await asyncio.to_thread(on_cluster.run, "label", "--runs", "1", "--dry-run", "--output", "json")
    [scenario] = json.loads(done.stdout)["scenarios"]
    assert [each["name"] for each in scenario["steps"][0]["victims"]] == [willing]
