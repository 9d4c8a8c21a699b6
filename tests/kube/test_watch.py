"""The watch: what happened is told once and in time, whatever happens to the connection."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from seatrial.kube import errors
from seatrial.kube.auth import ClusterCredentials, FixedLogin
from seatrial.kube.client import Client, connect
from seatrial.kube.kubeconfig import Cluster, User
from seatrial.kube.listing import Selection
from seatrial.kube.objects import PartialObject, Pod
from seatrial.kube.resources import PODS
from seatrial.kube.retry import Backoff
from seatrial.kube.transport import Transport
from seatrial.kube.watch import Watch, WatchEvent
from tests.kube.fake_apiserver import FakeApiServer, answer, pod, pod_list, serving, status
from tests.kube.fake_collection import PATH, Collection, Fault

_LAST = "the-last-one"


class Reader:
    """Keeps a picture of the collection by what a watch tells, and checks that it makes sense."""

    def __init__(self, watch: Watch[Pod]) -> None:
        self._watch = watch
        self.pods = {item.metadata.uid: item for item in watch.snapshot}
        self.gone: list[str] = []
        self.told: list[tuple[str, str]] = []

    async def read_until(self, is_last: Callable[[WatchEvent[Pod]], bool]) -> WatchEvent[Pod]:
        """Read on until an event is the one waited for."""
        async with asyncio.timeout(60):
            async for event in self._watch:
                self._take(event)
                if is_last(event):
                    return event
        raise AssertionError("the watch ended")

    async def read_until_last(self) -> None:
        """Read on until the pod is added that ends each story."""
        await self.read_until(lambda event: event.object.metadata.name == _LAST)

    def _take(self, event: WatchEvent[Pod]) -> None:
        uid = event.object.metadata.uid
        self.told.append((event.type, event.object.metadata.name))
        if event.type == "ADDED":
            assert uid not in self.pods, "added twice"
        else:
            assert uid in self.pods, f"{event.type} though it isn't there"
        if event.type == "DELETED":
            self.gone.append(uid)
            del self.pods[uid]
        else:
            self.pods[uid] = event.object

    @property
    def versions(self) -> dict[str, str]:
        """What the reader believes: uid and version of each pod."""
        return {uid: item.metadata.resource_version for uid, item in self.pods.items()}


def _truth(collection: Collection) -> dict[str, str]:
    metas = [item["metadata"] for item in collection.pods.values()]
    return {meta["uid"]: meta["resourceVersion"] for meta in metas}


def _plain_transport(server: FakeApiServer, folder: Path) -> Transport:
    authority = folder / "ca.crt"
    authority.write_bytes(server.authority_pem)
    cluster = Cluster(server=server.url, certificate_authority=str(authority))
    return Transport(server.url, ClusterCredentials(cluster, User(), FixedLogin()), timeout_seconds=5)


@asynccontextmanager
async def _watching(server: FakeApiServer, folder: Path) -> AsyncIterator[tuple[Collection, Watch[Pod]]]:
    """A collection with two pods, and a watch of it that is quick to find a connection dead."""
    collection = Collection(server)
    collection.change("a")
    collection.change("b")
    transport = _plain_transport(server, folder)
    backoff = Backoff(first_seconds=0.001, most_seconds=0.01)
    try:
        async with Watch(transport, Selection(PATH), Pod, watch_seconds=0, grace_seconds=0.3, backoff=backoff) as watch:
            yield collection, watch
    finally:
        await transport.close()


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
async def test_nothing_is_missed_through_a_fault(server: FakeApiServer, tmp_path: Path, fault: Fault) -> None:
    """Whatever breaks the watch, what happens during the break is told afterwards, once."""
    async with _watching(server, tmp_path) as (collection, watch):
        reader = Reader(watch)
        collection.change("c")
        await reader.read_until(lambda event: event.object.metadata.name == "c")
        collection.fault(fault)
        collection.delete("a")
        collection.change("b", now="changed")
        collection.delete("c")
        collection.change("c")
        collection.change(_LAST)
        await reader.read_until_last()
        # A list knows no order: what it told after the last one is still to come.
        while reader.versions != _truth(collection):
            await reader.read_until(lambda _: True)
    assert len(reader.gone) == len(set(reader.gone)) == 2
    assert collection.broken, "the fault didn't happen"


_names = st.sampled_from("abcd")
_steps = st.one_of(
    st.tuples(st.just("change"), _names),
    st.tuples(st.just("delete"), _names),
    st.tuples(st.just("fault"), st.sampled_from(Fault)),
    st.tuples(st.sampled_from(["bookmark", "settle"]), st.none()),
)


@example(steps=[("fault", Fault.CLOSE)] * 8 + [("fault", Fault.GARBAGE), ("settle", None)])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_steps, max_size=25))
async def test_any_sequence_of_faults_ends_in_the_truth(tmp_path: Path, steps: list[tuple[str, Any]]) -> None:
    """Additions, changes and deletions mixed with faults in any order: nothing missed, nothing told twice."""
    async with serving() as server, _watching(server, tmp_path) as (collection, watch):
        reader = Reader(watch)
        for number, (kind, value) in enumerate(steps):
            await _step(collection, reader, kind, value, number)
        collection.change(_LAST)
        await reader.read_until_last()
        while reader.versions != _truth(collection):
            await reader.read_until(lambda _: True)
    # Every pod that ever was told and is gone, was told to be gone, once.
    assert len(reader.gone) == len(set(reader.gone))
    assert not set(reader.gone) & set(_truth(collection))


async def _step(collection: Collection, reader: Reader, kind: str, value: Any, number: int) -> None:
    match kind:
        case "change":
            collection.change(value, step=str(number))
        case "delete":
            collection.delete(value)
        case "fault":
            collection.fault(value)
        case "bookmark":
            collection.bookmark()
        case _:
            name = f"marker-{number}"
            collection.change(name)
            await reader.read_until(lambda event: event.object.metadata.name == name)


async def test_the_snapshot_and_the_events_join_without_a_gap(server: FakeApiServer, client: Client) -> None:
    """What is there at the start is the snapshot; what comes between list and watch is an event."""
    collection = Collection(server)
    collection.change("a")
    async with client.watch(PODS, type=Pod) as watch:
        assert [item.metadata.name for item in watch.snapshot] == ["a"]
        collection.change("b")
        event = await anext(watch)
    assert (event.type, event.object.metadata.name) == ("ADDED", "b")
    assert watch.reconnections == 0


async def test_what_is_asked_for(server: FakeApiServer, client: Client) -> None:
    """From the list's version, with bookmarks and an end, with the same selectors."""
    collection = Collection(server)
    async with client.watch(PODS, label_selector="app=x", field_selector="y=z", metadata_only=True) as watch:
        collection.change("a")
        event = await anext(watch)
    assert isinstance(event.object, PartialObject)
    assert collection.watches == [
        {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": "1",
            "timeoutSeconds": "240",
            "labelSelector": "app=x",
            "fieldSelector": "y=z",
        }
    ]
    assert "as=PartialObjectMetadata;" in server.sent[-1].headers["Accept"]


async def test_a_bookmark_moves_the_place_to_resume_from(server: FakeApiServer, tmp_path: Path) -> None:
    """A quiet watch would fall out of the server's history otherwise, and have to list again."""
    async with _watching(server, tmp_path) as (collection, watch):
        reader = Reader(watch)
        collection.bookmark()
        version = collection.version
        collection.fault(Fault.CLOSE)
        await collection.seen(lambda: len(collection.watches) == 2)
        collection.change(_LAST)
        await reader.read_until_last()
    assert collection.watches[1]["resourceVersion"] == str(version)
    assert collection.lists == 1
    assert watch.reconnections == 1


async def test_a_stream_is_resumed_after_the_last_event(server: FakeApiServer, tmp_path: Path) -> None:
    """Not from the beginning: the server would have to send again all that happened since the list."""
    async with _watching(server, tmp_path) as (collection, watch):
        collection.change("c")
        event = await anext(watch)
        collection.fault(Fault.CLOSE)
        await collection.seen(lambda: len(collection.watches) == 2)
    assert collection.watches[1]["resourceVersion"] == event.object.metadata.resource_version


async def test_the_arrival_is_measured_however_slow_the_reader(server: FakeApiServer, client: Client) -> None:
    """A reader that is busy for a while still learns when each event came."""
    collection = Collection(server)
    loop = asyncio.get_running_loop()
    async with client.watch(PODS, type=Pod) as watch:
        before = loop.time()
        collection.change("a")
        while watch._waiting.empty():  # noqa: ASYNC110 -- reading would be what this is not about
            await asyncio.sleep(0)
        arrived = loop.time()
        await asyncio.sleep(0.05)  # the reader is busy
        collection.change("b")
        first, second = await anext(watch), await anext(watch)
    assert before <= first.received <= arrived
    assert second.received >= arrived + 0.05


async def test_many_events_in_one_chunk_and_one_event_in_many(server: FakeApiServer, client: Client) -> None:
    """An event of a megabyte, which comes in pieces, is as good as a hundred in one piece."""
    collection = Collection(server)
    async with client.watch(PODS, type=Pod) as watch:
        reader = Reader(watch)
        for number in range(100):
            collection.change(f"p{number}")
        collection.change("big", text="x" * 1_000_000)
        collection.change(_LAST)
        await reader.read_until_last()
    assert len(reader.told) == 102


@pytest.mark.parametrize("code", [401, 403, 404, 400])
async def test_a_refusal_ends_the_watch_with_its_error(server: FakeApiServer, client: Client, code: int) -> None:
    """A permission that isn't there won't come by asking again: the reader is told, not left waiting."""

    async def serve(request: web.Request) -> web.StreamResponse:
        return answer(status(code, message="no")) if "watch" in request.query else answer(pod_list(version=1))

    server.on("GET", PATH, serve)
    async with client.watch(PODS, type=Pod) as watch:
        with pytest.raises(errors.ApiStatusError) as refused:
            await anext(watch)
        assert refused.value.code == code
        assert [event async for event in watch] == []


async def test_a_refused_list_is_an_error_on_entry(server: FakeApiServer, client: Client) -> None:
    """Without a list there is nothing to begin with."""
    server.on("GET", PATH, status(403, "Forbidden", "no"))
    with pytest.raises(errors.Forbidden):
        async with client.watch(PODS, type=Pod):
            pass


async def test_an_event_that_can_t_be_read_is_not_hidden_for_ever(server: FakeApiServer, tmp_path: Path) -> None:
    """It would come again with every try; the reader has to know."""
    async with _watching(server, tmp_path) as (collection, watch):
        broken = collection.change("c")
        broken["spec"]["containers"] = "many"
        with pytest.raises(errors.UnexpectedAnswer, match="containers"):
            await anext(watch)


async def test_leaving_ends_the_task_and_the_stream(server: FakeApiServer, client: Client) -> None:
    """No task and no open request stay behind, and a reader in another task is set free."""
    began, ended = asyncio.Event(), asyncio.Event()

    async def serve(request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return answer(pod_list(pod("a", 1), version=1))
        response = web.StreamResponse()
        await response.prepare(request)
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return response

    server.on("GET", PATH, serve)
    before = asyncio.all_tasks()
    async with client.watch(PODS, type=Pod) as watch:
        reading = asyncio.create_task(_collect(watch))
        await asyncio.wait_for(began.wait(), 30)
    assert await asyncio.wait_for(reading, 30) == []
    await asyncio.wait_for(ended.wait(), 30)
    assert not {task for task in asyncio.all_tasks() - before if task.get_name().startswith("watch")}


async def _collect(watch: Watch[Pod]) -> list[WatchEvent[Pod]]:
    return [event async for event in watch]


async def test_a_reader_that_stands_still_is_waited_for(server: FakeApiServer, tmp_path: Path) -> None:
    """At most so many events wait; the rest stays in the network, and nothing is lost."""
    collection = Collection(server)
    transport = _plain_transport(server, tmp_path)
    async with Watch(transport, Selection(PATH), Pod, most_waiting=5) as watch:
        for number in range(50):
            collection.change(f"p{number}")
        for _ in range(1000):
            await asyncio.sleep(0)
            assert watch._waiting.qsize() <= 5
        assert [(await anext(watch)).object.metadata.name for _ in range(50)] == [f"p{n}" for n in range(50)]
    await transport.close()


async def test_a_server_that_comes_back_after_a_while_is_found(
    server: FakeApiServer, write_kubeconfig: Any, tmp_path: Path
) -> None:
    """The watch waits for a restarting API server longer than a single call would."""
    collection = Collection(server)
    collection.change("a")
    path = write_kubeconfig(server)
    async with await connect(kubeconfig=path, timeout_seconds=0.5) as client, client.watch(PODS, type=Pod) as watch:
        reader = Reader(watch)
        port = server.port
        await server.stop()
        collection.delete("a")
        collection.change(_LAST)
        await asyncio.sleep(1)  # longer than a call's deadline
        await server.start(port=port)
        await reader.read_until_last()
    assert ("DELETED", "a") in reader.told


async def test_it_says_until_when_it_has_seen_everything(server: FakeApiServer, client: Client) -> None:
    """This moment while a stream is open; when it broke, since then."""
    collection = Collection(server)
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with client.watch(PODS, type=Pod) as watch:
        assert began <= watch.seen_until <= loop.time()
        await collection.seen(lambda: bool(collection.watches))
        collection.change("a")
        await anext(watch)
        assert watch.seen_until == pytest.approx(loop.time(), abs=0.5)
        await server.stop()
        async with asyncio.timeout(30):
            while watch.is_streaming:  # noqa: ASYNC110 -- nothing tells when it breaks
                await asyncio.sleep(0)
        broke = watch.seen_until
        await asyncio.sleep(0.01)
        assert watch.seen_until == broke < loop.time()
