"""Objects of which little is kept: lists and watches read them whole, and hand out what is kept."""

import asyncio
from typing import Any, ClassVar, Self

import pytest

from seatrial.kube import errors
from seatrial.kube.client import Client
from seatrial.kube.objects import Pod
from seatrial.kube.reduction import Reduced
from seatrial.kube.resources import PODS
from tests.kube.fake_apiserver import FakeApiServer, pod, pod_list
from tests.kube.fake_collection import Collection, Fault


class _Labels(Reduced, frozen=True, kw_only=True):
    """A pod's labels."""

    whole: ClassVar[Any] = Pod

    labels: str

    @classmethod
    def of(cls, whole: Pod) -> Self:
        """The labels as one text."""
        meta = whole.metadata
        labels = ",".join(f"{key}={value}" for key, value in (meta.labels or {}).items())
        return cls(
            namespace=meta.namespace, name=meta.name, uid=meta.uid, version=meta.resource_version, labels=labels
        )  # fmt: skip


async def test_a_list_hands_out_what_is_kept(server: FakeApiServer, client: Client) -> None:
    """Of every page."""
    server.on(
        "GET", "/api/v1/pods", pod_list(pod("a", 1, app="web"), version=9, token="t"), pod_list(pod("b", 2), version=9)
    )  # fmt: skip
    found = await client.list(PODS, type=_Labels)
    assert [(item.name, item.labels) for item in found.items] == [("a", "app=web"), ("b", "")]


async def test_others_have_their_turn_while_a_page_is_read(server: FakeApiServer, client: Client) -> None:
    """A page of five hundred does not hold the event loop from its beginning to its end."""
    server.on("GET", "/api/v1/pods", pod_list(*(pod(f"p{number}", 1) for number in range(500)), version=9))
    made = []

    class _Seen(_Labels, frozen=True, kw_only=True):
        @classmethod
        def of(cls, whole: Pod) -> Self:
            made.append(whole.metadata.name)
            return super().of(whole)

    seen_between: list[int] = []

    async def look() -> None:
        while True:
            seen_between.append(len(made))
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    found = await client.list(PODS, type=_Seen)
    looking.cancel()
    assert len(found.items) == 500
    assert {100, 200, 300, 400} <= {*seen_between}


async def test_a_watch_goes_on_with_what_is_kept(server: FakeApiServer, client: Client) -> None:
    """It tells the same of reduced objects as of whole ones, also after the history was lost."""
    collection = Collection(server)
    collection.change("a", app="web")
    collection.change("b")
    async with client.watch(PODS, type=_Labels) as watch:
        assert [item.name for item in watch.snapshot] == ["a", "b"]
        collection.change("a", app="db")
        collection.delete("b")
        told = [await anext(watch) for _ in range(2)]
        collection.fault(Fault.GONE_ONCE)
        collection.delete("a")
        collection.change("c")
        told += [await anext(watch) for _ in range(2)]
    assert [(each.type, each.object.name, each.object.labels) for each in told] == [
        ("MODIFIED", "a", "app=db"), ("DELETED", "b", ""), ("DELETED", "a", "app=db"), ("ADDED", "c", ""),
    ]  # fmt: skip


async def test_what_is_no_such_object_is_an_error(server: FakeApiServer, client: Client) -> None:
    """As with whole objects: an answer that can't be read."""
    server.on("GET", "/api/v1/pods", {"metadata": {}, "items": [{"metadata": "text"}]})
    with pytest.raises(errors.UnexpectedAnswer):
        await client.list(PODS, type=_Labels)
