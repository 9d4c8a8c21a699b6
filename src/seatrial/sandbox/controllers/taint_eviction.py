"""The taint eviction controller: deletes the pods of a node that has a NoExecute taint, when their toleration ends.

A pod says with `tolerationSeconds` how long it stays (300 s by default for a node that is gone). If the taint goes
first, the pod stays. What the pod does makes no difference: one that has ended, or is being deleted, is treated alike.
Behaviour: Kubernetes documentation, "Taint based Evictions".
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
    name_of,
    namespace_of,
    uid_of,
)
from seatrial.sandbox.controllers.tolerations import in_sandbox_time, seconds_tolerated
from seatrial.sandbox.informer import Key, key_of
from seatrial.sandbox.work_queue import WorkQueue

_WORKERS: Final = 8


class TaintEvictionController:
    """Evicts by NoExecute taints."""

    name = "taint-eviction-controller"

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._events = context.events
        self._now = context.now
        self._timing = context.timing
        self._queue: WorkQueue[Key] = WorkQueue(self.name)
        self._nodes = context.informers.of("nodes")
        self._pods = context.informers.of("pods")
        self._pods.add_index(BY_NODE, by_node)
        # When the taint was first seen by a pod that is counting down.
        self._counting: dict[Key, tuple[str, float]] = {}
        # UIDs of the pods of which it was told that they have to go, and of those that were deleted: once for a taint.
        self._marked: set[str] = set()
        self._evicted: set[str] = set()
        self._nodes.add_handler(self._node_changed)
        self._pods.add_handler(self._pod_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._nodes.wait_synced()
        await self._pods.wait_synced()
        await self._queue.work(self._sync, workers=_WORKERS)

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None or (_no_execute(old) if old is not None else []) == _no_execute(new):
            return
        for pod in self._pods.indexed(BY_NODE, name_of(new)):
            self._queue.add(key_of(pod))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new or old
        if pod is None:
            return
        if new is None:
            self._cancel(key_of(pod), pod)
            return
        bound = pod["spec"].get("nodeName") and (old is None or not old["spec"].get("nodeName"))
        retolerated = old is not None and old["spec"].get("tolerations") != new["spec"].get("tolerations")
        if bound or retolerated:
            self._queue.add(key_of(pod))

    async def _sync(self, key: Key) -> None:
        pod = self._pods.get(*key)
        if pod is None:
            return
        node = self._nodes.get(None, pod["spec"].get("nodeName", ""))
        taints = _no_execute(node) if node is not None else []
        seconds = seconds_tolerated(taints, self._tolerations(pod)) if taints else None
        if seconds is None:
            self._cancel(key, pod)
            return
        if uid_of(pod) in self._evicted:
            return
        left = seconds - self._counted(key, pod) if seconds else 0.0
        if left > 0:
            self._queue.add_after(key, left)
            return
        if uid_of(pod) not in self._marked:
            if not seconds:
                self._cancel(key, pod)  # what was to happen later happens at once
            self._marked.add(uid_of(pod))
            self._tell(pod, f"Marking for deletion Pod {key[0]}/{key[1]}")
        await self._evict(pod)
        self._evicted.add(uid_of(pod))
        self._counting.pop(key, None)

    def _cancel(self, key: Key, pod: Object) -> None:
        """Count no longer: nothing is to be tolerated, or the pod is gone."""
        if self._counting.pop(key, None) is not None:
            self._tell(pod, f"Cancelling deletion of Pod {key[0]}/{key[1]}")
        self._marked.discard(uid_of(pod))
        self._evicted.discard(uid_of(pod))

    async def _evict(self, pod: Object) -> None:
        conditions = disrupted_conditions(
            pod,
            reason="DeletionByTaintManager",
            message="Taint manager: deleting due to NoExecute taint",
            now=self._now(),
        )
        patch = {
            "metadata": {"uid": uid_of(pod), "resourceVersion": pod["metadata"]["resourceVersion"]},
            "status": {"conditions": conditions},
        }
        try:
            await self._api.patch("pods", name_of(pod), namespace_of(pod), patch, subresource="status")
            await self._api.delete("pods", name_of(pod), namespace_of(pod), uid=uid_of(pod))
        except ApiError as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise

    def _tolerations(self, pod: Object) -> list[Object]:
        """The pod's tolerations with the seconds that this sandbox's timing makes of them."""
        return [in_sandbox_time(each, self._timing) for each in pod["spec"].get("tolerations") or ()]

    def _counted(self, key: Key, pod: Object) -> float:
        moment = asyncio.get_running_loop().time()
        uid, since = self._counting.get(key, ("", moment))
        if uid != uid_of(pod):
            since = moment
        self._counting[key] = (uid_of(pod), since)
        return moment - since

    def _tell(self, pod: Object, message: str) -> None:
        about = {**pod, "apiVersion": "v1", "kind": "Pod"}
        self._events.record(self.name, about, "TaintManagerEviction", message)


def _no_execute(node: Object) -> list[Object]:
    return [taint for taint in node["spec"].get("taints") or () if taint["effect"] == "NoExecute"]
