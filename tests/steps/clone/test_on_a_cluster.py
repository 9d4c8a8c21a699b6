"""Clones on a whole cluster: pods with sidecars, Services, quotas, kubelets that pull images and probe."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from seatrial.engine.unwind import unwind
from seatrial.errors import ClusterError
from seatrial.kube.client import Client, connect
from seatrial.kube.errors import Forbidden
from seatrial.kube.objects import Deployment, Pod
from seatrial.kube.resources import DEPLOYMENTS, NAMESPACES, PODS, ROLEBINDINGS, ROLES, SERVICES
from seatrial.runtime.clock import SystemClock
from seatrial.runtime.context import Context
from seatrial.runtime.events import EventStream, FaultCleared, FaultProven, Record
from seatrial.runtime.journal import Journal, RunEntry
from seatrial.runtime.randomness import Randomness
from seatrial.runtime.run_journal import RunJournal
from seatrial.runtime.verdict import Outcome
from seatrial.steps.clone.model import Clone
from seatrial.steps.clone.removal import DELETE_CLONE
from seatrial.steps.clone.step import STEP
from seatrial.steps.clone.toxiproxy.api import sidecar_api
from seatrial.testing import sandbox_cluster
from tests.steps.clone.conftest import latency

OLD, NEW = "docker.io/shopify/toxiproxy:2.1.4", "ghcr.io/shopify/toxiproxy:2.12.0"


class HurriedClock(SystemClock):
    """Time in which half a minute of patience is over in two seconds."""

    factor = 15

    def monotonic(self) -> float:
        return super().monotonic() * self.factor

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / self.factor)


@pytest.fixture(scope="module")
def kubeconfig():
    """A cluster of two nodes that a module's tests share, each in a namespace of its own."""
    with asyncio.Runner() as runner:
        block = sandbox_cluster(nodes=2)
        sandbox = runner.run(block.__aenter__())
        yield sandbox.kubeconfig
        runner.run(block.__aexit__(None, None, None))


@dataclass
class Experiment:
    """A run that clones in a namespace of its own."""

    namespace: str
    cluster: Client
    context: Context
    records: list[Record] = field(default_factory=list)

    async def deploy(self, **spec: Any) -> None:
        """A Deployment `web` of one pod that answers on 8080, and its Service; `spec` replaces fields of the pod's."""
        labels = {"app": "web"}
        container = {
            "name": "app",
            "image": "hashicorp/http-echo",
            "args": ["-listen=:8080", "-text=hello"],
            "ports": [{"name": "http", "containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1},
        }
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container], **spec}}
        selector = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}
        body = {"metadata": {"name": "web"}, "spec": {"replicas": 1, "selector": selector, "template": template}}
        await self.cluster.create(DEPLOYMENTS, body, namespace=self.namespace)
        service = {
            "metadata": {"name": "web"},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": "http"}]},
        }
        await self.cluster.create(SERVICES, service, namespace=self.namespace)
        async with self.cluster.watch(DEPLOYMENTS, namespace=self.namespace, type=Deployment) as watch:
            async for event in watch:
                if event.object.status.ready_replicas:
                    return

    async def run(self, **fields: Any) -> Outcome:
        source = {"deployment": {"name": "web", "namespace": self.namespace}}
        return await STEP.run(Clone.model_validate({"source": source, **fields}), self.context)

    async def clean_up(self) -> None:
        """As the engine does at a scenario's end."""
        await self.context.scope.close()
        await unwind(self.context.journal.newer_than(0), self.context, hurry=asyncio.Event())

    async def pods(self, selector: str = "chaos=true") -> list[Pod]:
        listed = await self.cluster.list(PODS, namespace=self.namespace, label_selector=selector, type=Pod)
        return listed.items

    async def toxics(self, pod: Pod) -> dict[str, dict[str, int]]:
        async with sidecar_api(self.cluster, namespace=self.namespace, pod=pod.metadata.name, port=8474) as api:
            proxies = await api.proxies()
        return {
            f"{name}/{each.name}": each.attributes for name, proxy in proxies.items() for each in proxy.toxics or ()
        }

    async def seconds_to_answer(self, path: str) -> float:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        answer = await self.cluster.request("GET", f"/api/v1/namespaces/{self.namespace}/{path}/proxy/")
        assert answer.status == 200, answer.body
        return loop.time() - begun

    async def events(self, kind: type) -> list[Any]:
        await self.context.events.close()
        return [record.event for record in self.records if isinstance(record.event, kind)]


@pytest.fixture
async def experiment(kubeconfig, request):
    """A namespace, and a run that works in it; nothing of its copy is left when it ends."""
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(await connect(kubeconfig=kubeconfig))
        made = await cluster.create(NAMESPACES, {"metadata": {"generateName": "clone-"}})
        clock, journal, records = HurriedClock(), Journal.in_memory(), list[Record]()
        events = EventStream(clock)
        events.subscribe(records.append)
        run_id = made["metadata"]["name"]
        context = Context(
            run_id=run_id,
            cluster=cluster,
            journal=RunJournal(journal, run_id),
            events=events,
            randomness=Randomness(7),
            clock=clock,
        )
        await journal.begin(RunEntry(id=run_id, policy="p", seed="7", server="s"))
        experiment = Experiment(run_id, cluster, context, records)
        yield experiment
        await experiment.clean_up()
        left = await cluster.list(DEPLOYMENTS, namespace=run_id, label_selector="chaos=true", metadata_only=True)
        assert [each.metadata.name for each in left.items] == []
        assert await experiment.pods() == []
        assert context.journal.failures == []
        await events.close()
        await journal.close()
        await cluster.delete(NAMESPACES, run_id)


def slow(*toxics, image=OLD, **fields):
    return {
        "mutations": [{"toxiproxy": {"toxics": list(toxics) or [latency("http")], "imageToxiproxy": image}}],
        **fields,
    }


@asynccontextmanager
async def until(seconds=60):
    """A generous limit for what has to come."""
    async with asyncio.timeout(seconds):
        yield


# With the fault in place


@pytest.mark.parametrize("image", [OLD, NEW], ids=["an image with a shell", "an image from scratch"])
async def test_the_copy_is_ready_with_its_toxics_when_the_step_ends(experiment, image):
    """Read back from each pod, seen from outside, and the original is as quick as before; gone after clean-up."""
    await experiment.deploy()
    outcome = await experiment.run(**slow(image=image, replicas=2))
    assert outcome.passed, outcome.reasons
    pods = await experiment.pods()
    assert [pod.is_ready for pod in pods] == [True, True]
    for pod in pods:
        assert await experiment.toxics(pod) == {"auto8080/latency_downstream": {"latency": 250, "jitter": 0}}
        assert await experiment.seconds_to_answer(f"pods/{pod.metadata.name}:8080") >= 0.25
    [original] = await experiment.pods("app=web,chaos!=true")
    assert original.is_ready
    await experiment.clean_up()
    proven, cleared = await experiment.events(FaultProven), await experiment.events(FaultCleared)
    assert {each.subject for each in proven} == {f"pod {experiment.namespace}/{pod.metadata.name}" for pod in pods}
    assert all("latency=250" in each.proof and "ms before" in each.proof for each in proven)
    [gone] = cleared
    assert gone.proof == "it is gone, its 2 pods are gone, and no Service leads to them"


async def test_a_pod_that_is_replaced_is_configured_before_it_is_ready(experiment):
    """A pod without the fault would count as a quick one."""
    await experiment.deploy()
    assert (await experiment.run(**slow())).passed
    [first] = await experiment.pods()
    watching = experiment.cluster.watch(PODS, namespace=experiment.namespace, label_selector="chaos=true", type=Pod)
    async with until(), watching as watch:
        await experiment.cluster.delete(
            PODS, first.metadata.name, namespace=experiment.namespace, grace_period_seconds=0
        )
        async for event in watch:
            if event.object.metadata.uid != first.metadata.uid and event.object.is_ready:
                break
    assert await experiment.toxics(event.object)


async def test_a_sidecar_that_starts_again_is_configured_again(experiment):
    """It forgets everything when it ends; its pod isn't Ready until it knows it again."""
    await experiment.deploy()
    assert (await experiment.run(**slow())).passed
    [pod] = await experiment.pods()
    watching = experiment.cluster.watch(PODS, namespace=experiment.namespace, label_selector="chaos=true", type=Pod)
    async with until(), watching as watch:
        await experiment.cluster.exec(
            pod.metadata.name,
            namespace=experiment.namespace,
            container="chaos-toxiproxy",
            command=["/bin/sh", "-c", "kill 1"],
        )
        async for event in watch:
            restarts = {each.name: each.restart_count for each in event.object.status.container_statuses}
            if restarts.get("chaos-toxiproxy") and event.object.is_ready:
                break
    assert await experiment.toxics(event.object)


async def test_a_toxic_that_lets_nothing_through(experiment):
    """Its pods would never get ready with it: it comes when they are, and takes them out of the Service."""
    await experiment.deploy()
    timeout = {"targetProxy": "8080", "toxicType": "timeout", "toxicAttributes": [{"name": "timeout", "value": 0}]}
    outcome = await experiment.run(**slow(timeout))
    assert outcome.passed, outcome.reasons
    [pod] = await experiment.pods()
    assert await experiment.toxics(pod) == {"auto8080/timeout_downstream": {"timeout": 0}}


async def test_a_copy_without_a_fault_in_its_network(experiment):
    """Ready is enough; a Deployment without ports and with several containers is copied like any other."""
    sleeper = {"image": "busybox", "command": ["sleep", "1000"]}
    await experiment.deploy(
        containers=[{"name": "a", **sleeper}, {"name": "b", **sleeper}], terminationGracePeriodSeconds=1
    )
    outcome = await experiment.run(mutations=[{"environment": {"name": "MODE", "value": "slow"}}])
    assert outcome.passed, outcome.reasons
    [pod] = await experiment.pods()
    for name in ("a", "b"):
        printed = await experiment.cluster.exec(
            pod.metadata.name, namespace=experiment.namespace, container=name, command=["env"]
        )
        assert b"MODE=slow" in printed.stdout


async def test_a_service_leads_to_the_copy_only_and_back(experiment):
    """While the scenario runs; its selector is as before afterwards."""
    await experiment.deploy()
    service = {"service": {"name": "web", "namespace": experiment.namespace}}
    assert (await experiment.run(**slow(servicesToRetarget=[service]))).passed
    for _ in range(5):
        assert await experiment.seconds_to_answer("services/web:80") >= 0.25
    await experiment.clean_up()
    found = await experiment.cluster.get(SERVICES, "web", namespace=experiment.namespace)
    assert found["spec"]["selector"] == {"app": "web"}
    assert "labels" not in found["metadata"]
    subjects = [each.subject for each in await experiment.events(FaultProven)]
    assert f"Service {experiment.namespace}/web" in subjects


# Where it can't be put in place


async def said(experiment, **fields):
    """Why the copy did not get ready."""
    async with until():
        with pytest.raises(ClusterError) as caught:
            await experiment.run(**fields)
    return caught.value.message


async def test_an_image_that_can_not_be_pulled(experiment):
    """Given up long before the Deployment's deadline, with what the kubelet says."""
    await experiment.deploy()
    message = await said(experiment, **slow(image="nobody/toxiproxy:1"))
    assert "the copy" in message
    assert "container chaos-toxiproxy: " in message
    assert "ImagePull" in message


async def test_a_quota_that_refuses_the_pods(experiment):
    """With what the ReplicaSet's condition says."""
    await experiment.deploy()
    quotas = await experiment.cluster.discover("resourcequotas")
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}}
    await experiment.cluster.create(quotas, quota, namespace=experiment.namespace)
    assert "exceeded quota: few" in await said(experiment, **slow())


async def test_a_command_that_fails_in_an_init_container(experiment):
    """With its exit code and its last words."""
    await experiment.deploy()
    tc = {"command": ["sh", "-c", "echo no such device >&2; exit 2"], "image": "busybox"}
    message = await said(experiment, mutations=[{"tc": tc}])
    assert "container chaos-tc: " in message
    assert "exit code 2: no such device" in message


async def test_what_toxiproxy_refuses(experiment):
    """At once, in its words."""
    await experiment.deploy()
    message = await said(experiment, **slow({"targetProxy": "8080", "toxicType": "gremlin"}))
    assert "invalid toxic type" in message
    assert (await experiment.context.scope.last_look()).reasons == (message,)


async def test_a_missing_permission(experiment, kubeconfig):
    """At once, with the permission: whoever may not forward ports can't configure sidecars."""
    await experiment.deploy()
    rules = [
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["*"]},
    ]
    create, where = experiment.cluster.create, experiment.namespace
    await create(ROLES, {"metadata": {"name": "poor"}, "rules": rules}, namespace=where)
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": where}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "poor"}
    binding = {"metadata": {"name": "poor"}, "roleRef": reference, "subjects": [subject]}
    await create(ROLEBINDINGS, binding, namespace=where)
    async with await connect(kubeconfig=kubeconfig) as poor:
        poor._transport._base_headers["Impersonate-User"] = f"system:serviceaccount:{where}:default"
        experiment.context = replace(experiment.context, cluster=poor)
        async with until():
            with pytest.raises(Forbidden, match="pods/portforward"):
                await experiment.run(**slow())
        experiment.context = replace(experiment.context, cluster=experiment.cluster)
        await experiment.context.scope.close()


# Undo


async def test_the_undo_is_safe_to_repeat(experiment):
    """Its second time finds nothing, and says nothing."""
    await experiment.deploy()
    assert (await experiment.run(**slow())).passed
    [written] = experiment.context.journal.newer_than(0)
    for _ in range(2):
        assert await DELETE_CLONE.run(written.undo.args, experiment.context.world) == ""
    assert len(await experiment.events(FaultCleared)) == 1
