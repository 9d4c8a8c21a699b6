"""Every object, its versions and who watches: what etcd and the watch cache are to a real API server.

One counter gives each change its resourceVersion. The last changes of every table are kept, so that a watch can
begin in the past, a page can be read as of its first page, and what is older is honestly refused (410). An object
is encoded at most once per version; lists and all watchers share the bytes. What versions and objects have in common
is kept once (`sharing`).

The store knows nothing of Kubernetes' rules: `operations` applies them before it writes here. All calls are synchronous
and made on the event loop, so a read-check-write needs no lock.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import msgspec

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.sharing import Sharing

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]
HISTORY = 1000  # changes kept per table
BACKLOG = 4096  # changes a watcher may lag behind before it is dropped
FIRST_REVISION = 1000  # what is before counts as compacted, as in a cluster that has lived
_encoder = msgspec.json.Encoder()


class TooOldError(Exception):
    """The past asked for isn't kept any longer."""

    def __init__(self, asked: int, oldest: int) -> None:
        super().__init__(f"{asked} < {oldest}")
        self.asked = asked
        self.oldest = oldest


class Record:
    """One version of one object. Frozen by convention: its dictionary is shared with all readers."""

    __slots__ = ("_encoded", "object", "revision")

    def __init__(self, obj: Object, revision: int) -> None:
        self.object = obj
        self.revision = revision
        self._encoded: bytes | None = None

    @property
    def encoded(self) -> bytes:
        """The object as JSON without `kind` and `apiVersion`, as items of a list are written."""
        if self._encoded is None:
            body = {key: value for key, value in self.object.items() if key not in ("kind", "apiVersion")}
            self._encoded = _encoder.encode(body)
        return self._encoded

    @property
    def namespace(self) -> str:
        """The object's namespace, empty for cluster-wide objects."""
        return str(self.object["metadata"].get("namespace", ""))

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.object["metadata"]["name"])


Records = list[Record]


class Change(NamedTuple):
    """One write: the version it made (for DELETED: the last state with the deletion's revision) and the one before."""

    type: ChangeType
    record: Record
    previous: Record | None

    @property
    def revision(self) -> int:
        """The resourceVersion of this change."""
        return self.record.revision


class Subscription:
    """A watcher's place in the stream of a table's changes; bounded, closed when it lags too far."""

    def __init__(self, table: "_Table", changes: list[Change], backlog: int) -> None:
        self._table = table
        self._pending: deque[Change] = deque(changes)
        self._backlog = backlog
        self._wake = asyncio.Event()
        if changes:
            self._wake.set()
        self.closed = False

    def offer(self, change: Change) -> None:
        """Called by the store for every change."""
        if len(self._pending) >= self._backlog:
            self._pending.clear()
            self.close()
            return
        self._pending.append(change)
        self._wake.set()

    def close(self) -> None:
        """End the stream once what is pending was read."""
        self.closed = True
        self._table.subscriptions.discard(self)
        self._wake.set()

    def wake(self) -> None:
        """Let whoever waits in `next` go on, with nothing if nothing is pending."""
        self._wake.set()

    async def next(self) -> list[Change]:
        """Wait for changes and return all that are pending; empty when the stream has ended, or after `wake`."""
        if not self.closed:
            await self._wake.wait()
        # Cleared in the step in which everything is taken: a `wake` that comes while nobody waits must not be lost.
        self._wake.clear()
        changes = list(self._pending)
        self._pending.clear()
        return changes


class _Table:
    """The objects of one resource, by namespace and name, with their recent changes."""

    def __init__(self, history: int) -> None:
        self.records: dict[tuple[str, str], Record] = {}
        self.changes: deque[Change] = deque(maxlen=history)
        self.forgotten = FIRST_REVISION  # the highest revision that fell out of `changes`
        self.subscriptions: set[Subscription] = set()
        self.listeners: list[Callable[[Change], None]] = []

    def publish(self, change: Change) -> None:
        if self.changes.maxlen is not None and len(self.changes) == self.changes.maxlen:
            self.forgotten = self.changes[0].revision
        self.changes.append(change)
        for listener in self.listeners:
            listener(change)
        for subscription in tuple(self.subscriptions):
            subscription.offer(change)


class Store:
    """All tables under one revision counter."""

    def __init__(self, *, history: int = HISTORY, backlog: int = BACKLOG) -> None:
        self.revision = FIRST_REVISION
        self._history = history
        self._backlog = backlog
        self._tables: dict[str, _Table] = {}
        self._sharing = Sharing()
        self._awaited: dict[asyncio.Future[None], int] = {}

    def _table(self, name: str) -> _Table:
        table = self._tables.get(name)
        if table is None:
            table = self._tables[name] = _Table(self._history)
        return table

    def _stamp(self, obj: Object) -> Record:
        self.revision += 1
        for reached, revision in self._awaited.items():
            if revision <= self.revision and not reached.done():
                reached.set_result(None)
        metadata: dict[str, Any] = {**obj["metadata"], "resourceVersion": str(self.revision)}
        return Record({**obj, "metadata": metadata}, self.revision)

    def get(self, table: str, namespace: str, name: str) -> Record | None:
        """The object as it is, or None."""
        return self._table(table).records.get((namespace, name))

    def list(self, table: str, namespace: str | None = None) -> Records:
        """All objects of a table, or of one namespace of it, by namespace and name."""
        return self._select(self._table(table).records, namespace)

    def list_at(self, table: str, namespace: str | None, revision: int) -> Records:
        """The objects as they were at `revision`; TooOldError when that isn't kept."""
        found = self._table(table)
        if revision < found.forgotten:
            raise TooOldError(revision, found.forgotten)
        records = dict(found.records)
        for change in reversed(found.changes):
            if change.revision <= revision:
                break
            key = (change.record.namespace, change.record.name)
            if change.previous is None:
                records.pop(key, None)
            else:
                records[key] = change.previous
        return self._select(records, namespace)

    @staticmethod
    def _select(records: dict[tuple[str, str], Record], namespace: str | None) -> Records:
        keys = sorted(records) if namespace is None else sorted(key for key in records if key[0] == namespace)
        return [records[key] for key in keys]

    def count(self, table: str) -> int:
        """How many objects a table holds."""
        return len(self._table(table).records)

    def put(self, table: str, namespace: str, name: str, obj: Object) -> Record:
        """Write a version, the first one or the next; the object must not be changed afterwards."""
        found = self._table(table)
        previous = found.records.get((namespace, name))
        record = self._stamp(self._sharing.of_object(obj, previous.object if previous else {}))
        found.records[namespace, name] = record
        found.publish(Change("MODIFIED" if previous else "ADDED", record, previous))
        return record

    def remove(self, table: str, namespace: str, name: str) -> Record:
        """Take an object out; returns its last state under the deletion's revision."""
        found = self._table(table)
        previous = found.records.pop((namespace, name))
        record = self._stamp(previous.object)
        found.publish(Change("DELETED", record, previous))
        return record

    async def wait_for(self, revision: int, *, timeout_seconds: float) -> bool:
        """Wait until a revision has been reached; False if it isn't in time."""
        if revision <= self.revision:
            return True
        reached = asyncio.get_running_loop().create_future()
        self._awaited[reached] = revision
        try:
            async with asyncio.timeout(timeout_seconds):
                await reached
        except TimeoutError:
            return False
        finally:
            del self._awaited[reached]
        return True

    def subscribe(self, table: str, *, since: int | None = None) -> Subscription:
        """Follow a table's changes after `since` (None: from here on); TooOldError when they aren't kept."""
        found = self._table(table)
        missed: list[Change] = []
        if since is not None:
            if since < found.forgotten:
                raise TooOldError(since, found.forgotten)
            missed = [change for change in found.changes if change.revision > since]
        subscription = Subscription(found, missed, self._backlog)
        found.subscriptions.add(subscription)
        return subscription

    def listen(self, table: str, listener: Callable[[Change], None]) -> None:
        """Call `listener` with each change of a table, in the step in which it is made; it must be quick."""
        self._table(table).listeners.append(listener)

    def close(self) -> None:
        """End every watch."""
        for table in self._tables.values():
            for subscription in tuple(table.subscriptions):
                subscription.close()
