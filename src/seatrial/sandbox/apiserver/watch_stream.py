"""A watch over HTTP: JSON lines in chunks, as long as the client reads them.

Every version of an object is encoded once and its bytes shared by all watches that want it plain. A client that
stops reading is cut off: after a while of silence by the timer, before that by the bounded backlog of its
subscription.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from aiohttp import web

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.conversion import from_stored, is_converted
from seatrial.sandbox.apiserver.lists import ListOptions, parse_revision
from seatrial.sandbox.apiserver.negotiation import Form
from seatrial.sandbox.apiserver.printers.table import partial, table
from seatrial.sandbox.apiserver.resources import Resource
from seatrial.sandbox.apiserver.selectors import Selector
from seatrial.sandbox.apiserver.store import Record, Store, Subscription, TooOldError
from seatrial.sandbox.apiserver.watching import Event, event_of

WRITE_PATIENCE_SECONDS = 30.0
BOOKMARK_SECONDS = 60.0
_LEAST_SECONDS = 1800


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
            options.label_selector, options.field_selector, group=resource.group, plural=resource.plural
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
        response = web.StreamResponse(
            headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
        )
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            async with aclosing(self._lines()) as lines:
                async for line in lines:
                    async with asyncio.timeout(WRITE_PATIENCE_SECONDS):
                        await response.write(line)
            await response.write_eof()
        except (TimeoutError, ConnectionError):
            # The client reads no longer, or is gone: nobody is left to be told.
            if request.transport is not None:
                request.transport.abort()
        return response

    async def _lines(self) -> AsyncGenerator[bytes, None]:
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
        last = deadline - 1.5
        due = min(time.monotonic() + BOOKMARK_SECONDS, last) if self._options.allow_bookmarks else deadline
        while (moment := time.monotonic()) < deadline:
            try:
                async with asyncio.timeout(min(due, deadline) - moment if due > moment else deadline - moment):
                    changes = await subscription.next()
            except TimeoutError:
                if self._options.allow_bookmarks and time.monotonic() < deadline:
                    yield self._bookmark({})
                    due = min(time.monotonic() + BOOKMARK_SECONDS, last)
                    due = due if due > time.monotonic() else deadline
                continue
            if not changes:
                return
            events = (event_of(change, self._namespace, self._selector) for change in changes)
            lines = [self._line(event) for event in events if event is not None]
            if lines:
                yield b"".join(lines)

    def _line(self, event: Event) -> bytes:
        if not self._form.transform and not is_converted(self._resource):
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
        if self._resource.key == "pods":
            obj |= {"spec": {"containers": None}, "status": {}}
        return self._encoded("BOOKMARK", obj)

    @staticmethod
    def _encoded(kind: str, obj: Object) -> bytes:
        return msgspec.json.encode({"type": kind, "object": obj}) + b"\n"

    def _error(self, error: ApiError) -> bytes:
        return self._encoded("ERROR", error.status)


def whole(resource: Resource, record: Record) -> bytes:
    """A record's bytes with kind and apiVersion in front."""
    return b'{"kind":"%b","apiVersion":"%b",%b' % (
        resource.kind.encode(),
        resource.api_version.encode(),
        record.encoded[1:],
    )
