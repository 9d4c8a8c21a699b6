import asyncio

import pytest
from msgspec.structs import replace

from seatrial.kube.resources import DEPLOYMENTS, ENDPOINTSLICES, PODS, SERVICES
from seatrial.runtime.clock import SystemClock
from seatrial.runtime.events import MeasurementMissed, MeasurementTaken
from seatrial.runtime.journal import RunEntry
from seatrial.steps.kubectl import Kubectl, run

POD = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: c, image: nginx}]}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: nginx}]}
"""
NEVER_READY = """
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
---
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {type: ExternalName, externalName: example.com}
---
apiVersion: v1
kind: Service
metadata: {name: by-hand}
spec: {ports: [{port: 80}]}
"""


class Applying:
    """A scenario that applies things, in real time; nothing in this cluster gets ready by itself."""

    def __init__(self, control, recorder):
        self.cluster = control.cluster
        self.context = replace(recorder.context, clock=SystemClock())
        self._recorder = recorder

    async def apply(self, *payload, **options):
        spec = Kubectl.model_validate({"action": "apply", "payload": "---".join(payload), **options})
        assert (await run(spec, self.context)).passed

    async def set_status(self, resource, name, status):
        await self.cluster.patch(resource, name, {"status": status}, namespace="default", subresource="status")

    async def set_ready(self, name="web"):
        await self.set_status(PODS, name, {"conditions": [{"type": "Ready", "status": "True"}]})

    async def give_endpoint(self, *, owner, ready=True, name="web-1"):
        """As the controller of slices does."""
        reference = {"apiVersion": "v1", "kind": "Service", "name": "web", "uid": owner, "controller": True}
        labels = {"kubernetes.io/service-name": "web"}
        body = {
            "metadata": {"name": name, "labels": labels, "ownerReferences": [reference]},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}],
        }
        await self.cluster.create(ENDPOINTSLICES, body, namespace="default")

    async def uid(self, resource, name="web"):
        return (await self.cluster.get(resource, name, namespace="default"))["metadata"]["uid"]

    async def measured(self, *, ended=True):
        """What was measured by the end of the scenario."""
        if ended:
            assert (await self.context.scope.last_look()).passed
        events = await self._recorder.events()
        return {each.of: each for each in events if isinstance(each, MeasurementTaken) and each.name == "timeToReady"}


@pytest.fixture
async def applying(control, on_cluster):
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    return Applying(control, on_cluster)


async def test_a_pod_is_measured_from_its_request_until_it_is_ready(applying):
    """The step doesn't wait for that; the time is that of the change, as it arrived."""
    loop = asyncio.get_running_loop()
    before = loop.time()
    await applying.apply(POD)
    applied = loop.time()
    await asyncio.sleep(0.1)
    ready = loop.time()
    await applying.set_ready()
    taken = (await applying.measured())["Pod default/web"]
    assert not taken.is_lower_bound
    assert ready - applied <= taken.seconds <= loop.time() - before


async def test_a_workload_is_ready_with_all_its_replicas(applying):
    """As `kubectl rollout status` has it; half of them, or those of an older generation, don't do."""
    await applying.apply(DEPLOYMENT)
    status = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2}
    await applying.set_status(DEPLOYMENTS, "web", {**status, "readyReplicas": 1, "availableReplicas": 1})
    await asyncio.sleep(0.1)
    await applying.set_status(DEPLOYMENTS, "web", {**status, "readyReplicas": 2, "availableReplicas": 2})
    taken = (await applying.measured())["Deployment default/web"]
    assert not taken.is_lower_bound
    assert taken.seconds >= 0.1


async def test_a_service_is_ready_with_its_first_ready_endpoint(applying):
    """One that is not ready doesn't count, nor one of an earlier Service of that name."""
    await applying.give_endpoint(owner="an-earlier-one", name="old")
    await applying.apply(SERVICE)
    owner = await applying.uid(SERVICES)
    await applying.give_endpoint(owner=owner, ready=False)
    await asyncio.sleep(0.1)
    await applying.give_endpoint(owner=owner, name="web-2")
    taken = (await applying.measured())["Service default/web"]
    assert not taken.is_lower_bound
    assert taken.seconds >= 0.1


async def test_what_is_not_ready_at_the_end_takes_longer(applying):
    """A lower bound, of each; nobody waits for it."""
    await applying.apply(POD, SERVICE, DEPLOYMENT)
    await asyncio.sleep(0.1)
    found = await applying.measured()
    assert set(found) == {"Pod default/web", "Service default/web", "Deployment default/web"}
    assert all(each.is_lower_bound and each.seconds >= 0.1 for each in found.values())


async def test_what_is_deleted_before_it_is_ready_takes_longer_than_until_then(applying):
    """The scenario goes on; the pod can't get ready any more."""
    await applying.apply(POD, POD.replace("web", "other"))
    await applying.cluster.delete(PODS, "web", namespace="default")
    await asyncio.sleep(0.5)
    found = await applying.measured()
    deleted, left = found["Pod default/web"], found["Pod default/other"]
    assert deleted.is_lower_bound
    assert left.is_lower_bound
    assert left.seconds - deleted.seconds > 0.2


async def test_a_stopped_scenario_tells_what_it_knows(applying):
    """Nothing is left out of a series because somebody pressed Ctrl-C."""
    await applying.apply(POD)
    await applying.context.scope.close()
    taken = (await applying.measured(ended=False))["Pod default/web"]
    assert taken.is_lower_bound


async def test_what_was_there_before_is_not_measured(applying):
    """It was not created: a change of it says nothing of new ones."""
    body = {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    await applying.cluster.create(PODS, body, namespace="default")
    await applying.apply(POD)
    assert await applying.measured() == {}


async def test_what_never_gets_ready_is_not_watched(applying):
    """Other kinds, and Services whose endpoints no controller makes."""
    await applying.apply(NEVER_READY)
    assert await applying.measured() == {}


async def test_objects_that_are_to_stay_are_measured_too(applying):
    """They carry no label of the run, and are watched by their names."""
    await applying.apply(POD, autoDelete=False)
    await applying.set_ready()
    assert not (await applying.measured())["Pod default/web"].is_lower_bound


async def test_a_payload_of_hundreds_needs_few_watches(applying, control):
    """One for each kind and namespace."""
    pods = [POD.replace("web", f"web-{number}") for number in range(150)]
    await applying.apply(*pods)
    await applying.set_ready("web-7")
    watches = [each for each in asyncio.all_tasks() if "watch" in each.get_name().lower()]
    assert len(watches) <= 3
    found = await applying.measured()
    assert len(found) == 150
    assert [name for name, each in found.items() if not each.is_lower_bound] == ["Pod default/web-7"]


async def test_who_may_not_watch_is_told_so_once_and_applies_all_the_same(applying, control):
    """Nothing is known of them then, and nothing is measured."""
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "create", "patch"]}]
    await control.server.api.create(
        "roles.rbac.authorization.k8s.io", {"metadata": {"name": "r"}, "rules": rules}, "default"
    )
    binding = {
        "metadata": {"name": "r"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "joe"}],
    }
    await control.server.api.create("rolebindings.rbac.authorization.k8s.io", binding, "default")
    async with await control.connect_as("joe") as cluster:
        applying.context = replace(applying.context, cluster=cluster)
        await applying.apply(POD, POD.replace("web", "other"))
        await applying.context.scope.last_look()
    assert await control.pod_names() == ["other", "web"]
    assert await applying.measured(ended=False) == {}
    missed = [each for each in await applying._recorder.events() if isinstance(each, MeasurementMissed)]
    [told] = [each for each in missed if each.name == "timeToReady"]
    assert told.of == "2 Pods in default"
    assert "forbidden" in told.reason
