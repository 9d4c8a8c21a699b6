"""Endpoints and EndpointSlices: who answers for a Service, in which state, at which port."""

from typing import Any

import pytest

from seatrial.sandbox.api import Object
from tests.sandbox.controllers.world import NAMESPACE, World, deployment, pod, running_world, service

pytestmark = pytest.mark.looptime
SLICES = "endpointslices.discovery.k8s.io"
SERVICE = "kubernetes.io/service-name"


def slices(world: World, name: str = "web") -> list[Object]:
    """The slices of a Service."""
    return world.seen(SLICES, **{SERVICE: name})


def endpoints(world: World, name: str = "web") -> list[Object]:
    """All endpoints of a Service's slices."""
    return [entry for item in slices(world, name) for entry in item.get("endpoints") or []]


def conditions(world: World, name: str = "web") -> dict[str, tuple[bool, bool, bool]]:
    """(ready, serving, terminating) by pod."""
    return {
        entry["targetRef"]["name"]: (
            entry["conditions"]["ready"],
            entry["conditions"]["serving"],
            entry["conditions"]["terminating"],
        )
        for entry in endpoints(world, name)
    }


def subsets(world: World, name: str = "web") -> list[Object]:
    """The subsets of a Service's Endpoints."""
    return world.one("endpoints", name).get("subsets") or []


async def test_a_service_without_pods_has_an_empty_slice_and_empty_endpoints() -> None:
    """The recorded shape: one slice with null lists, owned by the Service; Endpoints without subsets."""
    async with running_world() as world:
        await world.api.create("services", service(), NAMESPACE)
        await world.until(lambda: len(slices(world)) == 1 and world.one("endpoints", "web"))
        made = slices(world)[0]
        assert (made["addressType"], made.get("endpoints"), made.get("ports")) == ("IPv4", None, None)
        assert made["metadata"]["generateName"] == "web-"
        assert made["metadata"]["ownerReferences"][0]["kind"] == "Service"
        assert made["metadata"]["labels"] == {
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            SERVICE: "web",
        }
        assert "endpoints.kubernetes.io/last-change-trigger-time" in made["metadata"]["annotations"]
        assert subsets(world) == []
        assert world.one("endpoints", "web")["metadata"]["labels"] == {
            "endpoints.kubernetes.io/managed-by": "endpoint-controller"
        }


async def test_ready_pods_stand_behind_their_service() -> None:
    """Address, port, node, zone and target of each ready pod, in the slice that was there before."""
    async with running_world() as world:
        await world.api.create("services", service(), NAMESPACE)
        await world.until(lambda: slices(world))
        first = slices(world)[0]["metadata"]["name"]
        await world.api.create("deployments.apps", deployment(replicas=2), NAMESPACE)
        await world.until(lambda: [state[0] for state in conditions(world).values()] == [True, True])
        assert [item["metadata"]["name"] for item in slices(world)] == [first]
        assert slices(world)[0]["ports"] == [{"name": "", "protocol": "TCP", "port": 80}]
        entry = endpoints(world)[0]
        target = world.one("pods", entry["targetRef"]["name"])
        assert entry["addresses"] == [target["status"]["podIP"]]
        assert entry["nodeName"] == target["spec"]["nodeName"]
        assert entry["zone"].startswith("zone-")
        assert entry["targetRef"]["uid"] == target["metadata"]["uid"]
        await world.until(lambda: len(subsets(world)[0]["addresses"]) == 2)
        assert subsets(world)[0]["ports"] == [{"port": 80, "protocol": "TCP"}]


async def test_a_terminating_pod_serves_but_is_not_ready() -> None:
    """While it ends: ready false, serving true, terminating true in the slice; gone from Endpoints at once."""
    async with running_world() as world:
        world.slow_to_end_seconds = 10
        await world.api.create("services", service(), NAMESPACE)
        await world.api.create("pods", pod("a", labels={"app": "web"}), NAMESPACE)
        await world.api.create("pods", pod("b", labels={"app": "web"}), NAMESPACE)
        await world.until(lambda: len(subsets(world)[0]["addresses"]) == 2)
        await world.api.delete("pods", "a", NAMESPACE)
        await world.until(lambda: conditions(world)["a"] == (False, True, True))
        await world.until(lambda: [e["targetRef"]["name"] for e in subsets(world)[0]["addresses"]] == ["b"])
        assert world.one("pods", "a")
        await world.until(lambda: list(conditions(world)) == ["b"])


async def test_a_pod_that_is_not_ready_is_listed_apart() -> None:
    """A failing readiness turns ready off in the slice and moves the address to notReadyAddresses."""
    async with running_world() as world:
        await world.api.create("services", service(), NAMESPACE)
        await world.api.create("pods", pod("a", labels={"app": "web"}), NAMESPACE)
        await world.until(lambda: conditions(world)["a"] == (True, True, False))
        found = world.one("pods", "a")
        changed = [
            {**entry, "status": "False"} if entry["type"] == "Ready" else entry
            for entry in found["status"]["conditions"]
        ]
        await world.api.patch("pods", "a", NAMESPACE, {"status": {"conditions": changed}}, subresource="status")
        await world.until(lambda: conditions(world)["a"] == (False, False, False))
        await world.until(lambda: "addresses" not in subsets(world)[0] and subsets(world)[0]["notReadyAddresses"])


async def test_a_service_may_publish_pods_that_are_not_ready() -> None:
    """With publishNotReadyAddresses a terminating pod stays ready in the slice and in Endpoints."""
    async with running_world() as world:
        world.slow_to_end_seconds = 10
        await world.api.create(
            "services", service("early", selector={"app": "web"}, publishNotReadyAddresses=True), NAMESPACE
        )
        await world.api.create("pods", pod("a", labels={"app": "web"}), NAMESPACE)
        await world.until(lambda: conditions(world, "early")["a"] == (True, True, False))
        await world.api.delete("pods", "a", NAMESPACE)
        await world.until(lambda: conditions(world, "early")["a"] == (True, True, True))
        assert len(subsets(world, "early")[0]["addresses"]) == 1


async def test_a_named_target_port_is_looked_up_in_each_pod() -> None:
    """Pods that give the name different numbers stand in different slices and subsets."""
    async with running_world() as world:
        ports = [{"name": "a", "port": 80, "targetPort": "http"}, {"name": "b", "port": 81, "targetPort": 8080}]
        await world.api.create("services", service("named", selector={"app": "web"}, ports=ports), NAMESPACE)
        for name, number in (("old", 80), ("new", 8000)):
            container = {"name": "c", "image": "nginx", "ports": [{"name": "http", "containerPort": number}]}
            await world.api.create("pods", pod(name, labels={"app": "web"}, containers=[container]), NAMESPACE)
        await world.until(lambda: len(slices(world, "named")) == 2 and len(endpoints(world, "named")) == 2)
        await world.until(lambda: len(subsets(world, "named")) == 2)

        def numbers(item: dict[str, Any]) -> dict[str, int]:
            return {port["name"]: port["port"] for port in item["ports"]}

        found = {item["endpoints"][0]["targetRef"]["name"]: numbers(item) for item in slices(world, "named")}
        assert found == {"old": {"a": 80, "b": 8080}, "new": {"a": 8000, "b": 8080}}


async def test_a_headless_service_is_labelled() -> None:
    """Both forms carry `service.kubernetes.io/headless`."""
    async with running_world() as world:
        await world.api.create("services", service("head", selector={"app": "web"}, clusterIP="None"), NAMESPACE)
        label = "service.kubernetes.io/headless"
        await world.until(lambda: slices(world, "head")[0]["metadata"]["labels"][label] == "")
        await world.until(lambda: world.one("endpoints", "head")["metadata"]["labels"][label] == "")


async def test_a_service_without_a_selector_is_left_alone() -> None:
    """Nobody writes endpoints for it, and hand-made ones stay."""
    async with running_world() as world:
        await world.api.create("services", service("bare", selector={}), NAMESPACE)
        await world.api.create(
            "endpoints", {"metadata": {"name": "bare"}, "subsets": [{"addresses": [{"ip": "10.0.0.1"}]}]}, NAMESPACE
        )
        await world.until(lambda: subsets(world, "bare"))
        await world.settled()
        assert subsets(world, "bare")[0]["addresses"] == [{"ip": "10.0.0.1"}]
        assert slices(world, "bare") == []


async def test_pods_follow_labels_and_selectors() -> None:
    """Relabelling a pod, or changing the Service's selector, changes who stands behind it."""
    async with running_world() as world:
        await world.api.create("services", service(), NAMESPACE)
        await world.api.create("pods", pod("a", labels={"app": "web"}), NAMESPACE)
        await world.api.create("pods", pod("b", labels={"app": "other"}), NAMESPACE)
        await world.until(lambda: list(conditions(world)) == ["a"])
        await world.api.patch("pods", "b", NAMESPACE, {"metadata": {"labels": {"app": "web"}}})
        await world.until(lambda: sorted(conditions(world)) == ["a", "b"])
        await world.api.patch("pods", "a", NAMESPACE, {"metadata": {"labels": {"app": "gone"}}})
        await world.until(lambda: list(conditions(world)) == ["b"])
        await world.api.patch("services", "web", NAMESPACE, {"spec": {"selector": {"app": "gone"}}})
        await world.until(lambda: list(conditions(world)) == ["a"])
        await world.until(lambda: [e["targetRef"]["name"] for e in subsets(world)[0]["addresses"]] == ["a"])


async def test_a_deleted_service_takes_its_endpoints_along() -> None:
    """Endpoints go with the controller, slices with the garbage collector."""
    async with running_world() as world:
        await world.api.create("services", service(), NAMESPACE)
        await world.until(lambda: slices(world) and world.one("endpoints", "web"))
        await world.api.delete("services", "web", NAMESPACE)
        await world.until(
            lambda: not slices(world) and not [e for e in world.seen("endpoints") if e["metadata"]["name"] == "web"]
        )


async def test_large_services_are_portioned() -> None:
    """250 pods stand in three slices of at most a hundred, each pod once, and one change rewrites one slice."""
    async with running_world(nodes=5) as world:
        await world.api.create("services", service(), NAMESPACE)
        await world.api.create("deployments.apps", deployment(replicas=250), NAMESPACE)
        await world.until(
            lambda: len(conditions(world)) == 250 and all(ready for ready, _, _ in conditions(world).values())
        )
        await world.settled()
        assert sorted(len(item["endpoints"]) for item in slices(world)) == [50, 100, 100]
        assert len(endpoints(world)) == 250
        begin = len(world.history)
        await world.api.delete("pods", endpoints(world)[0]["targetRef"]["name"], NAMESPACE, grace_period_seconds=0)
        await world.until(lambda: len(world.ready_pods()) == 250)
        await world.settled()
        touched = {item["metadata"]["name"] for _, resource, item in world.history[begin:] if resource == SLICES}
        assert len(touched) <= 2
        assert len({entry["targetRef"]["uid"] for entry in endpoints(world)}) == 250
