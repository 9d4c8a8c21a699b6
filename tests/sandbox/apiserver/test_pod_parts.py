"""Parts of a pod that have a subresource of their own: resources and ephemeral containers; and a node's taints."""

from typing import Any

import pytest

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver.local import LocalApi


def pod(**container: Any) -> Object:
    return {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "busybox", **container}], "schedulerName": "nobody"},
    }


async def resized(api: LocalApi, resources: Object) -> Object:
    patch = {"spec": {"containers": [{"name": "c", "image": "busybox", "resources": resources}]}}
    return await api.patch("pods", "p", "default", patch, subresource="resize")


async def test_a_resize_changes_resources_and_the_generation(api: LocalApi) -> None:
    """What is resized is noted under the writer's name and the subresource."""
    requests = {"cpu": "50m", "memory": "32Mi"}
    await api.create("pods", pod(resources={"requests": requests}), "default")
    changed = await resized(api, {"requests": {**requests, "cpu": "80m"}})
    assert changed["spec"]["containers"][0]["resources"] == {"requests": {**requests, "cpu": "80m"}}
    assert changed["metadata"]["generation"] == 2
    assert "resize" in [entry.get("subresource") for entry in changed["metadata"]["managedFields"]]


@pytest.mark.parametrize(
    ("resources", "rule"),
    [
        ({"requests": {"cpu": "50m"}}, "resource requests cannot be removed"),
        ({"requests": {"cpu": "50m", "memory": "32Mi", "ephemeral-storage": "1Gi"}}, "only cpu and memory resources"),
        (
            {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"cpu": "50m", "memory": "32Mi"}},
            "Pod QOS Class may not change as a result of resizing",
        ),
    ],
)
async def test_a_resize_has_limits(api: LocalApi, resources: Object, rule: str) -> None:
    """Only CPU and memory change, nothing is taken away, and the quality of service stays."""
    await api.create("pods", pod(resources={"requests": {"cpu": "50m", "memory": "32Mi"}}), "default")
    with pytest.raises(ApiError, match=rule) as refusal:
        await resized(api, resources)
    assert refusal.value.code == 422


async def test_an_ephemeral_container_is_added_for_good(api: LocalApi) -> None:
    """It gets its defaults, and can be changed no more."""
    await api.create("pods", pod(), "default")
    patch = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox"}]}}
    added = await api.patch("pods", "p", "default", patch, subresource="ephemeralcontainers")
    assert added["spec"]["ephemeralContainers"][0]["terminationMessagePolicy"] == "File"
    patch["spec"]["ephemeralContainers"][0]["image"] = "nginx"
    with pytest.raises(ApiError, match="may not be changed"):
        await api.patch("pods", "p", "default", patch, subresource="ephemeralcontainers")


@pytest.mark.parametrize(
    ("taints", "rule"),
    [
        ([{"key": "a", "effect": "Bogus"}], 'Unsupported value: "Bogus"'),
        ([{"key": "a", "effect": "NoSchedule"}] * 2, "taints must be unique by key and effect pair"),
    ],
)
async def test_taints_are_well_formed(api: LocalApi, taints: list[Object], rule: str) -> None:
    """A taint has a known effect, and key and effect tell it from the others."""
    await api.create("nodes", {"metadata": {"name": "n"}})
    with pytest.raises(ApiError, match=rule) as refusal:
        await api.patch("nodes", "n", None, {"spec": {"taints": taints}})
    assert refusal.value.code == 422


async def test_an_event_is_owned_in_the_version_it_was_written_in(api: LocalApi) -> None:
    """An event of events.k8s.io is one of core/v1, too; its writer owns the fields by the names it used."""
    event = {
        "metadata": {"name": "p.1"},
        "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
        "note": "something",
        "reason": "Test",
        "type": "Normal",
        "action": "Testing",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "example.com/test",
        "reportingInstance": "test-1",
    }
    await api.create("events.events.k8s.io", event, "default")
    stored = await api.get("events", "p.1", "default")
    assert stored["message"] == "something"
    (entry,) = stored["metadata"]["managedFields"]
    assert (entry["apiVersion"], "f:note" in entry["fieldsV1"]) == ("events.k8s.io/v1", True)


async def test_an_ephemeral_container_has_a_name_and_an_image(api: LocalApi) -> None:
    """It is checked like any container, but for what it can't have."""
    await api.create("pods", pod(), "default")
    with pytest.raises(ApiError) as refusal:
        await api.patch(
            "pods", "p", "default", {"spec": {"ephemeralContainers": [{}]}}, subresource="ephemeralcontainers"
        )
    fields = [cause["field"] for cause in refusal.value.status["details"]["causes"]]
    assert fields == ["spec.ephemeralContainers[0].name", "spec.ephemeralContainers[0].image"]
