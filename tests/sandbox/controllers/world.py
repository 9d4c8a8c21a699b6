"""A cluster without machines: the real store and its API, and kubelets that only write what a kubelet would.

Time is the event loop's, which `looptime` turns forward; nothing here sleeps for real or polls.
"""

import asyncio
import contextlib
import functools
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.apiserver.local import local_api
from seatrial.sandbox.controllers.manager import ControllerManager
from seatrial.sandbox.informer import Informer, key_of
from seatrial.sandbox.scheduler import Scheduler
from seatrial.sandbox.timestamps import to_micro_time, to_time
from seatrial.sandbox.work_queue import WorkQueue

NAMESPACE = "default"
# Longer than any wait that ends well; turned forward, it costs no time.
PATIENCE_SECONDS = 3600.0


@dataclass
class World:
    """What a test sees and does.

    Args:
        api: the cluster's API.
        started: the wall clock when the world began.
        began: the loop's clock then.
    """

    api: Api
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    dead_nodes: set[str] = field(default_factory=set)
    broken_images: set[str] = field(default_factory=set)
    exit_codes: dict[str, int] = field(default_factory=dict)
    slow_to_end_seconds: float = 0.0
    history: list[tuple[str, str, Object]] = field(default_factory=list)
    _seen: dict[str, Informer] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def now(self) -> datetime:
        """The wall clock, as the loop's time has it."""
        return self.started + timedelta(seconds=asyncio.get_running_loop().time() - self.began)

    async def watch(self, group: asyncio.TaskGroup, *resources: str) -> list[asyncio.Task[None]]:
        """Follow resources: `seen`, `until` and `history` are about these."""
        tasks = []
        for resource in resources:
            informer = Informer(self.api, resource)
            informer.add_handler(functools.partial(self._note, resource))
            self._seen[resource] = informer
            tasks.append(group.create_task(informer.run()))
            await informer.wait_synced()
        return tasks

    def _note(self, resource: str, old: Object | None, new: Object | None) -> None:
        kind = "ADDED" if old is None else "DELETED" if new is None else "MODIFIED"
        self.history.append((kind, resource, new or old or {}))
        self._changed.set()

    def seen(self, resource: str, **labels: str) -> list[Object]:
        """The objects of a watched resource with these labels."""
        return [
            item
            for item in self._seen[resource].list()
            if labels.items() <= (item["metadata"].get("labels") or {}).items()
        ]

    def one(self, resource: str, name: str, namespace: str | None = NAMESPACE) -> Object:
        """A watched object."""
        found = self._seen[resource].get(namespace, name)
        if found is None:
            raise LookupError(f"no {resource} {name}")
        return found

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds, looking again at each change; what isn't there yet doesn't hold yet."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                self._changed.clear()
                with contextlib.suppress(LookupError):
                    if holds():
                        return
                await self._changed.wait()

    async def settled(self) -> None:
        """Wait until nothing has changed for a while."""
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(1.0):
                    await self._changed.wait()
            except TimeoutError:
                return

    def ready_pods(self, **labels: str) -> list[Object]:
        """The pods that are Ready and not on their way out."""
        return [pod for pod in self.seen("pods", **labels) if is_ready(pod) and not is_leaving(pod)]

    async def add_node(self, name: str, *, zone: str = "", **changes: Any) -> Object:
        """Register a node that is Ready, with a Lease."""
        labels = {"kubernetes.io/hostname": name} | ({"topology.kubernetes.io/zone": zone} if zone else {})
        node = {
            "metadata": {"name": name, "labels": labels},
            "spec": changes.get("spec", {}),
            "status": {
                "allocatable": changes.get("allocatable", {"cpu": "4", "memory": "8Gi", "pods": "110"}),
                "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"},
                "conditions": [self._condition("Ready", "True", heartbeat=True)],
            },
        }
        await self.api.create("nodes", node)
        await self._renew(name, create=True)
        return await self.api.patch("nodes", name, None, {"status": node["status"]}, subresource="status")

    def _condition(self, kind: str, status: str, *, heartbeat: bool = False) -> Object:
        moment = to_time(self.now())
        beat = {"lastHeartbeatTime": moment} if heartbeat else {}
        return {"type": kind, "status": status, "lastTransitionTime": moment, **beat}

    async def _renew(self, node: str, *, create: bool = False) -> None:
        spec = {
            "holderIdentity": node,
            "leaseDurationSeconds": 40,
            "renewTime": to_micro_time(self.now()),
        }
        if create:
            await self.api.create("leases.coordination.k8s.io", {"metadata": {"name": node}, "spec": spec}, LEASES)
        else:
            await self.api.patch("leases.coordination.k8s.io", node, LEASES, {"spec": spec})

    async def heartbeats(self, *, every_seconds: float = 10.0) -> None:
        """Renew the Lease of every node that is alive, as its kubelet would."""
        while True:
            await asyncio.sleep(every_seconds)
            for node in (await self.api.list("nodes")).items:
                if node["metadata"]["name"] not in self.dead_nodes:
                    await self._renew(node["metadata"]["name"])

    async def return_node(self, name: str) -> None:
        """A node that was dead answers again."""
        self.dead_nodes.discard(name)
        await self._renew(name)
        status = {"conditions": [self._condition("Ready", "True", heartbeat=True)]}
        await self.api.patch("nodes", name, None, {"status": status}, subresource="status")

    async def run_kubelets(self) -> None:
        """Bring bound pods to Ready and finish deletions, on nodes that are alive."""
        queue: WorkQueue[tuple[str, str]] = WorkQueue("kubelets")
        pods = Informer(self.api, "pods")

        def changed(_old: Object | None, new: Object | None) -> None:
            if new is not None and new["spec"].get("nodeName"):
                queue.add(key_of(new))

        async def sync(key: tuple[str, str]) -> None:
            pod = pods.get(*key)
            if pod is not None and pod["spec"].get("nodeName") not in self.dead_nodes:
                await self._run_pod(pod)

        pods.add_handler(changed)
        async with asyncio.TaskGroup() as group:
            group.create_task(pods.run())
            group.create_task(queue.work(sync, workers=20))

    async def _run_pod(self, pod: Object) -> None:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        phase = pod["status"].get("phase")
        if is_leaving(pod):
            if self.slow_to_end_seconds:
                await asyncio.sleep(self.slow_to_end_seconds)
            await self._end_pod(pod)
        elif phase == "Pending":
            broken = any(container["image"] in self.broken_images for container in pod["spec"]["containers"])
            scheduled = [entry for entry in pod["status"].get("conditions") or [] if entry["type"] == "PodScheduled"]
            status = {
                "phase": "Pending" if broken else "Running",
                "podIP": None if broken else self._address(),
                "conditions": [*scheduled, self._condition("Ready", "False" if broken else "True")],
            }
            if not broken or not any(entry["type"] == "Ready" for entry in pod["status"].get("conditions") or []):
                await self.api.patch("pods", name, namespace, {"status": status}, subresource="status")

        elif phase == "Running" and pod["spec"]["containers"][0]["image"] in self.exit_codes:
            await self._finish_pod(pod, self.exit_codes[pod["spec"]["containers"][0]["image"]])

    async def _finish_pod(self, pod: Object, exit_code: int) -> None:
        moment = to_time(self.now())
        ended = {"terminated": {"exitCode": exit_code, "finishedAt": moment}}
        status = {
            "phase": "Failed" if exit_code else "Succeeded",
            "containerStatuses": [{"name": "c", "restartCount": 0, "state": ended}],
            "conditions": [self._condition("Ready", "False")],
        }
        body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status}
        try:
            await self.api.patch("pods", pod["metadata"]["name"], NAMESPACE, body, subresource="status")
        except ApiError as error:
            if error.code not in {404, 409}:
                raise

    _addresses: int = 0

    def _address(self) -> str:
        self._addresses += 1
        return f"127.77.{self._addresses // 250 + 1}.{self._addresses % 250 + 1}"

    async def _end_pod(self, pod: Object) -> None:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        status = {"phase": "Succeeded", "conditions": [self._condition("Ready", "False")]}
        try:
            body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status}
            await self.api.patch("pods", name, namespace, body, subresource="status")
            await self.api.delete("pods", name, namespace, uid=pod["metadata"]["uid"], grace_period_seconds=0)
        except ApiError as error:
            if error.code not in {404, 409}:
                raise


LEASES = "kube-node-lease"


def is_ready(pod: Object) -> bool:
    """The pod says it is Ready."""
    return any(
        entry["type"] == "Ready" and entry["status"] == "True" for entry in pod["status"].get("conditions") or []
    )


def is_leaving(pod: Object) -> bool:
    """The pod is being deleted."""
    return "deletionTimestamp" in pod["metadata"]


def deployment(name: str = "web", *, replicas: int = 3, image: str = "nginx:1.25", **spec: Any) -> Object:
    """A Deployment whose pods carry the label app=NAME."""
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
            **spec,
        },
    }


def replica_set(name: str = "web", *, replicas: int = 3, **spec: Any) -> Object:
    """A ReplicaSet whose pods carry the label app=NAME."""
    return deployment(name, replicas=replicas, **spec)


def stateful_set(name: str = "db", *, replicas: int = 3, image: str = "nginx:1.25", **spec: Any) -> Object:
    """A StatefulSet whose pods carry the label app=NAME."""
    made = deployment(name, replicas=replicas, image=image, serviceName=name)
    made["spec"].update(spec)
    return made


def daemon_set(name: str = "agent", *, image: str = "nginx:1.25", **spec: Any) -> Object:
    """A DaemonSet whose pods carry the label app=NAME."""
    made = deployment(name, image=image)
    del made["spec"]["replicas"]
    made["spec"].update(spec)
    return made


def job(name: str = "work", *, image: str = "ok", **spec: Any) -> Object:
    """A Job whose pods run an image; `World.exit_codes` says how that ends."""
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": image}]}}
    return {"metadata": {"name": name}, "spec": {"template": template, **spec}}


def pod(name: str, *, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    """A pod of one container."""
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"containers": [{"name": "c", "image": "nginx:1.25"}], **spec},
    }


def service(name: str = "web", *, selector: dict[str, str] | None = None, **spec: Any) -> Object:
    """A Service of port 80 for the pods with the label app=NAME."""
    chosen = {"app": name} if selector is None else selector
    return {
        "metadata": {"name": name},
        "spec": {"ports": [{"port": 80}], **({"selector": chosen} if chosen else {}), **spec},
    }


WATCHED = (
    "pods",
    "nodes",
    "replicasets.apps",
    "deployments.apps",
    "services",
    "endpoints",
    "endpointslices.discovery.k8s.io",
    "events",
    "namespaces",
    "configmaps",
    "poddisruptionbudgets.policy",
    "replicationcontrollers",
    "statefulsets.apps",
    "daemonsets.apps",
    "jobs.batch",
    "cronjobs.batch",
    "controllerrevisions.apps",
    "persistentvolumeclaims",
)


@asynccontextmanager
async def running_world(
    *,
    nodes: int = 3,
    api: Api | None = None,
    scheduler: bool = True,
    controllers: bool = True,
    also: Sequence[str] = (),
    **settings: Any,
) -> AsyncIterator[World]:
    """A world with everything running; all of it ends with the block. `also` names further resources to watch."""
    world = World(api or local_api())
    for number in range(1, nodes + 1):
        await world.add_node(f"node{number}", zone=f"zone-{number % 2}")
    with tempfile.TemporaryDirectory() as volumes:
        settings.setdefault("volumes", Path(volumes))
        async with _running(world, scheduler=scheduler, controllers=controllers, also=also, **settings):
            yield world


@asynccontextmanager
async def _running(
    world: World, *, scheduler: bool, controllers: bool, also: Sequence[str], **settings: Any
) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(world.run_kubelets()), group.create_task(world.heartbeats())]
        if controllers:
            manager = ControllerManager(world.api, now=world.now, **settings)
            running.append(group.create_task(manager.run()))
        if scheduler:
            running.append(group.create_task(Scheduler(world.api, now=world.now).run()))
        running += await world.watch(group, *dict.fromkeys((*WATCHED, *also)))
        try:
            yield
        finally:
            for task in running:
                task.cancel()
