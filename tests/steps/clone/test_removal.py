"""The undo of a clone, on an API server without controllers: what it leaves alone, and what it waits for."""

import asyncio

import pytest

from seatrial.actions.created_objects import with_run_label
from seatrial.kube.resources import DEPLOYMENTS, ENDPOINTSLICES, PODS
from seatrial.runtime.events import FaultCleared
from seatrial.steps.clone.copied_deployment import copy_of
from seatrial.steps.clone.removal import DELETE_CLONE, removal_of
from tests.steps.clone.conftest import deployment


@pytest.fixture
def copy():
    """A copy without a fault."""
    labels = {"app": "web"}
    return copy_of(deployment(), run_id="run-1", scenario="s", replicas=1, labels=labels, mutations=(), layout=None)


async def undo(copy, on_cluster):
    # Through the client: where an undo hangs this says so before the test's own time limit.
    return await asyncio.wait_for(DELETE_CLONE.run(removal_of(copy, "run-1").args, on_cluster.context.world), 30)


async def pod_of(copy, control):
    """A pod of the copy, which nobody but the test deletes."""
    body = {
        "metadata": {"name": "web-chaos-1", "labels": copy.pod_labels},
        "spec": {"containers": [{"name": "c", "image": "busybox"}]},
    }
    return await control.cluster.create(PODS, body, namespace="default")


def test_it_says_how_a_person_does_it(copy):
    """The command waits for the pods, as the undo does."""
    undo = removal_of(copy, "run-1")
    assert undo.description == "delete Deployment default/web-chaos"
    assert undo.manual == "kubectl delete deployment web-chaos -n default --cascade=foreground"


async def test_a_copy_that_was_never_made(on_cluster, copy):
    """Is nothing to be undone, and nothing that was cleared."""
    assert await undo(copy, on_cluster) == ""
    assert not [each for each in await on_cluster.events() if isinstance(each, FaultCleared)]


async def test_a_deployment_of_somebody_else_is_left_alone(control, on_cluster, copy):
    """Of that name, without the label of the run."""
    other = deployment("web-chaos")
    await control.cluster.create(DEPLOYMENTS, with_run_label(other, "run-9", namespace="default"))
    assert await undo(copy, on_cluster) == "somebody else's by now"
    assert await control.cluster.get(DEPLOYMENTS, "web-chaos", namespace="default")


async def test_it_waits_for_pods_and_endpoints(control, on_cluster, copy):
    """Also for pods that stay when the Deployment is gone already, and for Services that still lead to them."""
    pod = await pod_of(copy, control)
    target = {"kind": "Pod", "name": "web-chaos-1", "namespace": "default", "uid": pod["metadata"]["uid"]}
    slice_ = {
        "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"], "targetRef": target}],
        "ports": [],
    }
    await control.cluster.create(ENDPOINTSLICES, slice_, namespace="default")
    undoing = asyncio.create_task(undo(copy, on_cluster))
    for resource, name in ((PODS, "web-chaos-1"), (ENDPOINTSLICES, "web-1")):
        done, _ = await asyncio.wait({undoing}, timeout=1)
        assert not done, name
        await control.cluster.delete(resource, name, namespace="default", grace_period_seconds=0)
    assert await undoing == ""
