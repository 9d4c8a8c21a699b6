"""A watch over HTTP: JSON lines (or protobuf frames) in chunks, as long as the client reads them.

Every version of an object is encoded once and its bytes shared by all watches that want it plain. A client that
stops reading is cut off: after a while of silence by the timer, before that by the bounded backlog of its
subscription.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import msgspec
from aiohttp import web
from aiohttp.http import StreamWriter

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.conversion import from_stored, is_converted
from seatrial.sandbox.apiserver.lists import ListOptions, parse_revision
from seatrial.sandbox.apiserver.negotiation import Form
from seatrial.sandbox.apiserver.onward.socket_answers import is_websocket, send_events
from seatrial.sandbox.apiserver.printers.table import partial, table
from seatrial.sandbox.apiserver.protobuf.objects import write_event
from seatrial.sandbox.apiserver.resources import Resource
from seatrial.sandbox.apiserver.selectors import Selector
from seatrial.sandbox.apiserver.store import Record, Store, Subscription, TooOldError
from seatrial.sandbox.apiserver.watching import Event, event_of

WRITE_PATIENCE_SECONDS = 30.0
BOOKMARK_SECONDS = 60.0
_LAST_BOOKMARK_SECONDS = 1.5  # before the end
_LEAST_SECONDS = 1800
_NO_NAMES = {"plural": "", "kind": ""}
# What Go writes of an object in which nothing is set: bookmarks carry one.
_EMPTY: dict[str, Object] = {
    "pods": {"spec": {"containers": None}, "status": {}},
    "customresourcedefinitions.apiextensions.k8s.io": {
        "spec": {"group": "", "names": _NO_NAMES, "scope": "", "versions": None},
        "status": {"conditions": None, "acceptedNames": _NO_NAMES, "storedVersions": None},
    },
}


class WatchStream:
    """One watch of one client."""

    def __init__(
        self,
        store: Store,
        resource: Resource,
        namespace: str | None,
        options: ListOptions,
        form: Form,
        *,
        include: str = "",
    ) -> None:
        self._store = store
        self._resource = resource
        self._namespace = namespace
        self._options = options
        self._form = form
        self._include = include
        self._selector = Selector(
            options.label_selector,
            options.field_selector,
            group=resource.group,
            plural=resource.plural,
            selectable=resource.selectable,
        )
        self._header_sent = False
        self._since = self._start()

    def _start(self) -> int | None:
        """The revision to begin after; None for the current state first. 500 for garbage, as Kubernetes answers it."""
        text = self._options.resource_version
        if text in ("", "0") or self._options.send_initial_events:
            return None
        try:
            return parse_revision(text)
        except ValueError as error:
            message = f'resourceVersion: Invalid value: "{text}": {error}'
            raise statuses.failure(500, "", message) from None

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer with the stream until it ends or the client goes."""
        if is_websocket(request):
            return await send_events(request, self.chunks())
        response = web.StreamResponse(
            headers={"Content-Type": self._content_type(), "Cache-Control": "no-cache, private"}
        )
        response.enable_chunked_encoding()
        writer = cast("StreamWriter", await response.prepare(request))
        try:
            async with aclosing(self.chunks()) as chunks:
                async for chunk in chunks:
                    await writer.write(chunk, drain=False)
                    # A timer costs as much as the rest: only a client that lags is timed.
                    if request.protocol.writing_paused:
                        async with asyncio.timeout(WRITE_PATIENCE_SECONDS):
                            await writer.drain()
            await response.write_eof()
        except (TimeoutError, ConnectionError):
            # The client reads no longer, or is gone: nobody is left to be told.
            if request.transport is not None:
                request.transport.abort()
        return response

    def _content_type(self) -> str:
        suffix = ";stream=watch" if self._form.media == "protobuf" else ""
        return f"{self._form.content_type}{suffix}"

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The events as they are sent, some at a time, until the watch ends."""
        seconds = self._options.timeout_seconds
        if seconds is not None and seconds < 0:
            yield self._error(statuses.failure(500, "InternalError", "context deadline exceeded"))
            return
        if not seconds:
            seconds = _LEAST_SECONDS + random.randrange(_LEAST_SECONDS)  # noqa: S311 -- spreads reconnections
        deadline = time.monotonic() + seconds
        try:
            subscription = self._store.subscribe(self._resource.table, since=self._since)
        except TooOldError as error:
            yield self._error(statuses.gone_resource_version(error.asked, error.oldest))
            return
        try:
            if self._since is None:
                yield self._initial()
            async with aclosing(self._follow(subscription, deadline)) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            subscription.close()

    def _initial(self) -> bytes:
        """What exists, as ADDED; with `sendInitialEvents` a bookmark after it."""
        records = self._store.list(self._resource.table, self._namespace)
        lines = [self._line(Event("ADDED", record)) for record in records if self._selector.matches(record.object)]
        if self._options.send_initial_events and self._options.allow_bookmarks:
            lines.append(self._bookmark({"k8s.io/initial-events-end": "true"}))
        return b"".join(lines)

    async def _follow(self, subscription: Subscription, deadline: float) -> AsyncGenerator[bytes, None]:
        """Changes as they come, and bookmarks: every minute and shortly before the end."""
        alarm = _Alarm(subscription)
        due = alarm.set(self._due(deadline))
        try:
            while (changes := await subscription.next()) or not subscription.closed:
                events = [event_of(change, self._namespace, self._selector) for change in changes]
                lines = [self._line(event) for event in events if event is not None]
                is_over = alarm.rang and due >= deadline
                if alarm.rang and not is_over:
                    # In the step in which all changes were taken: a bookmark must not name a revision that comes
                    # after a change which its client hasn't been sent.
                    lines.append(self._bookmark({}))
                    due = alarm.set(self._due(deadline))
                if lines:
                    yield b"".join(lines)
                if is_over:
                    return
        finally:
            alarm.cancel()

    def _due(self, deadline: float) -> float:
        """When something is to be done though nothing changes: the next bookmark, or the end."""
        now, last = time.monotonic(), deadline - _LAST_BOOKMARK_SECONDS
        return min(now + BOOKMARK_SECONDS, last) if self._options.allow_bookmarks and now < last else deadline

    def _line(self, event: Event) -> bytes:
        is_plain = not self._form.transform and self._form.media == "json"
        if is_plain and not is_converted(self._resource):
            return b'{"type":"%b","object":%b}\n' % (event.type.encode(), whole(self._resource, event.record))
        return self._encoded(event.type, self._shaped(event.record.object))

    def _shaped(self, obj: Object) -> Object:
        if self._form.transform == "Table":
            metadata = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            header, self._header_sent = not self._header_sent, True
            version = self._form.version
            return table(self._resource, [obj], metadata, include=self._include, version=version, header=header)
        if self._form.transform:
            return partial(obj, version=self._form.version)
        return from_stored(self._resource, obj)

    def _bookmark(self, annotations: dict[str, str]) -> bytes:
        metadata: Object = {"resourceVersion": str(self._store.revision)}
        if annotations:
            metadata["annotations"] = annotations
        obj: Object = {"kind": self._resource.kind, "apiVersion": self._resource.api_version, "metadata": metadata}
        if self._form.transform == "Table":
            shaped = table(
                self._resource, [], {"resourceVersion": metadata["resourceVersion"]}, header=not self._header_sent
            )
            self._header_sent = True
            return self._encoded("BOOKMARK", shaped)
        if self._form.transform:
            return self._encoded("BOOKMARK", partial(obj, version=self._form.version))
        return self._encoded("BOOKMARK", obj | _EMPTY.get(self._resource.key, {}))

    def _encoded(self, kind: str, obj: Object) -> bytes:
        if self._form.media == "protobuf":
            return write_event(kind, obj)
        return msgspec.json.encode({"type": kind, "object": obj}) + b"\n"

    def _error(self, error: ApiError) -> bytes:
        return self._encoded("ERROR", error.status)


class _Alarm:
    """Wakes the reader of a subscription at a moment: one timer for all changes until then."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._timer: asyncio.TimerHandle | None = None
        self.rang = False

    def set(self, moment: float) -> float:
        """Ring at a moment of the monotonic clock, which is returned."""
        self.rang = False
        self._timer = asyncio.get_running_loop().call_later(moment - time.monotonic(), self._ring)
        return moment

    def _ring(self) -> None:
        self.rang = True
        self._subscription.wake()

    def cancel(self) -> None:
        """Don't ring any more."""
        if self._timer is not None:
            self._timer.cancel()


def whole(resource: Resource, record: Record) -> bytes:
    """A record's bytes with kind and apiVersion in front."""
    return b'{"kind":"%b","apiVersion":"%b",%b' % (
        resource.kind.encode(),
        resource.api_version.encode(),
        record.encoded[1:],
    )
