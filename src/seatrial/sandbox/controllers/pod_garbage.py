"""The pod garbage collector: removes pods of nodes that no longer exist, since no kubelet will ever end them.

A node that is missing may be about to register, so its pods are given a quarantine first.
Behaviour: Kubernetes documentation, "Garbage collection of Pods".
"""

import asyncio
from http import HTTPStatus

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.objects import BY_NODE, by_node, name_of
from seatrial.sandbox.controllers.taint_eviction import evict
from seatrial.sandbox.work_queue import WorkQueue


class PodGarbageCollector:
    """Deletes orphaned pods by force.

    Args:
        context: the controllers' surroundings; its timing says how long a node has to be missing.
    """

    name = "pod-garbage-collector-controller"

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._now = context.now
        self._quarantine_seconds = context.timing.missing_node_quarantine_seconds
        self._queue: WorkQueue[str] = WorkQueue(self.name)
        self._missing: dict[str, float] = {}
        self._nodes = context.informers.of("nodes")
        self._pods = context.informers.of("pods")
        self._pods.add_index(BY_NODE, by_node)
        self._nodes.add_handler(self._node_changed)
        self._pods.add_handler(self._pod_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._nodes.wait_synced()
        await self._pods.wait_synced()
        await self._queue.work(self._sync)

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None:
            self._missing.pop(name_of(new), None)
        elif old is not None:
            self._queue.add(name_of(old))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None or (old is not None and old["spec"].get("nodeName")):
            return
        node = new["spec"].get("nodeName")
        if node and self._nodes.get(None, node) is None:
            self._queue.add(node)

    async def _sync(self, node: str) -> None:
        pods = self._pods.indexed(BY_NODE, node)
        if self._nodes.get(None, node) is not None or not pods:
            self._missing.pop(node, None)
            return
        moment = asyncio.get_running_loop().time()
        left = self._missing.setdefault(node, moment) + self._quarantine_seconds - moment
        if left > 0:
            self._queue.add_after(node, left)
            return
        if await self._exists(node):
            return
        for pod in pods:
            await self._remove(pod)

    async def _exists(self, node: str) -> bool:
        try:
            await self._api.get("nodes", node)
        except ApiError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return False
            raise
        return True

    async def _remove(self, pod: Object) -> None:
        await evict(
            self._api,
            pod,
            reason="DeletionByPodGC",
            message="PodGC: node no longer exists",
            now=self._now,
            grace_period_seconds=0,
        )
