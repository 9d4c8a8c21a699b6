"""Events (the API kind): what a component tells the people who run `kubectl describe`.

Recording never waits and never fails its caller: a queue takes the event, a task of its own writes it. As client-go's
recorder does it, the same event of the same object is counted up instead of written anew, similar ones are combined,
and each object may have 25 in a row and one more every five minutes from one component. Events are news, not records:
those that the API server can't take are lost. The scheduler writes its own, in the newer form (`scheduler.reports`).
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.rules.similar_events import SimilarEvents
from seatrial.sandbox.timestamps import Clock, to_time, utc_now

_log = structlog.get_logger(__name__)

_MOST_WAITING: Final = 5000
_MOST_REMEMBERED: Final = 2000
_BURST: Final = 25
_SECONDS_PER_TOKEN: Final = 300.0
_NOT_FOUND: Final = 404


class _Told(NamedTuple):
    component: str
    about: Object
    kind: str
    reason: str
    message: str
    field_path: str


@dataclass
class _Tokens:
    """How many more events of an object may be written."""

    updated_at: float
    left: float = _BURST

    def take(self, now: float) -> bool:
        """Whether one more may be; it is taken off."""
        self.left = min(self.left + (now - self.updated_at) / _SECONDS_PER_TOKEN, _BURST)
        self.updated_at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class EventRecorder:
    """Writes events for the components of a process.

    Args:
        api: where they go.
        now: the wall clock.
        host: the machine that they are told from; empty for the control plane's.
    """

    def __init__(self, api: Api, *, now: Clock = utc_now, host: str = "") -> None:
        self._api = api
        self._now = now
        self._host = host
        self._told: asyncio.Queue[_Told] = asyncio.Queue(maxsize=_MOST_WAITING)
        self._similar = SimilarEvents()
        self._written: OrderedDict[Hashable, tuple[str, int]] = OrderedDict()
        self._tokens: OrderedDict[Hashable, _Tokens] = OrderedDict()
        self._last_number = 0

    def record(
        self, component: str, about: Object, reason: str, message: str, *, kind: str = "Normal", field_path: str = ""
    ) -> None:
        """Tell something about an object.

        Args:
            component: who tells it, `replicaset-controller`.
            about: needs kind, apiVersion and metadata.
            reason: one CamelCase word.
            message: for people.
            kind: `Normal` or `Warning`.
            field_path: the part of the object, such as `spec.containers{web}`; empty for all of it.
        """
        if not self._may_tell(component, about):
            return
        try:
            self._told.put_nowait(_Told(component, about, kind, reason, message, field_path))
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

    def _may_tell(self, component: str, about: Object) -> bool:
        metadata = about["metadata"]
        key = (component, metadata.get("uid") or (about.get("kind"), metadata.get("namespace"), metadata["name"]))
        now = asyncio.get_running_loop().time()
        tokens = self._tokens.setdefault(key, _Tokens(now))
        self._tokens.move_to_end(key)
        if len(self._tokens) > _MOST_REMEMBERED:
            self._tokens.popitem(last=False)
        return tokens.take(now)

    async def _write(self, told: _Told) -> None:
        about = told.about["metadata"]
        namespace = about.get("namespace") or "default"
        group = (told.component, told.kind, told.reason, about.get("uid", ""), about["name"], told.field_path)
        same, message = self._similar.combine(group, told.message)
        now = to_time(self._now())
        if same in self._written and await self._count(same, namespace, message, now):
            return
        name = f"{about['name']}.{self._next_number():x}"
        await self._api.create("events", self._event(told._replace(message=message), name, namespace, now), namespace)
        self._written[same] = (name, 1)
        if len(self._written) > _MOST_REMEMBERED:
            self._written.popitem(last=False)

    async def _count(self, same: Hashable, namespace: str, message: str, now: str) -> bool:
        """Count a written event up; False if it is gone."""
        name, count = self._written[same]
        counted = {"count": count + 1, "lastTimestamp": now, "message": message}
        try:
            await self._api.patch("events", name, namespace, counted)
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise
            return False
        self._written[same] = (name, count + 1)
        self._written.move_to_end(same)
        return True

    def _next_number(self) -> int:
        """Rising, so that a list, which is sorted by name, tells events of the same second in their order."""
        self._last_number = max(self._last_number + 1, time.time_ns())
        return self._last_number

    def _event(self, told: _Told, name: str, namespace: str, now: str) -> Object:
        about = told.about["metadata"]
        involved = {
            "kind": told.about.get("kind"),
            "namespace": about.get("namespace"),
            "name": about["name"],
            "uid": about.get("uid"),
            "apiVersion": told.about.get("apiVersion"),
            "resourceVersion": about.get("resourceVersion"),
            "fieldPath": told.field_path,
        }
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {key: value for key, value in involved.items() if value},
            "reason": told.reason,
            "message": told.message,
            "source": {"component": told.component, **({"host": self._host} if self._host else {})},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": told.kind,
            "eventTime": None,
            "reportingComponent": told.component,
            "reportingInstance": self._host,
        }
