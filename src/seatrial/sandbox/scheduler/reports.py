"""What the scheduler writes about pods: its events, their PodScheduled condition, and the end of those that must go."""

import asyncio
import os
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import structlog

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.controllers.disruption_target import disrupted_conditions
from seatrial.sandbox.controllers.objects import condition, is_terminating, name_of, namespace_of, uid_of
from seatrial.sandbox.timestamps import Clock, to_micro_time, to_time

SCHEDULER: Final = "default-scheduler"
_MOST_WAITING: Final = 5000
_HARMLESS: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT})

_log = structlog.get_logger(__name__)


class Reporter:
    """Writes events, when there is time, and conditions, at once.

    Args:
        api: the API server.
        now: the wall clock.
    """

    def __init__(self, api: Api, now: Clock) -> None:
        self._api = api
        self._now = now
        self._events: asyncio.Queue[Object] = asyncio.Queue(maxsize=_MOST_WAITING)

    async def run(self) -> None:
        """Write events until cancelled: no pod waits for its neighbour's."""
        while True:
            event = await self._events.get()
            try:
                await self._api.create("events.events.k8s.io", event, event["metadata"]["namespace"])
            except ApiError as error:
                _log.debug("event not written", reason=event["reason"], error=str(error))

    def scheduled(self, pod: Object, node: str) -> None:
        """A pod has its node."""
        message = f"Successfully assigned {namespace_of(pod)}/{name_of(pod)} to {node}"
        self._tell(pod, "Normal", "Scheduled", message, action="Binding")

    async def unschedulable(self, pod: Object, message: str, *, nominated: str | None) -> None:
        """A pod fits nowhere; `nominated` is the node where room is being made for it."""
        known = condition(pod, "PodScheduled")
        status: Object = {}
        if known is None or known["status"] != "False" or known.get("message") != message:
            self._tell(pod, "Warning", "FailedScheduling", message, action="Scheduling")
            status["conditions"] = _with_condition(pod, self._unscheduled(pod, known, message))
        if (pod["status"].get("nominatedNodeName") or None) != nominated:
            status["nominatedNodeName"] = nominated
        if status:
            await self._patch_status(pod, status)

    def _unscheduled(self, pod: Object, known: Object | None, message: str) -> Object:
        same = known is not None and known["status"] == "False"
        return {
            "type": "PodScheduled",
            **_generation(pod),
            "status": "False",
            "lastProbeTime": None,
            "lastTransitionTime": known["lastTransitionTime"] if same and known is not None else to_time(self._now()),
            "reason": "Unschedulable",
            "message": message,
        }

    async def withdraw_nomination(self, pod: Object) -> None:
        """No room is made for a pod any longer."""
        await self._patch_status(pod, {"nominatedNodeName": None})

    async def preempt(self, victim: Object, by: Object, node: str) -> None:
        """End a pod so that a more important one finds room."""
        if not is_terminating(victim):
            scheduler = by["spec"].get("schedulerName", SCHEDULER)
            conditions = disrupted_conditions(
                victim,
                reason="PreemptionByScheduler",
                message=f"{scheduler}: preempting to accommodate a higher priority pod",
                now=self._now(),
            )
            await self._patch_status(victim, {"conditions": conditions})
            try:
                await self._api.delete("pods", name_of(victim), namespace_of(victim), uid=uid_of(victim))
            except ApiError as error:
                if error.code not in _HARMLESS:
                    raise
        message = f"Preempted by pod {uid_of(by)} on node {node}"
        self._tell(victim, "Normal", "Preempted", message, action="Preempting", related=by)

    async def _patch_status(self, pod: Object, status: Object) -> None:
        patch = {"metadata": {"uid": uid_of(pod)}, "status": status}
        try:
            await self._api.patch("pods", name_of(pod), namespace_of(pod), patch, subresource="status")
        except ApiError as error:
            if error.code not in _HARMLESS:
                raise

    def _tell(
        self, pod: Object, kind: str, reason: str, message: str, *, action: str, related: Object | None = None
    ) -> None:
        event = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{name_of(pod)}.{time.time_ns():x}", "namespace": namespace_of(pod)},
            "regarding": {**_reference(pod), "resourceVersion": pod["metadata"]["resourceVersion"]},
            "reason": reason,
            "note": message,
            "type": kind,
            "eventTime": to_micro_time(self._now()),
            "action": action,
            "reportingController": SCHEDULER,
            "reportingInstance": f"{SCHEDULER}-{os.uname().nodename}",
        }
        if related is not None:
            event["related"] = _reference(related)
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            _log.warning("event dropped: too many are waiting", reason=reason)


def _reference(pod: Object) -> Object:
    return {
        "kind": "Pod",
        "namespace": namespace_of(pod),
        "name": name_of(pod),
        "uid": uid_of(pod),
        "apiVersion": "v1",
    }


def _generation(pod: Object) -> Object:
    generation = pod["metadata"].get("generation")
    return {"observedGeneration": generation} if generation else {}


def _with_condition(pod: Object, entry: Object) -> Sequence[Object]:
    others = [old for old in pod["status"].get("conditions") or () if old["type"] != entry["type"]]
    return [*others, entry]
