"""A node for the tests: a real kubelet and a real container runtime, with the API server in the same process."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from seatrial.sandbox.api import Api, Object
from seatrial.sandbox.apiserver.local import local_api
from seatrial.sandbox.kubelet.kubelet import Kubelet
from seatrial.sandbox.kubelet.machine_config import MachineConfig
from seatrial.sandbox.kubelet.runtime_client import RuntimeClient
from seatrial.sandbox.kubelet.streams.descriptor_channel import descriptor_sockets

# A container's first process obeys only the signals that it has a handler for.
SLEEP = ["/bin/sh", "-c", "trap 'exit 143' TERM; sleep 1000 & wait"]
# Ready as soon as the container has made a file `up` in its directory.
UP = {"exec": {"command": ["/bin/sh", "-c", "until test -e up; do sleep 0.01; done"]}, "timeoutSeconds": 10}
_RUNTIME_PROCESS = Path(__file__).with_name("runtime_process.py")


def make_pod(
    name: str = "web", *, init: tuple[Object, ...] = (), container: Object | None = None, **spec: Any
) -> Object:
    """A Pod bound to node1 with one container `c`, which sleeps unless told otherwise."""
    main = {"name": "c", "image": "busybox:1.36", "command": SLEEP} | (container or {})
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {"nodeName": "node1", "containers": [main], **({"initContainers": [*init]} if init else {}), **spec},
    }


def host_directory(path: Path) -> Object:
    """What a pod's spec says to have a directory of the machine at `$SEATRIAL_ROOTFS/host`; with `HOST_MOUNT`."""
    path.mkdir(parents=True, exist_ok=True)
    return {"volumes": [{"name": "host", "hostPath": {"path": str(path)}}]}


HOST_MOUNT = {"volumeMounts": [{"name": "host", "mountPath": "/host"}]}


def condition(pod: Object, kind: str) -> Object:
    """A condition of a pod's status."""
    found: Object = next((c for c in pod.get("status", {}).get("conditions", ()) if c["type"] == kind), {})
    return found


def is_ready(pod: Object) -> bool:
    """Whether the pod's Ready condition is True."""
    return condition(pod, "Ready").get("status") == "True"


def container(pod: Object, name: str = "c") -> Object:
    """A container's status."""
    status = pod["status"]
    found: Object = next(
        (
            s
            for s in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
            if s["name"] == name
        ),
        {"state": {}, "lastState": {}, "restartCount": 0},
    )
    return found


@dataclass
class History:
    """All versions of the pods, as a watch saw them."""

    versions: list[tuple[str, Object]] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def follow(self, api: Api, since: str) -> None:
        """Watch until cancelled."""
        async for event in api.watch("pods", None, resource_version=since):
            if event.type == "BOOKMARK":
                continue
            async with self.changed:
                self.versions.append((event.type, event.object))
                self.changed.notify_all()

    async def wait(self, name: str, holds: Callable[[Object], Any], *, seconds: float = 60, after: int = 0) -> Object:
        """The first version of a pod (after so many of all pods) for which the condition holds."""
        found: Object | None = None

        def look() -> bool:
            nonlocal found
            found = next((o for t, o in self.versions[after:] if _is(t, o, name) and holds(o)), None)
            return found is not None

        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(look)
        assert found is not None
        return found

    async def wait_gone(self, name: str, *, seconds: float = 60) -> None:
        """Wait for the pod's DELETED event."""
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(
                lambda: any(t == "DELETED" and o["metadata"]["name"] == name for t, o in self.versions)
            )

    def of(self, name: str) -> list[Object]:
        """All versions of a pod's status, in order."""
        return [o for t, o in self.versions if _is(t, o, name)]


def _is(kind: str, pod: Object, name: str) -> bool:
    return kind != "DELETED" and pod["metadata"]["name"] == name


@dataclass
class NodeUnderTest:
    """A node that runs, and what was seen of its pods."""

    api: Api
    config: MachineConfig
    history: History
    runtime: RuntimeClient

    async def create(self, pod: Object) -> Object:
        """Create a pod on the node."""
        return await self.api.create("pods", pod, "default")

    async def events(self) -> list[Object]:
        """All events so far."""
        return (await self.api.list("events", "default")).items

    async def wait_event(self, reason: str, *, seconds: float = 60) -> Object:
        """The first event of that reason."""
        listed = await self.api.list("events", "default")
        found = next((event for event in listed.items if event["reason"] == reason), None)
        if found is not None:
            return found
        async with asyncio.timeout(seconds):
            async for event in self.api.watch("events", "default", resource_version=listed.resource_version):
                if event.type != "BOOKMARK" and event.object["reason"] == reason:
                    return event.object
        raise AssertionError("the watch ended")

    async def processes(self, pod: Object) -> list[psutil.Process]:
        """The processes that run for a pod."""
        records = await self.runtime.list()
        pids = [r.pid for r in records if r.running and r.container.pod_uid == pod["metadata"]["uid"]]
        mains = [psutil.Process(pid) for pid in pids]
        return [*mains, *(child for main in mains for child in main.children(recursive=True))]

    async def log(self, pod: str) -> bytes:
        """What a pod's containers wrote, in all their lives, as it is on disk."""
        found = await self.api.get("pods", pod, "default")
        directory = self.config.directory / "pods" / found["metadata"]["uid"]
        return b"".join(file.read_bytes() for file in sorted(directory.glob("*/*.log")))

    async def running_log(self, pod: str, *, lines: int) -> list[bytes]:
        """So many lines of a pod that runs on: what it wrote is on disk a moment later than what it did."""
        async with asyncio.timeout(60):
            # Another process's file: there is no event to wait for.
            while len(found := (await self.log(pod)).splitlines()) < lines:  # noqa: ASYNC110 -- see above
                await asyncio.sleep(0.01)
        return found


@asynccontextmanager
async def running_kubelet(config: MachineConfig, api: Api, runtime: RuntimeClient) -> AsyncIterator[None]:
    """A kubelet for the length of the block."""
    task = asyncio.create_task(Kubelet(config, api, runtime).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()


@asynccontextmanager
async def running_runtime() -> AsyncIterator[RuntimeClient]:
    """A container runtime in a process of its own, for the length of the block."""
    ours, theirs = socket.socketpair()
    packets, their_packets = descriptor_sockets()
    fds = [theirs.fileno(), their_packets.fileno()]
    with theirs, their_packets:
        argv = [sys.executable, str(_RUNTIME_PROCESS), *map(str, fds), str(os.getpid())]
        child = subprocess.Popen(argv, pass_fds=fds)
    client = RuntimeClient(ours, packets)
    await client.connect()
    try:
        yield client
    finally:
        client.close()
        await asyncio.to_thread(child.wait, 30)


@asynccontextmanager
async def running_node(config: MachineConfig) -> AsyncIterator[NodeUnderTest]:
    """A node with an API server of its own, for the length of the block."""
    api = local_api()
    history = History()
    since = (await api.list("pods")).resource_version
    async with running_runtime() as runtime, running_kubelet(config, api, runtime):
        following = asyncio.create_task(history.follow(api, since))
        yield NodeUnderTest(api, config, history, runtime)
        following.cancel()
