"""Following the changes of a collection, through every way in which a watch can break.

A watch in Kubernetes is a long answer that may end at any moment: closed by the server, cut by the network, silent
because the peer is gone, refused with 410 because the history was thrown away. Experiments measure recovery with
it, so it must not miss a deletion and not report one twice. After a short break `Watch` resumes from the last
resourceVersion; after a 410 it lists, and `known_objects` tells the difference.
Sources: Kubernetes documentation, "API Concepts": "Efficient detection of changes", "Watch bookmarks".
"""

import asyncio
from types import TracebackType
from typing import Generic, Self, TypeVar

import msgspec

from seatrial.errors import ClusterError
from seatrial.kube import errors
from seatrial.kube.known_objects import Change, ChangeType, KnownObjects, resource_version_of
from seatrial.kube.lines import LineSplitter, LineTooLongError
from seatrial.kube.listing import ObjectList, Selection, list_objects, object_decoder
from seatrial.kube.retry import Backoff
from seatrial.kube.transport import Transport, decoded

T = TypeVar("T")

_WATCH_SECONDS = 240
_GRACE_SECONDS = 15
_MOST_WAITING = 10_000
_SHORT_SECONDS = 1.0
# The same question would get the same answer.
_FINAL = (errors.Unauthorized, errors.Forbidden, errors.NotFound, errors.BadRequest)
# May pass, but must not be hidden for ever.
_SUSPECT = (errors.CredentialsError, errors.UnexpectedAnswer)
_MOST_SUSPECT = 5


class WatchEvent(msgspec.Struct, Generic[T], frozen=True):
    """One change. `received` is the event loop's time (monotonic seconds) at which its bytes arrived."""

    type: ChangeType
    object: T
    received: float


class _Line(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""


class _Bookmark(msgspec.Struct, frozen=True):
    metadata: _Meta


_line_decoder = msgspec.json.Decoder(_Line)
_bookmark_decoder = msgspec.json.Decoder(_Bookmark)
_status_decoder = msgspec.json.Decoder(errors.Status)


class Watch(Generic[T]):
    """The changes of a collection; use with `async with`, then iterate.

    On entry the collection is listed: `snapshot` holds it, and the iteration goes on from there without a gap. A task
    of its own reads the stream, so that arrival times are true however slow the reader is; it ends with the block.

    Raises:
        ClusterError: on entry or while iterating, when asking again can't help (403, 404, ...). What passes (closed
            connections, 410, 429, 5xx, an unreachable server) is waited for, however long it takes.
    """

    def __init__(
        self,
        transport: Transport,
        selection: Selection,
        object_type: type[T],
        *,
        watch_seconds: int = _WATCH_SECONDS,
        grace_seconds: float = _GRACE_SECONDS,
        backoff: Backoff | None = None,
        most_waiting: int = _MOST_WAITING,
    ) -> None:
        """The watch that `Client.watch` makes.

        Args:
            transport: how to ask.
            selection: what to ask for.
            object_type: what objects are decoded to.
            watch_seconds: how long the server shall keep a stream open; it ends by itself then, and another begins.
            grace_seconds: after so much more without a byte the connection counts as dead.
            backoff: the waits between tries.
            most_waiting: the most events that wait for the reader, before the stream is read on.
        """
        self.snapshot: list[T] = []
        self.is_streaming = False
        """Whether a stream is open: what happens arrives at once."""
        self._seen_until = 0.0
        self._openings = 0
        self._suspects = 0
        self._transport = transport
        self._selection = selection
        self._type = object_type
        self._decoder = object_decoder(object_type)  # type: ignore[arg-type]  # types are hashable
        self._watch_seconds = watch_seconds
        self._silence_seconds = watch_seconds + grace_seconds
        self._known: KnownObjects[T] = KnownObjects()
        self._resource_version: str | None = None
        self._backoff = backoff or Backoff(first_seconds=0.05, most_seconds=10.0)
        # Bounded: a reader that stands still makes us stop reading, not grow.
        self._waiting: asyncio.Queue[WatchEvent[T] | Exception] = asyncio.Queue(most_waiting)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        listed = await self._list()
        await asyncio.sleep(0)  # a long list was decoded, and will be looked through: others have their turn between
        self._known.begin_with(listed.items)
        self._seen_until = asyncio.get_running_loop().time()
        self.snapshot = listed.items
        self._resource_version = listed.resource_version
        self._task = asyncio.create_task(self._follow(), name=f"watch {self._selection.path}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._waiting.empty():
            self._waiting.put_nowait(StopAsyncIteration())  # wakes a reader in another task

    @property
    def reconnections(self) -> int:
        """How often the stream had to be opened again; what happened meanwhile was received late."""
        return max(0, self._openings - 1)

    @property
    def has_streamed(self) -> bool:
        """Whether a stream was opened so far: what may be listed need not be allowed to be watched."""
        return self._openings > 0

    @property
    def seen_until(self) -> float:
        """The event loop's time up to which changes have been seen: this moment, while a stream is open."""
        return asyncio.get_running_loop().time() if self.is_streaming else self._seen_until

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WatchEvent[T]:
        if self._task is None or (self._task.done() and self._waiting.empty()):
            raise StopAsyncIteration
        event = await self._waiting.get()
        if isinstance(event, Exception):
            raise event
        return event

    async def _follow(self) -> None:
        """Read for ever; what ends it is handed to the reader as the last element."""
        try:
            while True:
                delay = await self._follow_once()
                if delay:
                    await asyncio.sleep(delay)
        except Exception as error:  # noqa: BLE001 -- raised again where the reader stands
            await self._waiting.put(error)

    async def _follow_once(self) -> float:
        """List or stream once, and say how long to wait before the next time."""
        began = asyncio.get_running_loop().time()
        try:
            if self._resource_version is None:
                await self._relist()
                return 0.0
            await self._stream(self._resource_version)
        except errors.Gone:
            self._resource_version = None
            return self._backoff.next_delay()
        except ClusterError as error:
            if self._is_final(error):
                raise
            return self._backoff.next_delay(at_least=getattr(error, "retry_after_seconds", None) or 0.0)
        if asyncio.get_running_loop().time() - began < _SHORT_SECONDS:
            return self._backoff.next_delay()
        self._backoff.reset()
        return 0.0

    def _is_final(self, error: ClusterError) -> bool:
        """Whether the reader has to know instead of waiting on."""
        if isinstance(error, _SUSPECT):
            self._suspects += 1
        return isinstance(error, _FINAL) or self._suspects >= _MOST_SUSPECT

    async def _list(self) -> ObjectList[T]:
        return await list_objects(self._transport, self._selection, self._type)

    async def _relist(self) -> None:
        listed = await self._list()
        received = self._seen_until = asyncio.get_running_loop().time()
        for change in self._known.apply_list(listed.items, listed.resource_version):
            await self._tell(change, received)
        self._resource_version = listed.resource_version

    async def _stream(self, resource_version: str) -> None:
        params = {
            **self._selection.params,
            "watch": True,
            "allowWatchBookmarks": True,
            "resourceVersion": resource_version,
            "timeoutSeconds": self._watch_seconds,
        }
        headers = {"Accept": self._selection.accept("PartialObjectMetadata")}
        lines = LineSplitter()
        loop = asyncio.get_running_loop()
        async with self._transport.stream(
            self._selection.path, params=params, headers=headers, silence_seconds=self._silence_seconds
        ) as chunks:
            self._openings += 1
            self.is_streaming = True
            try:
                async for chunk in chunks:
                    received = loop.time()
                    for line in _fed(lines, chunk):
                        await self._take(line, received)
            finally:
                self.is_streaming = False
                self._seen_until = loop.time()

    async def _take(self, line: bytes, received: float) -> None:
        event = decoded(_line_decoder, line)
        if event.type == "ERROR":
            status = decoded(_status_decoder, event.object)
            raise errors.error_for_status(status, code=status.code or 500)
        if event.type == "BOOKMARK":
            self._resource_version = decoded(_bookmark_decoder, event.object).metadata.resource_version
        else:
            item: T = decoded(self._decoder, event.object)
            change = self._known.apply_event(event.type, item)
            self._resource_version = resource_version_of(item)
            if change is not None:
                await self._tell(change, received)
        self._backoff.reset()
        self._suspects = 0

    async def _tell(self, change: Change[T], received: float) -> None:
        await self._waiting.put(WatchEvent(change.type, change.object, received))


def _fed(lines: LineSplitter, chunk: bytes) -> list[bytes]:
    try:
        return lines.feed(chunk)
    except LineTooLongError as error:
        raise errors.UnexpectedAnswer(f"a watch sent {error}") from error
