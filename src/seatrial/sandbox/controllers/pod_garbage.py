"""The pod garbage collector: removes pods that no kubelet will ever end.

Those are the pods of nodes that don't exist (a node that is missing may be about to register, so its pods are given a
quarantine first), and pods that are being deleted on a node that isn't Ready and that somebody declared to be out of
service by the taint `node.kubernetes.io/out-of-service`. Behaviour: Kubernetes documentation, "Garbage collection of
Pods" and "Non-graceful node shutdown handling".
"""

import asyncio
from http import HTTPStatus
from typing import Final

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.disruption_target import disrupted_conditions
from seatrial.sandbox.controllers.objects import (
    BY_NODE,
    by_node,
    is_finished,
    is_ready,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
)
from seatrial.sandbox.work_queue import WorkQueue

_OUT_OF_SERVICE: Final = "node.kubernetes.io/out-of-service"


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
        if new is None:
            if old is not None:
                self._queue.add(name_of(old))
            return
        self._missing.pop(name_of(new), None)
        if _is_out_of_service(new) and (old is None or not _is_out_of_service(old)):
            self._queue.add(name_of(new))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        node_name = new["spec"].get("nodeName") if new is not None else None
        if new is None or not node_name:
            return
        node = self._nodes.get(None, node_name)
        is_bound = old is None or not old["spec"].get("nodeName")
        begins_to_end = is_terminating(new) and (old is None or not is_terminating(old))
        if is_bound if node is None else (begins_to_end and _is_out_of_service(node)):
            self._queue.add(node_name)

    async def _sync(self, node_name: str) -> None:
        pods, node = self._pods.indexed(BY_NODE, node_name), self._nodes.get(None, node_name)
        if node is not None or not pods:
            self._missing.pop(node_name, None)
            if node is not None and _is_out_of_service(node):
                for pod in filter(is_terminating, pods):
                    await self._remove(pod, {})
            return
        moment = asyncio.get_running_loop().time()
        left = self._missing.setdefault(node_name, moment) + self._quarantine_seconds - moment
        if left > 0:
            self._queue.add_after(node_name, left)
        elif not await self._exists(node_name):
            for pod in pods:
                conditions = disrupted_conditions(
                    pod, reason="DeletionByPodGC", message="PodGC: node no longer exists", now=self._now()
                )
                await self._remove(pod, {"conditions": conditions})

    async def _exists(self, node: str) -> bool:
        try:
            await self._api.get("nodes", node)
        except ApiError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return False
            raise
        return True

    async def _remove(self, pod: Object, status: Object) -> None:
        """Say that the pod has failed, as nobody else will, and end its object."""
        name, namespace = name_of(pod), namespace_of(pod)
        identity = {"uid": uid_of(pod), "resourceVersion": pod["metadata"]["resourceVersion"]}
        patch = {"metadata": identity, "status": {"phase": "Failed", **status}}
        try:
            if not is_finished(pod):
                await self._api.patch("pods", name, namespace, patch, subresource="status")
            await self._api.delete("pods", name, namespace, uid=uid_of(pod), grace_period_seconds=0)
        except ApiError as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise


def _is_out_of_service(node: Object) -> bool:
    """Somebody says that the node is gone for good, and nothing contradicts."""
    return not is_ready(node) and any(taint["key"] == _OUT_OF_SERVICE for taint in node["spec"].get("taints") or ())
