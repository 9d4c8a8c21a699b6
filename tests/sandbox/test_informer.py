"""Informers: a copy that is right again after whatever happens to its watch."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from seatrial.sandbox.api import ApiError, Object, ObjectList, WatchEvent
from seatrial.sandbox.apiserver.local import LocalApi, local_api
from seatrial.sandbox.informer import Informer, SharedInformers

pytestmark = pytest.mark.looptime


class Told(list[tuple[str, str]]):
    """What a handler was told, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.more = asyncio.Event()

    def note(self, old: Object | None, new: Object | None) -> None:
        """Be told of a change."""
        kind = "added" if old is None else "deleted" if new is None else "changed"
        self.append((kind, (new or old or {})["metadata"]["name"]))
        self.more.set()

    async def until(self, *expected: tuple[str, str]) -> None:
        """Wait until all of this was told, in any order."""
        async with asyncio.timeout(300):
            while not set(expected) <= set(self):
                self.more.clear()
                await self.more.wait()


class FaultyApi:
    """The real API with a line to it that a test can cut."""

    def __init__(self, api: LocalApi) -> None:
        self._api = api
        self.cut = asyncio.Event()
        self.watch_error: Exception | None = None
        self.list_errors: list[Exception] = []
        self.lists = 0
        self.watches = 0

    def __getattr__(self, name: str) -> Any:
        """Everything else is the real one's."""
        return getattr(self._api, name)

    async def list(self, resource: str, namespace: str | None = None, **selectors: str) -> ObjectList:
        """Fails while there are errors to give."""
        self.lists += 1
        if self.list_errors:
            raise self.list_errors.pop(0)
        return await self._api.list(resource, namespace, **selectors)

    async def watch(self, resource: str, namespace: str | None = None, **more: str) -> AsyncIterator[WatchEvent]:
        """Ends, or fails, when the line is cut."""
        self.watches += 1
        events = self._api.watch(resource, namespace, **more)
        while not self.cut.is_set():
            step = asyncio.ensure_future(anext(events))
            stop = asyncio.ensure_future(self.cut.wait())
            try:
                await asyncio.wait({step, stop}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stop.cancel()
                if not step.done():
                    step.cancel()
            if not step.done() or step.cancelled() or self.cut.is_set():
                break
            yield step.result()
        if self.watch_error is not None:
            raise self.watch_error


def config_map(name: str, **data: str) -> Object:
    """A ConfigMap of the test's own."""
    return {"metadata": {"name": name, "labels": {"test": "yes"}}, "data": data}


def status(code: int) -> ApiError:
    """An error answer."""
    return ApiError({"code": code, "message": f"error {code}", "reason": "Test"})


@asynccontextmanager
async def following(api: Any, **options: Any) -> AsyncIterator[tuple[Informer, Told]]:
    """An informer of the test's ConfigMaps that runs, and what its handler is told."""
    informer = Informer(api, "configmaps", label_selector="test=yes", **options)
    told = Told()
    informer.add_handler(told.note)
    task = asyncio.create_task(informer.run())
    try:
        await informer.wait_synced()
        yield informer, told
    finally:
        task.cancel()


async def test_it_lists_then_follows() -> None:
    """What was there is told as added; each change after it as it comes."""
    api = local_api()
    await api.create("configmaps", config_map("a"), "default")
    async with following(api) as (informer, told):
        assert told == [("added", "a")]
        await api.create("configmaps", config_map("b"), "default")
        await api.patch("configmaps", "a", "default", {"data": {"k": "v"}})
        await api.delete("configmaps", "b", "default")
        await told.until(("deleted", "b"))
        assert told == [("added", "a"), ("added", "b"), ("changed", "a"), ("deleted", "b")]
        found = informer.get("default", "a")
        assert found is not None
        assert found["data"] == {"k": "v"}
        assert informer.list("default") == informer.list() == [found]
        assert informer.list("elsewhere") == []
        assert informer.get("default", "b") is None


async def test_a_watch_that_just_ends_is_resumed_without_a_list() -> None:
    """Nothing is listed again and nothing missed."""
    api = FaultyApi(local_api())
    async with following(api) as (_, told):
        api.cut.set()
        await asyncio.sleep(0.001)
        await api.create("configmaps", config_map("a"), "default")
        api.cut.clear()
        await told.until(("added", "a"))
        assert api.lists == 1


@pytest.mark.parametrize(
    "error", [status(410), status(500), ConnectionResetError("reset")], ids=["410", "500", "reset"]
)
async def test_no_deletion_is_missed(error: Exception) -> None:
    """What was deleted, replaced and created while the line was cut is told once it is back."""
    api = FaultyApi(local_api())
    for name in ("gone", "replaced", "kept"):
        await api.create("configmaps", config_map(name), "default")
    async with following(api) as (informer, told):
        api.watch_error = error
        api.cut.set()
        await asyncio.sleep(0)
        await api.delete("configmaps", "gone", "default")
        await api.delete("configmaps", "replaced", "default")
        await api.create("configmaps", config_map("replaced"), "default")
        await api.create("configmaps", config_map("fresh"), "default")
        await asyncio.sleep(5)
        api.watch_error = None
        api.cut.clear()
        await told.until(("deleted", "gone"), ("deleted", "replaced"), ("added", "fresh"))
        await asyncio.sleep(60)
        assert sorted(item["metadata"]["name"] for item in informer.list()) == ["fresh", "kept", "replaced"]
        assert told.count(("added", "replaced")) == 2
        assert told.count(("deleted", "gone")) == 1
        assert ("changed", "kept") not in told


async def test_a_refusing_server_is_asked_ever_more_rarely() -> None:
    """Failing lists are tried again with growing pauses, until one works."""
    api = FaultyApi(local_api())
    api.list_errors = [status(503) for _ in range(8)]
    informer = Informer(api, "configmaps")
    task = asyncio.create_task(informer.run())
    began = asyncio.get_running_loop().time()
    await informer.wait_synced()
    task.cancel()
    assert api.lists == 9
    assert asyncio.get_running_loop().time() - began > 5


async def test_a_watch_that_ends_at_once_is_no_busy_loop() -> None:
    """A server that closes each watch immediately is not hammered."""
    api = FaultyApi(local_api())
    async with following(api):
        api.cut.set()
        await asyncio.sleep(60)
        assert api.watches < 20


async def test_a_resource_that_is_served_no_longer_is_asked_for_no_more() -> None:
    """Resting, an informer has nothing and asks nothing; when the resource is there again it follows at once."""
    api = FaultyApi(local_api())
    await api.create("configmaps", config_map("a"), "default")
    async with following(api) as (informer, told):
        informer.rest()
        api.cut.set()
        await told.until(("deleted", "a"))
        await asyncio.sleep(3600)
        assert (api.lists, api.watches) == (1, 1)
        api.cut.clear()
        began = asyncio.get_running_loop().time()
        told.clear()
        informer.resume()
        await told.until(("added", "a"))
        assert asyncio.get_running_loop().time() - began < 1


async def test_indices_follow_the_objects() -> None:
    """An object stands under the keys of its newest state; an index may be added late."""
    api = local_api()
    await api.create("configmaps", config_map("a", colour="red"), "default")
    async with following(api, indexers={"colour": lambda item: [item.get("data", {}).get("colour", "")]}) as (
        informer,
        told,
    ):
        assert [item["metadata"]["name"] for item in informer.indexed("colour", "red")] == ["a"]
        await api.patch("configmaps", "a", "default", {"data": {"colour": "blue"}})
        await told.until(("changed", "a"))
        assert informer.indexed("colour", "red") == []
        assert len(informer.indexed("colour", "blue")) == 1
        informer.add_index("initial", lambda item: [item["metadata"]["name"][0]])
        assert len(informer.indexed("initial", "a")) == 1
        await api.delete("configmaps", "a", "default")
        await told.until(("deleted", "a"))
        assert informer.indexed("colour", "blue") == informer.indexed("initial", "a") == []


async def test_a_handler_that_fails_hurts_nobody() -> None:
    """The others are told all the same, and the copy goes on."""
    api = local_api()

    def broken(_old: Object | None, _new: Object | None) -> None:
        raise ValueError("a bug")

    informer = Informer(api, "configmaps", label_selector="test=yes")
    told = Told()
    informer.add_handler(broken)
    informer.add_handler(told.note)
    task = asyncio.create_task(informer.run())
    await informer.wait_synced()
    await api.create("configmaps", config_map("a"), "default")
    await told.until(("added", "a"))
    task.cancel()


async def test_a_late_handler_is_told_what_is_there() -> None:
    """Known objects come as added."""
    api = local_api()
    await api.create("configmaps", config_map("a"), "default")
    async with following(api) as (informer, _):
        late = Told()
        informer.add_handler(late.note)
        assert late == [("added", "a")]


async def test_shared_informers_are_one_per_resource() -> None:
    """Whoever asks for a resource gets the same copy, also after the start."""
    shared = SharedInformers(local_api())
    first = shared.of("configmaps")
    task = asyncio.create_task(shared.run())
    await shared.wait_synced()
    late = shared.of("namespaces")
    await shared.wait_synced("namespaces")
    assert shared.of("configmaps") is first
    assert len(late.list()) == 4
    task.cancel()
