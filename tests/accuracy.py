"""Our times beside those of an independent watcher and of the processes themselves, for the test and the benchmark.

`measure` runs a scenario on a whole sandbox: a pod, a Service and a Deployment are made, the Deployment is scaled, one
of its pods is killed. Each comparison is of one moment, as we have it and as the other has it, both on the machine's
monotonic clock.
"""

import asyncio
import json
import os
import select
import threading
import time
from dataclasses import dataclass
from typing import Any

import psutil
from msgspec.structs import replace

from seatrial.engine.scenario import run_scenario
from seatrial.kube.client import Client
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.runtime.clock import SystemClock
from seatrial.runtime.events import EventStream, MeasurementTaken, PodKilled, PodRecovered, Record
from seatrial.runtime.journal import RunEntry
from seatrial.steps.registry import policy_model
from tests.conftest import Recorder
from tests.engine.switched_server import SwitchedServer
from tests.independent_watcher import Watcher

_CONTAINER = {
    "name": "c",
    "image": "nginx",
    "ports": [{"containerPort": 80}],
    "readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1},
}
_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "alone", "labels": {"app": "alone"}},
    "spec": {"containers": [_CONTAINER]},
}
_SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
}
_DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [_CONTAINER], "terminationGracePeriodSeconds": 1},
        },
    },
}


@dataclass(frozen=True)
class Moment:
    """A moment as we measured it and as the other did."""

    name: str
    ours: float
    theirs: float

    @property
    def difference_ms(self) -> float:
        return (self.ours - self.theirs) * 1000


@dataclass(frozen=True)
class Comparison:
    """What was compared: with the watcher; and when the killed container's process had ended, beside "gone"."""

    moments: list[Moment]
    process_ended: float
    gone: float


class _End(threading.Thread):
    """Waits for the end of a process, and stamps it."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._descriptor = os.pidfd_open(pid)
        self.at = 0.0

    def run(self) -> None:
        select.select([self._descriptor], [], [], 60)
        self.at = time.monotonic()
        os.close(self._descriptor)


def scenario(namespace: str, gate: dict[str, Any]) -> Any:
    """What is measured; each step waits until all is Ready, and `gate` until the processes are known."""
    made = [
        {**each, "metadata": {**each["metadata"], "namespace": namespace}} for each in (_POD, _SERVICE, _DEPLOYMENT)
    ]
    web = {"name": "web", "namespace": namespace}
    ready = {"waitFor": {"until": {"deployment": web}, "holdsFor": 0.2}}
    payload = "\n---\n".join(json.dumps(each) for each in made)
    given = {
        "name": "accuracy",
        "steps": [
            {"kubectl": {"action": "apply", "payload": payload}},
            {"waitFor": {"until": {"pod": {"name": "alone", "namespace": namespace}}}},
            ready,
            {"scale": {"target": {"deployment": web}, "by": 1}},
            ready,
            gate,
            {
                "podAction": {
                    "matches": [{"deployment": web}],
                    "filters": [{"randomSample": {"size": 1}}],
                    "actions": [{"kill": {}}],
                }
            },
        ],
    }
    return policy_model().model_validate({"scenarios": [given]}).scenarios[0]


async def measure(cluster: Client, kubeconfig: str, namespace: str) -> Comparison:
    """Run the scenario while the other watcher watches."""
    recorder, watcher = Recorder(cluster), await Watcher.start(kubeconfig, namespace)
    await recorder.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server=cluster.server))
    clock, records = SystemClock(), list[Record]()
    events = EventStream(clock)
    events.subscribe(records.append)
    server = await SwitchedServer().start()
    context = replace(recorder.context, clock=clock, events=events)
    running = asyncio.create_task(run_scenario(scenario(namespace, server.step), context, hurry=asyncio.Event()))
    try:
        async with asyncio.timeout(120):
            await server.entered.wait()
        listed = await cluster.list(PODS, namespace=namespace, label_selector="app=web", type=Pod)
        ends = {pod.metadata.uid: _End(await asyncio.to_thread(_main_process, pod)) for pod in listed.items}
        for each in ends.values():
            each.start()
        server.open()
        outcome = await running
        assert outcome.passed, outcome
        await events.caught_up()
        moments = await _compare(records, watcher)
        killed = next(each.event for each in records if isinstance(each.event, PodKilled))
        end = ends[killed.pod.uid]
        await asyncio.to_thread(end.join)
        gone = next(each.ours for each in moments if each.name == "gone")
        return Comparison(moments, process_ended=end.at, gone=gone)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await server.stop()
        await watcher.stop()
        await events.close()
        await recorder.close()


def _main_process(pod: Pod) -> int:
    """The process that listens on the pod's port: its container's."""
    return next(
        each.pid
        for each in psutil.net_connections("tcp")
        if each.status == psutil.CONN_LISTEN and each.laddr == (pod.status.pod_ip, 80) and each.pid is not None
    )


async def _compare(records: list[Record], watcher: Watcher) -> list[Moment]:
    killed = next(each for each in records if isinstance(each.event, PodKilled))
    recovery = next(each.event for each in records if isinstance(each.event, PodRecovered))
    taken = [each.event for each in records if isinstance(each.event, MeasurementTaken)]
    old, new = recovery.pod.uid, recovery.replacement.uid
    sent = killed.monotonic - killed.event.duration_ms / 1000
    pods = {"resource": "pods", "uid": new}
    moments = [
        Moment("gone", sent + recovery.gone_ms / 1000, await watcher.first(resource="pods", uid=old, type="DELETED")),
        Moment("created", sent + recovery.created_ms / 1000, await watcher.first(**pods)),
        Moment("running", sent + recovery.running_ms / 1000, await watcher.first(**pods, phase="Running")),
        Moment("recovered", sent + recovery.ready_ms / 1000, await watcher.first(**pods, isReady=True)),
    ]
    for each in taken:
        name, of = each.name, each.of
        if name == "timeToEndpoint":
            theirs = await watcher.first(resource="endpointslices", endpoint=new)
            moments.append(Moment("endpoint", sent + each.seconds, theirs))
        elif name == "timeToReady" and of.startswith("Pod "):
            begun = await watcher.first(resource="pods", name="alone")
            ready = await watcher.first(resource="pods", name="alone", isReady=True)
            moments.append(Moment("timeToReady", each.seconds, ready - begun))
        elif name == "timeToScale":
            begun = await watcher.first(resource="deployments", replicas=3)
            ready = await watcher.first(
                resource="deployments", replicas=3, readyReplicas=3, allReplicas=3, isSeen=True, since=begun
            )
            moments.append(Moment("timeToScale", each.seconds, ready - begun))
    return moments
