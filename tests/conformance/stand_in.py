"""Stands in for scheduler and kubelet: pods get a node, run, become ready, and end when they are deleted.

It makes the API server's part of recorded scenarios replayable without machines. Pods whose scheduler is not the
default one are left alone, as in the recordings.
"""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver.local import LocalApi

_TIME = "2026-01-01T00:00:00Z"
_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


class StandIn:
    """Runs as a task from `async with` to its end."""

    def __init__(self, api: LocalApi) -> None:
        self._api = api.as_manager("kubelet")
        self._task: asyncio.Task[None] | None = None
        self._acts: set[asyncio.Task[None]] = set()
        self._ending: dict[str, tuple[str, str]] = {}

    async def __aenter__(self) -> Self:
        for index in (1, 2, 3):
            name = f"node{index}"
            ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": _TIME, "lastTransitionTime": _TIME}
            await self._api.create("nodes", {"metadata": {"name": name}})
            await self._api.patch("nodes", name, None, {"status": {"conditions": [ready]}}, subresource="status")
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            for task in (self._task, *self._acts):
                task.cancel()
            await asyncio.gather(self._task, *self._acts, return_exceptions=True)

    async def settle(self) -> None:
        """Return when nothing is under way and nothing has changed for some turns of the event loop."""
        await self._finish_deletions()
        revision, quiet = "", 0
        while quiet < 50:
            await asyncio.sleep(0.001)
            found = (await self._api.list("nodes")).resource_version
            quiet = quiet + 1 if found == revision and not self._acts else 0
            revision = found

    async def _finish_deletions(self) -> None:
        """Pods end when the recording waits: before that, requests find them terminating."""
        ending, self._ending = self._ending, {}
        for uid, (name, namespace) in ending.items():
            with contextlib.suppress(ApiError):
                await self._api.delete("pods", name, namespace, grace_period_seconds=0, uid=uid)

    async def _run(self) -> None:
        start = await self._api.list("pods")
        async for event in self._api.watch("pods", resource_version=start.resource_version):
            if event.type in ("ADDED", "MODIFIED"):
                act = asyncio.create_task(self._try(event.object))
                self._acts.add(act)
                act.add_done_callback(self._acts.discard)

    async def _try(self, pod: Object) -> None:
        try:
            await self._act(pod)
        except ApiError as error:
            if error.code not in (404, 409):
                raise

    async def _act(self, pod: Object) -> None:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        if pod["spec"].get("schedulerName") != "default-scheduler":
            return
        if "deletionTimestamp" in pod["metadata"]:
            if pod["metadata"].get("deletionGracePeriodSeconds"):
                self._ending[pod["metadata"]["uid"]] = (name, namespace)
        elif not pod["spec"].get("nodeName"):
            body = {"metadata": {"name": name}, "target": {"kind": "Node", "name": "node1"}}
            await self._api.create("pods/binding", body, namespace)
        elif pod["status"].get("phase") == "Pending":
            await self._api.patch("pods", name, namespace, {"status": _running(pod)}, subresource="status")


def _running(pod: Object) -> Object:
    generation = pod["metadata"].get("generation", 1)
    statuses = [
        {
            "name": container["name"],
            "state": {"running": {"startedAt": _TIME}},
            "ready": True,
            "image": container["image"],
            "started": True,
            "imageID": "x",
            "containerID": "containerd://x",
        }
        for container in pod["spec"]["containers"]
    ]
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": _TIME, "observedGeneration": generation}
        for kind in _CONDITIONS
    ]
    return {
        "phase": "Running",
        "observedGeneration": generation,
        "conditions": conditions,
        "containerStatuses": statuses,
        "hostIP": "10.10.0.11",
        "hostIPs": [{"ip": "10.10.0.11"}],
        "podIP": "10.244.1.5",
        "podIPs": [{"ip": "10.244.1.5"}],
        "startTime": _TIME,
    }
