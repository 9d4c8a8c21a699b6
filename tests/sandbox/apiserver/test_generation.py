"""What counts as a new generation of an object."""

import pytest

from seatrial.sandbox.api import ApiError
from seatrial.sandbox.apiserver.local import LocalApi
from tests.sandbox.apiserver.objects import deployment


async def generation_after(api: LocalApi, resource: str, patch: dict[str, object], *, subresource: str = "") -> int:
    """The generation of `web` after a patch."""
    changed = await api.patch(resource, "web", "default", patch, subresource=subresource or None)
    return int(changed["metadata"]["generation"])


async def test_a_deployments_annotations_count(api: LocalApi) -> None:
    """A rollout's cause is an annotation, so a changed one makes a new generation; labels and status don't."""
    await api.create("deployments.apps", deployment("web"), "default")
    noted = {"metadata": {"annotations": {"kubernetes.io/change-cause": "a try"}}}
    assert await generation_after(api, "deployments.apps", noted) == 2
    assert await generation_after(api, "deployments.apps", noted) == 2
    assert await generation_after(api, "deployments.apps", {"metadata": {"labels": {"a": "b"}}}) == 2
    revision = {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "1"}}}
    assert await generation_after(api, "deployments.apps", revision, subresource="status") == 2
    assert await generation_after(api, "deployments.apps", {"spec": {"replicas": 3}}) == 3


async def test_a_replica_sets_annotations_do_not(api: LocalApi) -> None:
    """Other workloads count their spec alone."""
    await api.create("replicasets.apps", deployment("web"), "default")
    assert await generation_after(api, "replicasets.apps", {"metadata": {"annotations": {"a": "b"}}}) == 1


async def test_a_workload_is_checked_before_it_is_compared(api: LocalApi) -> None:
    """A new selector that fits no template is wrong in itself first, and then not to be changed."""
    await api.create("deployments.apps", deployment("web"), "default")
    with pytest.raises(ApiError) as refused:
        await api.patch("deployments.apps", "web", "default", {"spec": {"selector": {"matchLabels": {"app": "x"}}}})
    fields = [cause["field"] for cause in refused.value.status["details"]["causes"]]
    assert fields == ["spec.template.metadata.labels", "spec.selector"]
