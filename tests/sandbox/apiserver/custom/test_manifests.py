"""Definitions as people and operators write them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver.local import LocalApi
from tests.sandbox.apiserver.custom.definitions import define

ROOT = Path(__file__).parents[4]
MONITORS = "monitors.watch.example.com"


def documents(path: Path) -> list[Object]:
    """The objects of a file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def monitor(**spec: Any) -> Object:
    """A monitor."""
    return {"apiVersion": "watch.example.com/v1", "kind": "Monitor", "metadata": {"name": "m"}, "spec": spec}


@pytest.fixture
async def monitors(api: LocalApi) -> LocalApi:
    """An API that serves monitors."""
    await define(api, documents(Path(__file__).parent / "monitors.yml")[0])
    return api


async def test_the_example_can_be_applied(api: LocalApi) -> None:
    """The definition is established, the boat accepted with its defaults."""
    described, boat = documents(ROOT / "examples" / "manifests" / "boats.yml")
    await define(api, described)
    made = await api.create("boats.harbour.example.com", boat, "default")
    assert (made["spec"]["rig"], made["spec"]["crew"]) == ("sloop", 2)
    with pytest.raises(ApiError, match="a boat does not shrink"):
        await api.patch("boats.harbour.example.com", "nina", "default", {"spec": {"length": 11}})


async def test_an_operators_schema_accepts_what_it_is_made_for(monitors: LocalApi) -> None:
    """Quantities as numbers and texts, keyed lists in two keys, free-form parts, embedded objects."""
    made = await monitors.create(
        MONITORS,
        monitor(
            resources={"limits": {"cpu": 2, "memory": "1.5Gi"}},
            selector=None,
            containers=[
                {"name": "main", "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}]},
                {"name": "side", "securityContext": {"runAsUser": 1}},
            ],
            template={"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": []}},
            endpoints=[{"port": "web"}, {"port": 9090, "scheme": "https", "basicAuth": {"username": "u"}}],
        ),
        "default",
    )
    spec = made["spec"]
    assert (spec["replicas"], spec["retention"], spec["selector"]) == (1, "24h", None)
    assert [port["protocol"] for port in spec["containers"][0]["ports"]] == ["TCP", "UDP"]
    assert spec["template"]["spec"] == {"containers": []}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"retention": "soon"}, "spec.retention in body should match"),
        ({"resources": {"limits": {"cpu": "many"}}}, "spec.resources.limits.cpu in body should match"),
        ({"endpoints": [{"basicAuth": {}, "bearerToken": {}}]}, "must validate one and only one schema (oneOf)"),
        (
            {"endpoints": [{"scheme": "http", "basicAuth": {}}]},
            "spec.endpoints[0].basicAuth: Forbidden: a password needs https",
        ),
        (
            {"containers": [{"name": "side"}, {"name": "other"}]},
            "spec: Invalid value: no container main among side, other",
        ),
        (
            {"containers": [{"name": "main", "ports": [{"containerPort": 1}, {"containerPort": 1}]}]},
            'spec.containers[0].ports[1]: Duplicate value: {"containerPort":1,"protocol":"TCP"}',
        ),
    ],
)
async def test_an_operators_schema_refuses_what_it_should(monitors: LocalApi, spec: Object, expected: str) -> None:
    """Patterns, alternatives, rules and keys are all applied."""
    with pytest.raises(ApiError) as caught:
        await monitors.create(MONITORS, monitor(**spec), "default")
    assert expected in str(caught.value)
