"""The scheduler: gives each pod a node.

Two steps as in Kubernetes, filter then score: nodes on which the pod can't run fall out (`scheduling_filters.py`),
of the others the best one is taken: pods of one owner spread over zones, then over nodes, then to where the least is
requested. A pod that fits nowhere says why, and is tried again when a node or a pod changes; nothing is polled.
Behaviour: Kubernetes documentation, "Scheduling, Preemption and Eviction". No preemption.
"""

import asyncio
import os
import time
from collections import Counter
from http import HTTPStatus
from typing import Final

import structlog

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.controllers.objects import (
    condition,
    is_active,
    is_finished,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from seatrial.sandbox.controllers.timestamps import Clock, to_micro_time, to_time, utc_now
from seatrial.sandbox.informer import Informer, Key, key_of
from seatrial.sandbox.node_room import Request, request_of
from seatrial.sandbox.placements import Placements
from seatrial.sandbox.scheduling_filters import ZONE, reasons_against
from seatrial.sandbox.work_queue import WorkQueue

_NAME: Final = "default-scheduler"

_log = structlog.get_logger(__name__)


class Scheduler:
    """Binds pods to nodes.

    Args:
        api: the API server.
        now: the wall clock.
    """

    def __init__(self, api: Api, *, now: Clock = utc_now) -> None:
        self._api = api
        self._now = now
        self._queue: WorkQueue[Key] = WorkQueue("scheduler")
        self._pods = Informer(api, "pods")
        self._nodes = Informer(api, "nodes")
        self._placements = Placements()
        self._waiting: set[Key] = set()
        self._pods.add_handler(self._pod_changed)
        self._nodes.add_handler(self._node_changed)

    async def run(self) -> None:
        """Schedule until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pods.run())
            group.create_task(self._nodes.run())
            await self._nodes.wait_synced()
            await self._pods.wait_synced()
            # One pod at a time, as each placement bears on the next.
            group.create_task(self._queue.work(self._schedule))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new or old
        if pod is None:
            return
        node = pod["spec"].get("nodeName")
        if not node:
            self._unbound_changed(old, new)
            return
        self._waiting.discard(key_of(pod))
        if new is None or is_finished(new):
            if self._placements.remove(pod):
                self._try_waiting()
            return
        self._placements.put(new, node)
        if old is None or not old["spec"].get("nodeName") or labels_of(old) != labels_of(new):
            self._try_waiting(only_affine=True)

    def _unbound_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            if old is not None:
                self._waiting.discard(key_of(old))
            return
        changed = old is None or old["spec"] != new["spec"] or labels_of(old) != labels_of(new)
        if changed and not is_terminating(new) and new["spec"].get("schedulerName", _NAME) == _NAME:
            self._queue.add(key_of(new))

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None or old is None or _matters(old) != _matters(new):
            self._try_waiting()

    def _try_waiting(self, *, only_affine: bool = False) -> None:
        """Look again at pods that fitted nowhere: all of them, or those for which other pods' whereabouts matter."""
        for key in list(self._waiting):
            pod = self._pods.get(*key)
            if only_affine and pod is not None and not pod["spec"].get("affinity"):
                continue
            self._waiting.discard(key)
            self._queue.add(key)

    async def _schedule(self, key: Key) -> None:
        pod = self._pods.get(*key)
        if pod is None or pod["spec"].get("nodeName") or not is_active(pod) or pod["spec"].get("schedulingGates"):
            return
        request = request_of(pod)
        fitting, reasons = self._filter(pod, request)
        if not fitting:
            self._waiting.add(key)
            await self._say_unschedulable(pod, reasons)
            return
        node = self._best(pod, request, fitting)
        self._placements.put(pod, name_of(node))
        try:
            await self._bind(pod, name_of(node))
        except ApiError as error:
            self._placements.remove(pod)
            if error.code not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                raise

    def _filter(self, pod: Object, request: Request) -> tuple[list[Object], Counter[str]]:
        fitting = []
        reasons: Counter[str] = Counter()
        nodes = self._nodes.list()
        labels = {name_of(node): labels_of(node) for node in nodes}
        for node in nodes:
            against = reasons_against(pod, request, node, self._placements.rooms, labels)
            if against:
                reasons.update(against)
            else:
                fitting.append(node)
        return fitting, reasons

    def _best(self, pod: Object, request: Request, fitting: list[Object]) -> Object:
        """Fewest siblings in the zone, fewest on the node, least requested; by name to be predictable."""
        on_node = self._placements.siblings(pod)
        zone_of = {name_of(node): labels_of(node).get(ZONE, "") for node in self._nodes.list()}
        in_zone: Counter[str] = Counter()
        for node, count in on_node.items():
            in_zone[zone_of.get(node, "")] += count

        def rank(node: Object) -> tuple[float, ...]:
            name = name_of(node)
            room = self._placements.room(name)
            return (in_zone[zone_of[name]], on_node[name], room.load(node, request), len(room.pods))

        return min(fitting, key=lambda node: (rank(node), name_of(node)))

    async def _bind(self, pod: Object, node: str) -> None:
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name_of(pod), "namespace": namespace_of(pod), "uid": uid_of(pod)},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        await self._api.create("pods/binding", binding, namespace_of(pod))
        message = f"Successfully assigned {namespace_of(pod)}/{name_of(pod)} to {node}"
        await self._tell(pod, "Normal", "Scheduled", message, action="Binding")

    async def _say_unschedulable(self, pod: Object, reasons: Counter[str]) -> None:
        message = _unschedulable_message(len(self._nodes.list()), reasons)
        known = condition(pod, "PodScheduled")
        if known is not None and known["status"] == "False" and known.get("message") == message:
            return
        same = known is not None and known["status"] == "False"
        entry: Object = {
            "type": "PodScheduled",
            "status": "False",
            "lastProbeTime": None,
            "lastTransitionTime": known["lastTransitionTime"] if same and known is not None else to_time(self._now()),
            "reason": "Unschedulable",
            "message": message,
        }
        if pod["metadata"].get("generation"):
            entry["observedGeneration"] = pod["metadata"]["generation"]
        others = [old for old in pod["status"].get("conditions") or () if old["type"] != "PodScheduled"]
        patch = {"metadata": {"uid": uid_of(pod)}, "status": {"conditions": [*others, entry]}}
        await self._tell(pod, "Warning", "FailedScheduling", message, action="Scheduling")
        try:
            await self._api.patch("pods", name_of(pod), namespace_of(pod), patch, subresource="status")
        except ApiError as error:
            if error.code not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                raise

    async def _tell(self, pod: Object, kind: str, reason: str, message: str, *, action: str) -> None:
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{name_of(pod)}.{time.time_ns():x}", "namespace": namespace_of(pod)},
            "involvedObject": {
                "kind": "Pod",
                "namespace": namespace_of(pod),
                "name": name_of(pod),
                "uid": uid_of(pod),
                "apiVersion": "v1",
                "resourceVersion": pod["metadata"]["resourceVersion"],
            },
            "reason": reason,
            "message": message,
            "type": kind,
            "eventTime": to_micro_time(self._now()),
            "action": action,
            "reportingComponent": _NAME,
            "reportingInstance": f"{_NAME}-{os.uname().nodename}",
        }
        try:
            await self._api.create("events", event, namespace_of(pod))
        except ApiError as error:
            _log.debug("event not written", reason=reason, error=str(error))


def _matters(node: Object) -> tuple[object, ...]:
    ready = condition(node, "Ready")
    return (
        ready["status"] if ready is not None else None,
        node["spec"].get("taints"),
        node["spec"].get("unschedulable"),
        labels_of(node),
        node.get("status", {}).get("allocatable"),
    )


def _unschedulable_message(nodes: int, reasons: Counter[str]) -> str:
    if not nodes:
        return "no nodes available to schedule pods"
    parts = sorted(f"{count} {reason}" for reason, count in reasons.items())
    return (
        f"0/{nodes} nodes are available: {', '.join(parts)}. preemption: 0/{nodes} nodes are available: "
        f"{nodes} Preemption is not helpful for scheduling."
    )
