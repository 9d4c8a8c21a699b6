"""The API over HTTPS, against the real API server."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seatrial.sandbox.api import ApiError
from seatrial.sandbox.apiserver.server import ApiServer, ApiServerConfig
from seatrial.sandbox.kubelet.remote_api import RemoteApi, resource_path
from seatrial.sandbox.pki import Authority


@pytest.fixture
async def remote(authority: Authority, short_directory: Path) -> AsyncIterator[RemoteApi]:
    """An administrator's client of a server of its own."""
    config = ApiServerConfig(
        host="127.0.0.1", port=0, directory=short_directory, service_cidr="127.250.128.0/17", admin_token="secret"
    )
    server = ApiServer(config, authority)
    await server.start()
    admin = authority.issue_client("admin", ["system:masters"])
    async with RemoteApi(
        server.url,
        ca_file=authority.ca_file,
        cert_file=admin.cert_file,
        key_file=admin.key_file,
        user_agent="test",
    ) as api:
        yield api
    await server.stop()


def config_map(name: str, **data: str) -> dict[str, object]:
    """A ConfigMap."""
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name}, "data": data}


@pytest.mark.parametrize(
    ("resource", "namespace", "name", "path"),
    [
        ("pods", None, None, "/api/v1/pods"),
        ("pods/status", "a", "b", "/api/v1/namespaces/a/pods/b/status"),
        ("nodes", None, "n", "/api/v1/nodes/n"),
        ("leases.coordination.k8s.io", "a", "n", "/apis/coordination.k8s.io/v1/namespaces/a/leases/n"),
    ],
)
def test_resources_have_the_paths_of_the_api(resource: str, namespace: str | None, name: str | None, path: str) -> None:
    """Named as in RBAC."""
    assert resource_path(resource, namespace, name) == path


async def test_objects_are_created_read_changed_and_deleted(remote: RemoteApi) -> None:
    """Each verb once."""
    created = await remote.create("configmaps", config_map("one", a="1"), "default")
    patched = await remote.patch("configmaps", "one", "default", {"data": {"a": None, "b": "2"}})
    assert patched["data"] == {"b": "2"}
    replaced = await remote.replace("configmaps", {**patched, "data": {"c": "3"}})
    assert (await remote.get("configmaps", "one", "default")) == replaced
    await remote.delete("configmaps", "one", "default", uid=created["metadata"]["uid"])
    with pytest.raises(ApiError) as caught:
        await remote.get("configmaps", "one", "default")
    assert (caught.value.code, caught.value.reason) == (404, "NotFound")


async def test_a_token_is_asked_of_a_service_account(remote: RemoteApi) -> None:
    """A subresource is created with its parent's name."""
    request = {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": "default"},
        "spec": {"audiences": [], "expirationSeconds": 3600},
    }
    answer = await remote.create("serviceaccounts/token", request, "default")
    assert answer["status"]["token"].count(".") == 2


async def test_a_watch_tells_what_follows_a_list(remote: RemoteApi) -> None:
    """Added, modified, deleted, also with an object far larger than a read."""
    listed = await remote.list("configmaps", "default")
    await remote.create("configmaps", config_map("big", a="x" * 700_000), "default")
    await remote.delete("configmaps", "big", "default")
    seen = []
    async with asyncio.timeout(60):
        async for event in remote.watch("configmaps", "default", resource_version=listed.resource_version):
            if event.type != "BOOKMARK":
                seen.append((event.type, event.object["metadata"]["name"]))
            if len(seen) == 2:
                break
    assert seen == [("ADDED", "big"), ("DELETED", "big")]


async def test_a_server_that_is_not_there_is_an_api_error(authority: Authority) -> None:
    """Not an error of the HTTP library."""
    admin = authority.issue_client("admin", ["system:masters"])
    async with RemoteApi(
        "https://127.0.0.1:1",
        ca_file=authority.ca_file,
        cert_file=admin.cert_file,
        key_file=admin.key_file,
        user_agent="test",
    ) as api:
        with pytest.raises(ApiError) as caught:
            await api.get("nodes", "node1")
    assert caught.value.code == 503
