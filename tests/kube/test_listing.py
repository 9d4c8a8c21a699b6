"""Lists: pages underneath, whole to the caller."""

import pytest

from seatrial.kube import errors
from seatrial.kube.client import Client
from seatrial.kube.objects import PartialObject, Pod
from seatrial.kube.resources import NODES, PODS
from tests.kube.fake_apiserver import FakeApiServer, pod, pod_list, status

_PODS = "/api/v1/pods"
_EXPIRED = status(410, "Expired", "The provided continue parameter is too old")


async def test_pages_are_put_together(server: FakeApiServer, client: Client) -> None:
    """Each page names the next; the list's version is that of its first page, which all share."""
    server.on(
        "GET", _PODS, pod_list(pod("a", 1), version=9, token="t1/+"), pod_list(pod("b", 2), version=9, token="t2"),
        pod_list(pod("c", 3), version=9),
    )  # fmt: skip
    found = await client.list(PODS, type=Pod, page_size=1, label_selector="app in (a,b)", field_selector="x!=y")
    assert [item.metadata.name for item in found.items] == ["a", "b", "c"]
    assert found.resource_version == "9"
    selection = {"labelSelector": "app in (a,b)", "fieldSelector": "x!=y", "limit": "1"}
    assert [sent.query for sent in server.sent] == [
        selection, {**selection, "continue": "t1/+"}, {**selection, "continue": "t2"}
    ]  # fmt: skip


async def test_a_token_that_expired_starts_the_list_again(server: FakeApiServer, client: Client) -> None:
    """Half a list of one moment and half of another would be neither."""
    server.on(
        "GET", _PODS, pod_list(pod("a", 1), version=5, token="t"), _EXPIRED,
        pod_list(pod("b", 2), version=8, token="u"), pod_list(pod("c", 3), version=8),
    )  # fmt: skip
    found = await client.list(PODS, type=Pod)
    assert [item.metadata.name for item in found.items] == ["b", "c"]


async def test_tokens_that_keep_expiring_end_in_a_list_without_pages(server: FakeApiServer, client: Client) -> None:
    """A cluster that compacts faster than we read still gets its list."""
    page = pod_list(pod("a", 1), version=5, token="t")
    server.on("GET", _PODS, page, _EXPIRED, page, _EXPIRED, pod_list(pod("z", 9), version=9))
    found = await client.list(PODS, type=Pod)
    assert [item.metadata.name for item in found.items] == ["z"]
    assert "limit" not in server.sent[-1].query


async def test_a_version_that_is_gone_is_an_error(server: FakeApiServer, client: Client) -> None:
    """A caller who asks for a version has to know that it isn't there."""
    server.on("GET", _PODS, _EXPIRED)
    with pytest.raises(errors.Gone):
        await client.list(PODS, resource_version="1")


async def test_a_version_is_asked_for_on_the_first_page_only(server: FakeApiServer, client: Client) -> None:
    """The server refuses a continue token together with a version."""
    server.on("GET", _PODS, pod_list(version=5, token="t"), pod_list(version=5))
    await client.list(PODS, resource_version="0")
    assert [sent.query.get("resourceVersion") for sent in server.sent] == ["0", None]


async def test_metadata_alone_can_be_asked_for(server: FakeApiServer, client: Client) -> None:
    """Where nothing else is read, nothing else is sent; an empty list of that kind has null for items."""
    empty = {"kind": "PartialObjectMetadataList", "metadata": {"resourceVersion": "7"}, "items": None}
    server.on("GET", _PODS, pod_list(pod("a", 1, app="x"), version=5), empty)
    found = await client.list(PODS, metadata_only=True)
    assert isinstance(found.items[0], PartialObject)
    assert found.items[0].metadata.labels == {"app": "x"}
    assert "as=PartialObjectMetadataList" in server.sent[0].headers["Accept"]
    assert (await client.list(PODS, metadata_only=True)).items == []


async def test_one_namespace_or_all(server: FakeApiServer, client: Client) -> None:
    """None is all namespaces here, never the default one; a kind without namespaces has none."""
    for path in ("/api/v1/pods", "/api/v1/namespaces/x/pods", "/api/v1/nodes"):
        server.on("GET", path, pod_list(version=1))
    await client.list(PODS)
    await client.list(PODS, namespace="x")
    await client.list(NODES, namespace="x")
    assert [sent.path for sent in server.sent] == ["/api/v1/pods", "/api/v1/namespaces/x/pods", "/api/v1/nodes"]


async def test_plain_dictionaries_are_the_default(server: FakeApiServer, client: Client) -> None:
    """Nothing is left out of them."""
    server.on("GET", _PODS, pod_list(pod("a", 1), version=1))
    assert (await client.list(PODS)).items == [pod("a", 1)]
