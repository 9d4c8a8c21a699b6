"""A local copy of the API server's objects that keeps itself up to date and tells what changed.

Controllers, scheduler, service proxy and kubelets read from informers, so that reading costs nothing and
nobody polls. The copy follows a list with a watch; whatever breaks the watch, the next list is compared with
the copy, so no deletion is missed. Works as client-go's shared informers.

An informer may be behind the server by some events: who acts on it heeds refusals (a conflict, a UID that
doesn't match) or keeps its own expectations (`controllers/expectations.py`).
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import structlog

from seatrial.sandbox.api import Api, ApiError, Object, WatchEvent

Handler = Callable[[Object | None, Object | None], None]
Indexer = Callable[[Object], Iterable[str]]
Key = tuple[str, str]
Objects = list[Object]

_log = structlog.get_logger(__name__)

_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 30.0
# A watch that ends this soon and brought nothing is a failure, or such a server would be asked without pause.
_SHORT_WATCH_SECONDS: Final = 1.0
_GONE: Final = 410


def key_of(item: Object) -> Key:
    """An object's namespace ("" for a cluster-wide one) and name."""
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


class Informer:
    """The objects of one resource, as last heard of.

    Args:
        api: where they come from.
        resource: named as in RBAC: `pods`, `deployments.apps`.
        namespace: only this namespace's; None for all.
        label_selector: only objects that match.
        field_selector: only objects that match.
        indexers: name of an index -> the keys under which an object stands in it (see `indexed`).
    """

    def __init__(
        self,
        api: Api,
        resource: str,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        indexers: Mapping[str, Indexer] | None = None,
    ) -> None:
        self.resource = resource
        self._api = api
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._objects: dict[Key, Object] = {}
        self._by_namespace: dict[str, dict[Key, Object]] = {}
        self._indexers: dict[str, Indexer] = {}
        self._indices: dict[str, dict[str, dict[Key, Object]]] = {}
        self._handlers: list[Handler] = []
        self._synced = asyncio.Event()
        self._served = asyncio.Event()
        self._served.set()
        self._resource_version = ""
        self._failures = 0
        self._random = random.Random()  # noqa: S311 -- spreads retries, guards nothing
        for name, indexer in (indexers or {}).items():
            self.add_index(name, indexer)

    def add_handler(self, handler: Handler) -> None:
        """Call `handler(old, new)` at each change; old is None for an added object, new for a deleted.

        Objects that are already known are told as added. A handler is quick and doesn't wait: it usually
        puts a key in a `WorkQueue`. One that raises is logged, the others are called all the same.
        """
        self._handlers.append(handler)
        for item in list(self._objects.values()):
            self._call(handler, None, item)

    def add_index(self, name: str, indexer: Indexer) -> None:
        """Add an index, over the known objects as well; one of the same name is replaced."""
        self._indexers[name] = indexer
        index: dict[str, dict[Key, Object]] = {}
        self._indices[name] = index
        for key, item in self._objects.items():
            for value in indexer(item):
                index.setdefault(value, {})[key] = item

    def get(self, namespace: str | None, name: str) -> Object | None:
        """The object of that name; namespace None or "" for cluster-wide resources."""
        return self._objects.get((namespace or "", name))

    def list(self, namespace: str | None = None) -> Objects:
        """All objects, or those of a namespace."""
        if namespace is None:
            return [*self._objects.values()]
        return [*self._by_namespace.get(namespace, {}).values()]

    def indexed(self, index: str, key: str) -> Objects:
        """The objects that stand under `key` in the named index."""
        return [*self._indices[index].get(key, {}).values()]

    async def wait_synced(self) -> None:
        """Wait until the first list has been read and told to the handlers."""
        await self._synced.wait()

    def rest(self) -> None:
        """Ask no more once the server ends the watch: the resource is served no longer, and has no objects."""
        self._served.clear()

    def resume(self) -> None:
        """Ask again: the resource is served."""
        self._failures = 0
        self._served.set()

    async def run(self) -> None:
        """Keep the copy up to date until cancelled, whatever happens to the connection."""
        relist = True
        while True:
            if not self._served.is_set():
                for key, item in list(self._objects.items()):
                    self._remove(key, item)
                await self._served.wait()
                relist = True
            try:
                if relist:
                    await self._list()
                    relist = False
                await self._watch()
            except ApiError as error:
                # An expired resourceVersion needs a new list at once; what else is refused, after a pause.
                # Only the first time, though: a server that goes on like that isn't listed without pause.
                expired = error.code == _GONE and not relist and not self._failures
                relist = True
                if expired:
                    self._failures = 1
                else:
                    await self._pause(error)
            except Exception as error:  # noqa: BLE001 -- whatever breaks is logged and tried again
                await self._pause(error)

    async def _list(self) -> None:
        listed = await self._api.list(
            self.resource,
            self._namespace,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
        )
        present = {key_of(item) for item in listed.items}
        for key in [key for key in self._objects if key not in present]:
            self._remove(key, self._objects[key])
        for item in listed.items:
            self._put(item)
        self._resource_version = listed.resource_version
        self._synced.set()

    async def _watch(self) -> None:
        clock = asyncio.get_running_loop().time
        began, told = clock(), False
        async for event in self._api.watch(
            self.resource,
            self._namespace,
            resource_version=self._resource_version,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
        ):
            told = True
            self._failures = 0
            self._take(event)
        if told or clock() - began >= _SHORT_WATCH_SECONDS:
            self._failures = 0
        else:
            await self._pause(ConnectionError("the watch ended at once"))

    def _take(self, event: WatchEvent) -> None:
        item = event.object
        if event.type == "DELETED":
            self._remove(key_of(item), item)
        elif event.type != "BOOKMARK":
            self._put(item)
        self._resource_version = item["metadata"]["resourceVersion"]

    async def _pause(self, error: Exception) -> None:
        _log.warning("informer tries again", resource=self.resource, error=str(error) or type(error).__name__)
        seconds = min(_FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures, 32), _LONGEST_PAUSE_SECONDS)
        self._failures += 1
        await asyncio.sleep(seconds * self._random.uniform(0.75, 1.25))

    def _put(self, item: Object) -> None:
        key = key_of(item)
        old = self._objects.get(key)
        if old is not None:
            if old["metadata"]["resourceVersion"] == item["metadata"]["resourceVersion"]:
                return
            if old["metadata"].get("uid") != item["metadata"].get("uid"):
                # Another object took the name while nobody watched: the first one's end must not go unheard.
                self._remove(key, old)
                old = None
        self._unindex(key, old)
        self._objects[key] = item
        self._by_namespace.setdefault(key[0], {})[key] = item
        for name, indexer in self._indexers.items():
            index = self._indices[name]
            for value in indexer(item):
                index.setdefault(value, {})[key] = item
        self._tell(old, item)

    def _remove(self, key: Key, last: Object) -> None:
        old = self._objects.pop(key, None)
        if old is None:
            return
        self._unindex(key, old)
        # A deletion brings the object's last state, often later than the one known here.
        self._tell(last if last["metadata"].get("uid") == old["metadata"].get("uid") else old, None)

    def _unindex(self, key: Key, old: Object | None) -> None:
        if old is None:
            return
        _drop(self._by_namespace, key[0], key)
        for name, indexer in self._indexers.items():
            for value in indexer(old):
                _drop(self._indices[name], value, key)

    def _tell(self, old: Object | None, new: Object | None) -> None:
        for handler in self._handlers:
            self._call(handler, old, new)

    def _call(self, handler: Handler, old: Object | None, new: Object | None) -> None:
        try:
            handler(old, new)
        except Exception:  # noqa: BLE001 -- one listener's bug must not stop the others
            _log.exception("a handler failed", resource=self.resource)


def _drop(index: dict[str, dict[Key, Object]], value: str, key: Key) -> None:
    bucket = index.get(value)
    if bucket is not None:
        bucket.pop(key, None)
        if not bucket:
            del index[value]


class SharedInformers:
    """One informer a resource, over all namespaces, for all controllers of a process."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._informers: dict[str, Informer] = {}
        self._group: asyncio.TaskGroup | None = None

    def of(self, resource: str) -> Informer:
        """The informer of a resource; it is started with the others."""
        informer = self._informers.get(resource)
        if informer is None:
            informer = self._informers[resource] = Informer(self._api, resource)
            if self._group is not None:
                self._group.create_task(informer.run())
        return informer

    async def run(self) -> None:
        """Run all informers, those that are asked for later too, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                for informer in self._informers.values():
                    group.create_task(informer.run())
                await asyncio.get_running_loop().create_future()
            finally:
                self._group = None

    async def wait_synced(self, *resources: str) -> None:
        """Wait until the first lists of these resources (default: of all asked for) have been read."""
        for resource in resources or tuple(self._informers):
            await self.of(resource).wait_synced()
