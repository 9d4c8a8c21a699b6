"""Events (the API kind): what a component tells the people who run `kubectl describe`.

Recording never waits and never fails its caller: a queue takes the event, a task of its own writes it. The same
event of the same object is counted up instead of written anew, and similar ones are combined, as Kubernetes does.
"""

import asyncio
import itertools
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, NamedTuple

import structlog

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.controllers.timestamps import Clock, to_time, utc_now
from seatrial.sandbox.similar_events import SimilarEvents

_log = structlog.get_logger(__name__)

_MOST_WAITING: Final = 5000
_MOST_REMEMBERED: Final = 2000


class _Told(NamedTuple):
    component: str
    about: Object
    kind: str
    reason: str
    message: str


class EventRecorder:
    """Writes events for the components of a process."""

    def __init__(self, api: Api, *, now: Clock = utc_now) -> None:
        self._api = api
        self._now = now
        self._told: asyncio.Queue[_Told] = asyncio.Queue(maxsize=_MOST_WAITING)
        self._similar = SimilarEvents()
        self._written: OrderedDict[Hashable, tuple[str, int]] = OrderedDict()
        self._numbers = itertools.count(time.time_ns())

    def record(self, component: str, about: Object, reason: str, message: str, *, kind: str = "Normal") -> None:
        """Tell something about an object.

        Args:
            component: who tells it, `replicaset-controller`.
            about: needs kind, apiVersion and metadata.
            reason: one CamelCase word.
            message: for people.
            kind: `Normal` or `Warning`.
        """
        try:
            self._told.put_nowait(_Told(component, about, kind, reason, message))
        except asyncio.QueueFull:
            _log.warning("event dropped: too many are waiting", reason=reason)

    async def run(self) -> None:
        """Write what was told, until cancelled."""
        while True:
            told = await self._told.get()
            try:
                await self._write(told)
            except ApiError as error:
                # Mostly a namespace on its way out. An event is worth no second try.
                _log.debug("event not written", reason=told.reason, error=str(error))

    async def _write(self, told: _Told) -> None:
        about = told.about["metadata"]
        namespace = about.get("namespace") or "default"
        group = (told.component, told.kind, told.reason, about.get("uid", ""), about["name"])
        same, message = self._similar.combine(group, told.message)
        now = to_time(self._now())
        if same in self._written:
            name, count = self._written[same]
            try:
                counted = {"count": count + 1, "lastTimestamp": now, "message": message}
                await self._api.patch("events", name, namespace, counted)
            except ApiError as error:
                if error.code != 404:
                    raise
            else:
                self._written[same] = (name, count + 1)
                self._written.move_to_end(same)
                return
        name = f"{about['name']}.{next(self._numbers):x}"
        await self._api.create("events", self._event(told._replace(message=message), name, namespace, now), namespace)
        self._written[same] = (name, 1)
        if len(self._written) > _MOST_REMEMBERED:
            self._written.popitem(last=False)

    def _event(self, told: _Told, name: str, namespace: str, now: str) -> Object:
        about = told.about["metadata"]
        involved = {
            "kind": told.about.get("kind"),
            "namespace": about.get("namespace"),
            "name": about["name"],
            "uid": about.get("uid"),
            "apiVersion": told.about.get("apiVersion"),
            "resourceVersion": about.get("resourceVersion"),
        }
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {key: value for key, value in involved.items() if value},
            "reason": told.reason,
            "message": told.message,
            "source": {"component": told.component},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": told.kind,
            "reportingComponent": told.component,
            "reportingInstance": "",
        }
