"""LimitRanges: defaults for containers, bounds for containers, pods and claims."""

from typing import Any

import pytest

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver.local import LocalApi
from tests.sandbox.apiserver.objects import pod


async def limit(api: LocalApi, kind: str = "Container", **bounds: dict[str, str]) -> Object:
    """Create a LimitRange of one item."""
    body = {"metadata": {"name": "limits"}, "spec": {"limits": [{"type": kind, **bounds}]}}
    return await api.create("limitranges", body, "default")


def asking(**resources: dict[str, str]) -> Any:
    """A container's resources, as a pod's spec."""
    return [{"name": "c", "image": "nginx", "resources": resources}]


async def refusal(api: LocalApi, **spec: object) -> str:
    """The words with which a pod is refused."""
    with pytest.raises(ApiError) as caught:
        await api.create("pods", pod("p", **spec), "default")
    assert (caught.value.code, caught.value.reason) == (403, "Forbidden")
    return str(caught.value).removeprefix('pods "p" is forbidden: ')


async def test_a_container_gets_what_it_does_not_ask_for(api: LocalApi) -> None:
    """Default requests and limits are filled in, named in an annotation, and count for the quality of service."""
    await limit(api, default={"cpu": "500m", "memory": "64Mi"}, defaultRequest={"cpu": "100m"})
    created = await api.create("pods", pod("p"), "default")
    assert created["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "100m", "memory": "64Mi"},
        "limits": {"cpu": "500m", "memory": "64Mi"},
    }
    said = created["metadata"]["annotations"]["kubernetes.io/limit-ranger"]
    assert said == ("LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c")
    assert created["status"]["qosClass"] == "Burstable"


async def test_defaults_follow_from_bounds(api: LocalApi) -> None:
    """Without a default limit the most is the default; without a default request, the limit."""
    made = await limit(api, max={"cpu": "2"}, min={"memory": "1Mi"})
    item = made["spec"]["limits"][0]
    assert item["default"] == {"cpu": "2"}
    assert item["defaultRequest"] == {"cpu": "2", "memory": "1Mi"}


@pytest.mark.parametrize(
    ("bounds", "resources", "message"),
    [
        (
            {"max": {"cpu": "1"}},
            {"limits": {"cpu": "2"}},
            "maximum cpu usage per Container is 1, but limit is 2",
        ),
        (
            {"min": {"memory": "64Mi"}},
            {"requests": {"memory": "32Mi"}},
            "minimum memory usage per Container is 64Mi, but request is 32Mi",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"requests": {"cpu": "100m"}, "limits": {"cpu": "300m"}},
            "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
        ),
        (
            {"max": {"cpu": "1", "memory": "1Gi"}},
            {"limits": {"cpu": "2", "memory": "2Gi"}},
            (
                "[maximum cpu usage per Container is 1, but limit is 2, "
                "maximum memory usage per Container is 1Gi, but limit is 2Gi]"
            ),
        ),
    ],
)
async def test_what_is_out_of_bounds_is_refused(
    api: LocalApi, bounds: dict[str, dict[str, str]], resources: dict[str, dict[str, str]], message: str
) -> None:
    """With every bound that is broken, in Kubernetes' words."""
    await limit(api, **bounds)
    assert await refusal(api, containers=asking(**resources)) == message


async def test_a_pod_is_bounded_as_a_whole(api: LocalApi) -> None:
    """The sum of its containers counts; a bound that it says nothing about is broken, too."""
    await limit(api, kind="Pod", max={"cpu": "1"})
    two = [{"name": name, "image": "nginx", "resources": {"limits": {"cpu": "600m"}}} for name in ("a", "b")]
    assert await refusal(api, containers=two) == "maximum cpu usage per Pod is 1, but limit is 1200m"
    assert await refusal(api) == "maximum cpu usage per Pod is 1.  No limit is specified"


async def test_a_claim_is_bounded_by_its_size(api: LocalApi) -> None:
    """Too small and too large are refused."""
    await limit(api, kind="PersistentVolumeClaim", min={"storage": "1Gi"}, max={"storage": "5Gi"})
    for size, message in (
        ("500Mi", "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 500Mi"),
        ("9Gi", "maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 9Gi"),
    ):
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
        with pytest.raises(ApiError, match=message):
            await api.create("persistentvolumeclaims", {"metadata": {"name": "c"}, "spec": spec}, "default")


async def test_init_containers_keep_the_bounds_too(api: LocalApi) -> None:
    """What runs first is bounded like what runs then."""
    await limit(api, max={"cpu": "1"})
    first = [{**asking(limits={"cpu": "2"})[0], "name": "first"}]
    said = await refusal(api, initContainers=first)
    assert said == "maximum cpu usage per Container is 1, but limit is 2"
