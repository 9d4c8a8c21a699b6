"""The taint eviction controller: deletes the pods of a node that has a NoExecute taint, when their toleration ends.

A pod says with `tolerationSeconds` how long it stays (300 s by default for a node that is gone). If the taint goes
first, the pod stays. Behaviour: Kubernetes documentation, "Taint based Evictions".
"""

import asyncio
from http import HTTPStatus
from typing import Final

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.objects import (
    BY_NODE,
    by_node,
    is_finished,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
)
from seatrial.sandbox.controllers.timestamps import Clock, to_time
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
            self._counting.pop(key_of(pod), None)
            return
        bound = pod["spec"].get("nodeName") and (old is None or not old["spec"].get("nodeName"))
        retolerated = old is not None and old["spec"].get("tolerations") != new["spec"].get("tolerations")
        if bound or retolerated:
            self._queue.add(key_of(pod))

    async def _sync(self, key: Key) -> None:
        pod = self._pods.get(*key)
        if pod is None or is_terminating(pod) or is_finished(pod):
            return
        node = self._nodes.get(None, pod["spec"].get("nodeName", ""))
        taints = _no_execute(node) if node is not None else []
        seconds = seconds_tolerated(taints, self._tolerations(pod)) if taints else None
        if seconds is None:
            if self._counting.pop(key, None) is not None:
                self._tell(pod, f"Cancelling deletion of Pod {key[0]}/{key[1]}")
            return
        left = seconds - self._counted(key, pod)
        if left > 0:
            self._queue.add_after(key, left)
            return
        self._tell(pod, f"Marking for deletion Pod {key[0]}/{key[1]}")
        await evict(
            self._api,
            pod,
            reason="DeletionByTaintManager",
            message="Taint manager: deleting due to NoExecute taint",
            now=self._now,
        )

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


async def evict(
    api: Api, pod: Object, *, reason: str, message: str, now: Clock, grace_period_seconds: int | None = None
) -> None:
    """Delete a pod for its own good, and leave the reason in its `DisruptionTarget` condition."""
    status = pod.get("status") or {}
    entry: Object = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": to_time(now()),
        "reason": reason,
        "message": message,
    }
    if pod["metadata"].get("generation"):
        entry["observedGeneration"] = pod["metadata"]["generation"]
    others = [known for known in status.get("conditions") or () if known["type"] != entry["type"]]
    patch = {
        "metadata": {"uid": uid_of(pod), "resourceVersion": pod["metadata"]["resourceVersion"]},
        "status": {"conditions": [*others, entry]},
    }
    try:
        await api.patch("pods", name_of(pod), namespace_of(pod), patch, subresource="status")
        await api.delete(
            "pods",
            name_of(pod),
            namespace_of(pod),
            uid=uid_of(pod),
            grace_period_seconds=grace_period_seconds,
        )
    except ApiError as error:
        if error.code != HTTPStatus.NOT_FOUND:
            raise


def _no_execute(node: Object) -> list[Object]:
    return [taint for taint in node["spec"].get("taints") or () if taint["effect"] == "NoExecute"]
