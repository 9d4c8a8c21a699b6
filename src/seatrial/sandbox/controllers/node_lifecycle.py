"""The node lifecycle controller: notices that a machine has gone silent, and says so where everyone looks.

A node lives as long as its Lease is renewed or its status posted. Silence for longer than the grace period makes its
conditions Unknown, taints it `node.kubernetes.io/unreachable`, and marks its pods not Ready, so that Services turn
away. Evicting the pods is `taint_eviction.py`'s part. When the machine answers again, the NoSchedule taint goes at once
and the NoExecute taint a period of monitoring later, at the latest moment at which Kubernetes' controller looks: until
then pods that come to the node count down as those before them.
Behaviour: Kubernetes documentation, "Nodes" and "Taints and Tolerations".

Heartbeats are timed by when they were seen here, so clocks that differ between machines do no harm.
"""

import asyncio
from http import HTTPStatus
from typing import Final

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.objects import (
    BY_NODE,
    by_node,
    condition,
    is_finished,
    is_ready,
    name_of,
    namespace_of,
    uid_of,
    with_value,
)
from seatrial.sandbox.timestamps import to_time
from seatrial.sandbox.work_queue import WorkQueue

UNREACHABLE: Final = "node.kubernetes.io/unreachable"
NOT_READY: Final = "node.kubernetes.io/not-ready"
_UNSCHEDULABLE: Final = "node.kubernetes.io/unschedulable"
_LEASES: Final = "leases.coordination.k8s.io"
_LEASE_NAMESPACE: Final = "kube-node-lease"
_KUBELET_CONDITIONS: Final = ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
_PRESSURE_TAINTS: Final = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
}
_OURS: Final = frozenset({UNREACHABLE, NOT_READY, _UNSCHEDULABLE, *_PRESSURE_TAINTS.values()})
_SLACK_SECONDS: Final = 0.01


class NodeLifecycleController:
    """Watches heartbeats.

    Args:
        context: the controllers' surroundings; its timing says how long a node may be silent.
    """

    name = "node-lifecycle-controller"
    _component = "node-controller"

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._events = context.events
        self._now = context.now
        self._grace_seconds = context.timing.node_monitor_grace_seconds
        self._monitor_seconds = context.timing.node_monitor_seconds
        self._startup_seconds = context.timing.node_startup_grace_seconds
        self._queue: WorkQueue[str] = WorkQueue(self.name)
        self._nodes = context.informers.of("nodes")
        self._leases = context.informers.of(_LEASES)
        self._pods = context.informers.of("pods")
        self._pods.add_index(BY_NODE, by_node)
        self._heard: dict[str, float] = {}
        # When a node that has a NoExecute taint of ours came back.
        self._back: dict[str, float] = {}
        self._nodes.add_handler(self._node_changed)
        self._leases.add_handler(self._lease_changed)
        self._pods.add_handler(self._pod_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        for informer in (self._nodes, self._leases, self._pods):
            await informer.wait_synced()
        await self._queue.work(self._sync, workers=4)

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            if old is not None:
                self._heard.pop(name_of(old), None)
                self._back.pop(name_of(old), None)
                message = f"Node {name_of(old)} event: Removing Node {name_of(old)} from Controller"
                self._tell(old, "RemovingNode", message)
            return
        if old is None:
            self._hear(name_of(new))
            message = f"Node {name_of(new)} event: Registered Node {name_of(new)} in Controller"
            self._tell(new, "RegisteredNode", message)
        elif _posted(old) != _posted(new):
            self._hear(name_of(new))
        self._queue.add(name_of(new))

    def _lease_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None or namespace_of(new) != _LEASE_NAMESPACE:
            return
        renewed = new["spec"].get("renewTime")
        if old is None or renewed != old["spec"].get("renewTime"):
            self._hear(name_of(new))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        # A pod that its kubelet had still reported Ready while the node was being given up.
        if new is None or (old is not None and is_ready(old) == is_ready(new)) or not is_ready(new):
            return
        node = self._nodes.get(None, new["spec"].get("nodeName", ""))
        if node is not None and _ready_status(node) == "Unknown":
            self._queue.add(name_of(node))

    def _hear(self, node: str) -> None:
        self._heard[node] = asyncio.get_running_loop().time()

    async def _sync(self, name: str) -> None:
        node = self._nodes.get(None, name)
        if node is None:
            return
        ready = condition(node, "Ready")
        grace = self._startup_seconds if ready is None else self._grace_seconds
        silent = asyncio.get_running_loop().time() - self._heard.setdefault(name, asyncio.get_running_loop().time())
        if silent >= grace:
            node = await self._give_up(node)
        else:
            self._queue.add_after(name, grace - silent + _SLACK_SECONDS)
        node = await self._taint(node, "NoSchedule", _no_schedule(node))
        if (left := self._left_until_monitored(node)) > 0:
            self._queue.add_after(name, left)
        else:
            node = await self._taint(node, "NoExecute", _no_execute(node))
        if _ready_status(node) != "True":
            await self._mark_pods(node)

    def _left_until_monitored(self, node: Object) -> float:
        """For how many seconds the NoExecute taint of a node that is back stays; 0 where there is nothing to take."""
        ours = any(t["effect"] == "NoExecute" and t["key"] in _OURS for t in node["spec"].get("taints") or ())
        if not ours or _no_execute(node):
            self._back.pop(name_of(node), None)
            return 0.0
        moment = asyncio.get_running_loop().time()
        return self._back.setdefault(name_of(node), moment) + self._monitor_seconds - moment

    async def _give_up(self, node: Object) -> Object:
        """Set what the kubelet reports to Unknown."""
        if _ready_status(node) == "Unknown":
            return node
        moment = to_time(self._now())
        known = {entry["type"]: entry for entry in node.get("status", {}).get("conditions") or ()}
        for kind in _KUBELET_CONDITIONS:
            known[kind] = _unknown(
                kind, known.get(kind), moment, str(node["metadata"].get("creationTimestamp", moment))
            )
        body = with_value(node, ("status", "conditions"), list(known.values()))
        node = await self._api.replace("nodes", body, subresource="status")
        self._tell(node, "NodeNotReady", f"Node {name_of(node)} status is now: NodeNotReady")
        return node

    async def _taint(self, node: Object, effect: str, keys: list[str]) -> Object:
        """Make our taints of that effect these, leaving others' alone."""
        taints = node["spec"].get("taints") or []
        kept = [
            taint for taint in taints if taint["effect"] != effect or taint["key"] not in _OURS or taint["key"] in keys
        ]
        present = {taint["key"] for taint in kept if taint["effect"] == effect}
        moment = to_time(self._now())
        added = [{"key": key, "effect": effect, "timeAdded": moment} for key in keys if key not in present]
        if not added and len(kept) == len(taints):
            return node
        patch = {
            "metadata": {"resourceVersion": node["metadata"]["resourceVersion"]},
            "spec": {"taints": [*kept, *added] or None},
        }
        return await self._api.patch("nodes", name_of(node), None, patch)

    async def _mark_pods(self, node: Object) -> None:
        """Say in each pod of a node that isn't Ready that the pod isn't either."""
        for pod in self._pods.indexed(BY_NODE, name_of(node)):
            if is_finished(pod) or not is_ready(pod):
                continue
            conditions = [
                {**entry, "status": "False", "lastTransitionTime": to_time(self._now())}
                if entry["type"] == "Ready"
                else entry
                for entry in pod["status"]["conditions"]
            ]
            patch = {
                "metadata": {"uid": uid_of(pod), "resourceVersion": pod["metadata"]["resourceVersion"]},
                "status": {"conditions": conditions},
            }
            try:
                await self._api.patch("pods", name_of(pod), namespace_of(pod), patch, subresource="status")
            except ApiError as error:
                if error.code != HTTPStatus.NOT_FOUND:
                    raise
                continue
            about = {**pod, "apiVersion": "v1", "kind": "Pod"}
            self._events.record(self._component, about, "NodeNotReady", "Node is not ready", kind="Warning")

    def _tell(self, node: Object, reason: str, message: str) -> None:
        self._events.record(self._component, {**node, "apiVersion": "v1", "kind": "Node"}, reason, message)


def _posted(node: Object) -> object:
    """What changes when the kubelet posts its status."""
    return [(entry["type"], entry.get("lastHeartbeatTime")) for entry in node.get("status", {}).get("conditions") or ()]


def _ready_status(node: Object) -> str:
    ready = condition(node, "Ready")
    return str(ready["status"]) if ready is not None else ""


def _unknown(kind: str, known: Object | None, moment: str, created: str) -> Object:
    if known is None:
        return {
            "type": kind,
            "status": "Unknown",
            "lastHeartbeatTime": created,
            "lastTransitionTime": moment,
            "reason": "NodeStatusNeverUpdated",
            "message": "Kubelet never posted node status.",
        }
    return {
        **known,
        "status": "Unknown",
        "lastTransitionTime": moment,
        "reason": "NodeStatusUnknown",
        "message": "Kubelet stopped posting node status.",
    }


def _no_execute(node: Object) -> list[str]:
    key = {"False": NOT_READY, "Unknown": UNREACHABLE}.get(_ready_status(node))
    return [key] if key is not None else []


def _no_schedule(node: Object) -> list[str]:
    keys = _no_execute(node)
    for kind, taint in _PRESSURE_TAINTS.items():
        pressure = condition(node, kind)
        if pressure is not None and pressure["status"] == "True":
            keys.append(taint)
    if node["spec"].get("unschedulable"):
        keys.append(_UNSCHEDULABLE)
    return keys
