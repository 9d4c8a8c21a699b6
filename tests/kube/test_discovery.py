"""From what a person writes to a resource."""

from typing import Any

import pytest
from aiohttp import web

from seatrial.kube.client import Client
from seatrial.kube.discovery import UnknownKindError
from seatrial.kube.resources import DEPLOYMENTS, PODS, Resource
from tests.kube.fake_apiserver import FakeApiServer, answer, status

_SHIPS = Resource("example.com", "v1", "ships", "Ship")
_DOCKS = Resource("example.com", "v1beta1", "docks", "Dock", namespaced=False)


def _entry(plural: str, kind: str, scope: str, *short: str) -> dict[str, Any]:
    return {
        "resource": plural,
        "responseKind": {"group": "example.com", "version": "", "kind": kind},
        "scope": scope,
        "singularResource": kind.lower(),
        "shortNames": list(short),
        "subresources": [{"subresource": "status"}],
    }


_AGGREGATED_CORE = {
    "kind": "APIGroupDiscoveryList",
    "items": [
        {"metadata": {}, "versions": [{"version": "v1", "resources": [_entry("pods", "Pod", "Namespaced", "po")]}]}
    ],
}
_AGGREGATED = {
    "kind": "APIGroupDiscoveryList",
    "items": [
        {
            "metadata": {"name": "example.com"},
            "versions": [
                {"version": "v1", "resources": [_entry("ships", "Ship", "Namespaced", "sh", "boat")]},
                {"version": "v1beta1", "resources": [_entry("docks", "Dock", "Cluster"), {"resource": "x"}]},
            ],
        }
    ],
}


def _aggregated(server: FakeApiServer) -> None:
    server.on("GET", "/api", _AGGREGATED_CORE)
    server.on("GET", "/apis", _AGGREGATED)


def _legacy(server: FakeApiServer) -> None:
    """What servers before 1.26 answer, whatever they are asked to accept."""
    server.on("GET", "/api", {"kind": "APIVersions", "versions": ["v1"]})
    pods = {"name": "pods", "singularName": "", "namespaced": True, "kind": "Pod", "shortNames": ["po"]}
    server.on("GET", "/api/v1", {"kind": "APIResourceList", "resources": [pods, {**pods, "name": "pods/log"}]})
    versions = [{"version": version} for version in ("v1beta1", "v1")]
    groups = [
        {"name": "example.com", "versions": versions, "preferredVersion": {"version": "v1"}},
        {"name": "broken.example.com", "versions": [{"version": "v1"}]},
    ]
    server.on("GET", "/apis", {"kind": "APIGroupList", "groups": groups})
    ship = {"name": "ships", "singularName": "ship", "namespaced": True, "kind": "Ship", "shortNames": ["sh", "boat"]}
    dock = {"name": "docks", "singularName": "dock", "namespaced": False, "kind": "Dock"}
    server.on("GET", "/apis/example.com/v1", {"resources": [ship]})
    server.on("GET", "/apis/example.com/v1beta1", {"resources": [dock, ship]})
    server.on("GET", "/apis/broken.example.com/v1", status(503, "ServiceUnavailable"))


@pytest.mark.parametrize("serve", [_aggregated, _legacy])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ships", _SHIPS), ("Ship", _SHIPS), ("boat", _SHIPS), ("ships.example.com", _SHIPS),
        ("ship.v1.example.com", _SHIPS), ("docks", _DOCKS), ("po", PODS),
    ],
)  # fmt: skip
async def test_a_kind_is_found_by_any_of_its_names(
    server: FakeApiServer, write_kubeconfig: Any, serve: Any, text: str, expected: Resource
) -> None:
    """Plural, singular, short name, kind, with group or version, from both forms of discovery."""
    from seatrial.kube.client import connect

    serve(server)
    async with await connect(kubeconfig=write_kubeconfig(server), timeout_seconds=2) as client:
        assert await client.discover(text) == expected


@pytest.mark.parametrize("text", ["deployments", "Deployment", "deployments.apps", "deployments.v1.apps"])
async def test_kinds_known_by_heart_need_no_question(server: FakeApiServer, client: Client, text: str) -> None:
    """What every cluster has isn't asked for."""
    assert await client.discover(text) == DEPLOYMENTS
    assert await client.resource_for("apps/v1", "Deployment") == DEPLOYMENTS
    assert server.sent == []


async def test_the_server_is_asked_once(server: FakeApiServer, client: Client) -> None:
    """What was found stays known."""
    _aggregated(server)
    await client.discover("ships")
    assert await client.resource_for("example.com/v1", "Ship") == _SHIPS
    assert [sent.path for sent in server.sent] == ["/api", "/apis"]
    assert "APIGroupDiscoveryList" in server.sent[0].headers["Accept"]


async def test_a_kind_that_came_later_is_found(server: FakeApiServer, client: Client) -> None:
    """A CustomResourceDefinition may be installed while we run."""
    _aggregated(server)
    served = _AGGREGATED

    async def groups(_request: web.Request) -> web.StreamResponse:
        return answer(served)

    server.on("GET", "/apis", groups)
    served = {"kind": "APIGroupDiscoveryList", "items": []}
    with pytest.raises(UnknownKindError):
        await client.discover("ships")
    served = _AGGREGATED
    assert await client.discover("ships") == _SHIPS


async def test_what_isn_t_there_is_said(server: FakeApiServer, client: Client) -> None:
    """The words of the user, and where to look."""
    _aggregated(server)
    with pytest.raises(UnknownKindError, match="'shps'") as refused:
        await client.discover("shps")
    assert "api-resources" in refused.value.hint
    with pytest.raises(UnknownKindError, match=r"no Ship in example.com/v2"):
        await client.resource_for("example.com/v2", "Ship")
