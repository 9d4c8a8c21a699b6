"""ResourceQuotas at admission: what they count, what they refuse, and that nothing slips through."""

import asyncio
from typing import Any

import pytest

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver.local import LocalApi
from tests.sandbox.apiserver.objects import config_map, deployment, pod


async def quota(api: LocalApi, name: str = "q", *, used: dict[str, str] | None = None, **spec: Any) -> None:
    """Create a quota whose use is known, as after the quota controller's first look."""
    await api.create("resourcequotas", {"metadata": {"name": name}, "spec": spec}, "default")
    counted = dict.fromkeys(spec["hard"], "0") | (used or {})
    status = {"hard": spec["hard"], "used": counted}
    await api.patch("resourcequotas", name, "default", {"status": status}, subresource="status")


async def used(api: LocalApi, name: str = "q") -> Object:
    """What a quota says is used."""
    found: Object = (await api.get("resourcequotas", name, "default"))["status"]["used"]
    return found


async def refusal(api: LocalApi, resource: str, body: Object) -> str:
    """The words with which an object is refused."""
    with pytest.raises(ApiError) as caught:
        await api.create(resource, body, "default")
    assert (caught.value.code, caught.value.reason) == (403, "Forbidden")
    return str(caught.value)


def asking(cpu: str) -> Any:
    """A container that asks for so much CPU."""
    return [{"name": "c", "image": "nginx", "resources": {"requests": {"cpu": cpu}}}]


async def test_what_exceeds_a_quota_is_refused(api: LocalApi) -> None:
    """With what is asked, used and allowed; what is let in counts at once."""
    await quota(api, hard={"pods": "2", "requests.cpu": "1"})
    await api.create("pods", pod("a", containers=asking("600m")), "default")
    assert await used(api) == {"pods": "1", "requests.cpu": "600m"}
    message = await refusal(api, "pods", pod("b", containers=asking("500m")))
    assert message == (
        'pods "b" is forbidden: exceeded quota: q, requested: requests.cpu=500m, '
        "used: requests.cpu=600m, limited: requests.cpu=1"
    )
    assert await used(api) == {"pods": "1", "requests.cpu": "600m"}


async def test_of_many_at_a_time_no_more_pass_than_there_is_room_for(api: LocalApi) -> None:
    """Ten creations at the same time, room for three."""
    await quota(api, hard={"pods": "3"})
    bodies = [pod(f"p{number}") for number in range(10)]
    results = await asyncio.gather(*(api.create("pods", body, "default") for body in bodies), return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in results) == 3
    assert len((await api.list("pods", "default")).items) == 3
    assert await used(api) == {"pods": "3"}


async def test_what_is_limited_must_be_stated(api: LocalApi) -> None:
    """A quota of cpu or memory makes each container say how much it wants."""
    await quota(api, hard={"limits.cpu": "4", "requests.memory": "1Gi"})
    message = await refusal(api, "pods", pod("p"))
    assert message.endswith("failed quota: q: must specify limits.cpu for: c; requests.memory for: c")


async def test_a_quota_that_was_not_counted_yet_lets_nothing_in(api: LocalApi) -> None:
    """Its status names a limit but not how much of it is used."""
    await api.create("resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}}, "default")
    status = {"hard": {"pods": "1"}, "used": {}}
    await api.patch("resourcequotas", "q", "default", {"status": status}, subresource="status")
    assert "status unknown for quota: q, resources: pods" in await refusal(api, "pods", pod("p"))


async def test_objects_of_any_kind_are_counted(api: LocalApi) -> None:
    """By `count/RESOURCE.GROUP`, and some by their bare name."""
    await quota(api, hard={"count/deployments.apps": "1", "configmaps": "2", "count/configmaps": "9"})
    await api.create("deployments.apps", deployment("a"), "default")
    await api.create("configmaps", config_map("a"), "default")
    assert await used(api) == {"count/deployments.apps": "1", "configmaps": "1", "count/configmaps": "1"}
    message = await refusal(api, "deployments.apps", deployment("b"))
    assert "requested: count/deployments.apps=1, used: count/deployments.apps=1" in message


async def test_node_ports_are_counted_when_a_service_changes(api: LocalApi) -> None:
    """From a ClusterIP to a NodePort is one more."""
    await quota(api, hard={"services.nodeports": "1"})
    for name in ("a", "b"):
        await api.create("services", {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}, "default")
    await api.patch("services", "a", "default", {"spec": {"type": "NodePort"}})
    with pytest.raises(ApiError, match=r"exceeded quota: q, requested: services\.nodeports=1"):
        await api.patch("services", "b", "default", {"spec": {"type": "NodePort"}})


async def test_claims_are_counted_by_size_and_class(api: LocalApi) -> None:
    """`requests.storage`, for all classes and for one."""
    by_class = "standard.storageclass.storage.k8s.io/requests.storage"
    await quota(api, hard={"requests.storage": "10Gi", by_class: "5Gi", "persistentvolumeclaims": "9"})
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "4Gi"}}}
    await api.create("persistentvolumeclaims", {"metadata": {"name": "a"}, "spec": spec}, "default")
    assert await used(api) == {"requests.storage": "4Gi", by_class: "4Gi", "persistentvolumeclaims": "1"}
    assert f"used: {by_class}=4Gi" in await refusal(
        api, "persistentvolumeclaims", {"metadata": {"name": "b"}, "spec": spec}
    )


async def test_scopes_choose_what_counts(api: LocalApi) -> None:
    """By quality of service, deadline and priority class."""
    await api.create("priorityclasses.scheduling.k8s.io", {"metadata": {"name": "high"}, "value": 1000})
    expression = {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}
    await quota(api, "best-effort", hard={"pods": "5"}, scopes=["BestEffort"])
    await quota(api, "ending", hard={"pods": "5"}, scopes=["Terminating"])
    await quota(api, "high", hard={"pods": "5"}, scopeSelector={"matchExpressions": [expression]})
    await api.create("pods", pod("a", priorityClassName="high"), "default")
    await api.create("pods", pod("b", containers=asking("1"), activeDeadlineSeconds=60), "default")
    assert [(await used(api, name))["pods"] for name in ("best-effort", "ending", "high")] == ["1", "1", "1"]
