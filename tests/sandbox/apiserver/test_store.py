import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.sandbox.apiserver.store import Store, TooOldError


def put(store: Store, name: str, value: int = 0) -> int:
    """Write a version of an object; its revision."""
    return store.put("things", "ns", name, {"metadata": {"name": name, "namespace": "ns"}, "value": value}).revision


async def test_a_watch_sees_changes_after_its_revision_in_order() -> None:
    """A subscription begins after the revision it names and misses nothing."""
    store = Store()
    first = put(store, "a")
    put(store, "a", 1)
    subscription = store.subscribe("things", since=first)
    store.remove("things", "ns", "a")
    changes = await subscription.next()
    assert [change.type for change in changes] == ["MODIFIED", "DELETED"]
    assert changes[0].revision < changes[1].revision


async def test_a_forgotten_revision_is_refused() -> None:
    """What fell out of the history can't be watched from, nor listed."""
    store = Store(history=2)
    first = put(store, "a")
    for value in range(1, 4):
        put(store, "a", value)
    with pytest.raises(TooOldError):
        store.subscribe("things", since=first)
    with pytest.raises(TooOldError):
        store.list_at("things", None, first)


async def test_a_reader_that_lags_too_far_is_dropped() -> None:
    """A subscription that isn't read ends instead of growing."""
    store = Store(backlog=3)
    subscription = store.subscribe("things")
    for value in range(5):
        put(store, "a", value)
    assert subscription.closed
    assert await subscription.next() == []


async def test_closing_ends_every_watch() -> None:
    """Stopping the server wakes all watchers."""
    store = Store()
    subscriptions = [store.subscribe("things"), store.subscribe("others")]
    store.close()
    assert [await subscription.next() for subscription in subscriptions] == [[], []]


def test_a_version_is_encoded_once_without_kind() -> None:
    """Lists and watches share the same bytes of a version."""
    store = Store()
    obj = {"kind": "Thing", "apiVersion": "v1", "metadata": {"name": "a"}}
    record = store.put("things", "", "a", obj)
    assert record.encoded is record.encoded
    assert b"kind" not in record.encoded


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["put", "remove"])), max_size=40))
def test_the_past_can_be_listed(steps: list[tuple[str, str]]) -> None:
    """Listing as of a revision gives what a list gave at that revision."""
    store = Store()
    seen = {}
    for number, (name, action) in enumerate(steps):
        if action == "put":
            put(store, name, number)
        elif store.get("things", "ns", name):
            store.remove("things", "ns", name)
        seen[store.revision] = [record.object for record in store.list("things")]
    for revision, objects in seen.items():
        assert [record.object for record in store.list_at("things", None, revision)] == objects


async def test_a_wake_is_not_lost_on_a_reader_that_is_busy() -> None:
    """Who was woken while it wasn't waiting finds out when it waits next."""
    store = Store()
    subscription = store.subscribe("things")
    subscription.wake()
    async with asyncio.timeout(5):
        assert await subscription.next() == []
    put(store, "a")
    assert [change.type for change in await subscription.next()] == ["ADDED"]


@pytest.mark.looptime
async def test_a_revision_of_the_future_is_awaited_for_a_while() -> None:
    """Who waits goes on in the moment in which it is reached, and is told where it isn't in time."""
    store = Store()
    clock = asyncio.get_running_loop().time
    reached = put(store, "a")
    assert await store.wait_for(reached, timeout_seconds=3)
    waiting = [asyncio.create_task(store.wait_for(reached + after, timeout_seconds=3)) for after in (1, 2, 3)]
    await asyncio.sleep(1)
    began = clock()
    put(store, "a", 1)
    put(store, "a", 2)
    assert [await task for task in waiting[:2]] == [True, True]
    assert clock() == began
    assert await waiting[2] is False
    assert clock() - began == 2
