"""A whole cluster with pods that wait, for actions that need kubelets and containers."""

import asyncio
import uuid

import pytest

from seatrial.engine.unwind import unwind
from seatrial.kube.client import connect
from seatrial.kube.objects import Pod
from seatrial.kube.resources import DEPLOYMENTS, NAMESPACES, PODS
from seatrial.runtime.journal import RunEntry
from seatrial.testing import sandbox_cluster
from tests.conftest import Recorder

# A shell has handlers for the signals that it traps, and only for these.
HANDLES_TERM = "trap 'exit 3' TERM; touch /tmp/up; while true; do sleep 0.05; done"


@pytest.fixture(scope="package")
def sandbox():
    """A sandbox of two nodes."""
    with asyncio.Runner() as runner:
        block = sandbox_cluster(nodes=2)
        sandbox = runner.run(block.__aenter__())
        yield sandbox
        runner.run(block.__aexit__(None, None, None))


class Whole(Recorder):
    """A context on a whole cluster, and a namespace of its own."""

    def __init__(self, cluster, namespace):
        super().__init__(cluster)
        self.cluster = cluster
        self.namespace = namespace

    async def deploy(self, name, *, replicas=1, command=HANDLES_TERM, pod=None, container=None):
        """A Deployment whose pods are Ready when this returns; answers the pods."""
        labels = {"app": name}
        main = {
            "name": "main", "image": "busybox:1.36", "command": ["sh", "-c", command],
            "readinessProbe": {"exec": {"command": ["ls", "/tmp/up"]}, "periodSeconds": 1},
            **(container or {}),
        }  # fmt: skip
        template = {
            "metadata": {"labels": labels},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [main], **(pod or {})},
        }
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        body = {"metadata": {"name": name, "namespace": self.namespace}, "spec": spec}
        await self.cluster.create(DEPLOYMENTS, body)
        return await self.until_ready(name, replicas)

    async def pods(self, name):
        selector = f"app={name}"
        listed = await self.cluster.list(PODS, namespace=self.namespace, label_selector=selector, type=Pod)
        return tuple(pod for pod in listed.items if not pod.is_terminating)

    async def until_ready(self, name, count):
        """Wait until so many pods are Ready; answers them."""
        selector = f"app={name}"
        async with (
            asyncio.timeout(60),
            self.cluster.watch(PODS, namespace=self.namespace, label_selector=selector, type=Pod) as watch,
        ):
            known = {pod.metadata.uid: pod for pod in watch.snapshot}
            while sum(pod.is_ready for pod in known.values()) != count:
                event = await anext(watch)
                known.pop(event.object.metadata.uid, None)
                if event.type != "DELETED":
                    known[event.object.metadata.uid] = event.object
        return tuple(pod for pod in known.values() if pod.is_ready)

    async def undo(self):
        """Carry out what is in the journal, as the end of a scenario does."""
        await unwind(self.context.journal.newer_than(0), self.context, hurry=asyncio.Event())
        return self.context.journal.failures


@pytest.fixture
async def whole(sandbox):
    """A context on the whole cluster, with a namespace that goes with the test."""
    async with await connect(kubeconfig=sandbox.kubeconfig) as cluster:
        name = f"t-{uuid.uuid4().hex[:8]}"
        await cluster.create(NAMESPACES, {"metadata": {"name": name}})
        made = Whole(cluster, name)
        await made.journal.begin(RunEntry(id="run-1", policy="p.yml", seed="7", server=cluster.server))
        yield made
        await made.close()
        await cluster.delete(NAMESPACES, name)
