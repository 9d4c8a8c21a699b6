"""Events: what the kubelet tells about its pods and its node, as `kubectl describe` shows it.

The same event again raises the count of the first, and similar ones are combined; each object may have 25 in a row and
one more every five minutes (as client-go's recorder does). Events are news, not records: those that the API server
can't take are lost.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import structlog

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.kubelet.times import format_seconds
from seatrial.sandbox.similar_events import SimilarEvents

EventType = Literal["Normal", "Warning"]
_MOST_QUEUED: Final = 1000
_MOST_REMEMBERED: Final = 1024
_BURST: Final = 25
_SECONDS_PER_TOKEN: Final = 300.0
_NOT_FOUND: Final = 404
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class EventReason:
    """An event without its object."""

    type: EventType
    reason: str
    message: str
    field_path: str = ""


@dataclass
class _Tokens:
    left: float = _BURST
    updated_at: float = field(default_factory=time.monotonic)

    def take(self) -> bool:
        """Whether one more event of the object may be sent."""
        now = time.monotonic()
        self.left = min(self.left + (now - self.updated_at) / _SECONDS_PER_TOKEN, _BURST)
        self.updated_at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class EventRecorder:
    """Takes events without waiting and sends them in order.

    Args:
        api: where they go.
        node_name: whose kubelet tells them.
        clock: seconds since the epoch.
    """

    def __init__(self, api: Api, *, node_name: str, clock: Callable[[], float] = time.time) -> None:
        self._api = api
        self._node_name = node_name
        self._clock = clock
        self._queue: asyncio.Queue[tuple[Object, EventReason]] = asyncio.Queue(_MOST_QUEUED)
        self._similar = SimilarEvents()
        self._sent: OrderedDict[Hashable, Object] = OrderedDict()
        self._tokens: OrderedDict[str, _Tokens] = OrderedDict()

    def record(self, involved: Object, event: EventReason) -> None:
        """Tell an event of an object."""
        tokens = self._tokens.setdefault(involved["metadata"].get("uid", ""), _Tokens())
        if len(self._tokens) > _MOST_REMEMBERED:
            self._tokens.popitem(last=False)
        if tokens.take() and not self._queue.full():
            self._queue.put_nowait((involved, event))

    async def run(self) -> None:
        """Send them, until cancelled."""
        while True:
            involved, event = await self._queue.get()
            try:
                await self._send(involved, event)
            except ApiError as error:
                _log.debug("event lost", reason=event.reason, error=str(error))

    async def _send(self, involved: Object, event: EventReason) -> None:
        metadata = involved["metadata"]
        group = (metadata.get("uid", ""), event.type, event.reason, event.field_path)
        key, message = self._similar.combine(group, event.message)
        known = self._sent.get(key)
        if known is not None and await self._count(key, known, message):
            return
        event = replace(event, message=message)
        created = await self._api.create("events", self._body(involved, event), metadata.get("namespace", "default"))
        self._remember(key, created)

    async def _count(self, key: Hashable, known: Object, message: str) -> bool:
        count = int(known.get("count") or 1) + 1
        patch = {"count": count, "lastTimestamp": format_seconds(self._clock()), "message": message}
        metadata = known["metadata"]
        try:
            self._remember(key, await self._api.patch("events", metadata["name"], metadata["namespace"], patch))
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise
            return False
        return True

    def _remember(self, key: Hashable, event: Object) -> None:
        self._sent[key] = {"metadata": event["metadata"], "count": event.get("count", 1)}
        self._sent.move_to_end(key)
        if len(self._sent) > _MOST_REMEMBERED:
            self._sent.popitem(last=False)

    def _body(self, involved: Object, event: EventReason) -> Object:
        metadata = involved["metadata"]
        reference = {
            "kind": involved.get("kind", "Pod"),
            "apiVersion": involved.get("apiVersion", "v1"),
            "name": metadata["name"],
            "uid": metadata.get("uid", ""),
        }
        if metadata.get("namespace"):
            reference |= {"namespace": metadata["namespace"], "resourceVersion": metadata.get("resourceVersion", "")}
        if event.field_path:
            reference["fieldPath"] = event.field_path
        now = format_seconds(self._clock())
        return {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {
                # Rising, so that a list, which is sorted by name, tells events of the same second in their order.
                "name": f"{metadata['name']}.{time.time_ns():x}",
                "namespace": metadata.get("namespace", "default"),
            },
            "involvedObject": reference,
            "reason": event.reason,
            "message": event.message,
            "source": {"component": "kubelet", "host": self._node_name},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": event.type,
            "eventTime": None,
            "reportingComponent": "kubelet",
            "reportingInstance": self._node_name,
        }
