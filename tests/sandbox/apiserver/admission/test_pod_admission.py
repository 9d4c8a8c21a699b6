"""What admission makes of a pod and its neighbours: account, priority, tolerations, runtime class, default classes."""

import pytest

from seatrial.sandbox.api import ApiError
from seatrial.sandbox.apiserver.local import LocalApi
from tests.sandbox.apiserver.objects import pod

PRIORITIES = "priorityclasses.scheduling.k8s.io"


async def test_a_priority_class_becomes_a_number(api: LocalApi) -> None:
    """The pod's own, or the cluster's default; the system's classes exist."""
    await api.create(PRIORITIES, {"metadata": {"name": "usual"}, "value": 10, "globalDefault": True})
    body = {"metadata": {"name": "polite"}, "value": 20, "preemptionPolicy": "Never"}
    await api.create(PRIORITIES, body)
    expected = {"usual": (10, "PreemptLowerPriority"), "polite": (20, "Never")}
    expected["system-node-critical"] = (2000001000, "PreemptLowerPriority")
    for name, (value, policy) in expected.items():
        given = {} if name == "usual" else {"priorityClassName": name}
        spec = (await api.create("pods", pod(f"p-{name}", **given), "default"))["spec"]
        assert (spec["priorityClassName"], spec["priority"], spec["preemptionPolicy"]) == (name, value, policy)


async def test_priorities_that_make_no_sense_are_refused(api: LocalApi) -> None:
    """An unknown class, a number that contradicts the class, a second default."""
    with pytest.raises(ApiError, match="no PriorityClass with name nope was found"):
        await api.create("pods", pod("p", priorityClassName="nope"), "default")
    with pytest.raises(ApiError, match=r"the integer value of priority \(7\) must not be provided in pod spec"):
        await api.create("pods", pod("p", priority=7), "default")
    await api.create(PRIORITIES, {"metadata": {"name": "a"}, "value": 1, "globalDefault": True})
    with pytest.raises(ApiError, match="PriorityClass a is already marked as default"):
        await api.create(PRIORITIES, {"metadata": {"name": "b"}, "value": 2, "globalDefault": True})


async def test_an_account_that_is_missing_is_named(api: LocalApi) -> None:
    """A pod whose name isn't known yet is named by its prefix."""
    body = pod("", serviceAccountName="nobody")
    body["metadata"] = {"generateName": "web-"}
    with pytest.raises(ApiError) as caught:
        await api.create("pods", body, "default")
    why = 'error looking up service account default/nobody: serviceaccount "nobody" not found'
    assert str(caught.value) == f'pods "web-" is forbidden: {why}'


async def test_a_pod_bears_a_silent_node_for_five_minutes(api: LocalApi) -> None:
    """Unless it says otherwise: its own toleration of a taint stands."""
    own = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
    spec = (await api.create("pods", pod("p", tolerations=[own]), "default"))["spec"]
    assert {t["key"]: t["tolerationSeconds"] for t in spec["tolerations"]} == {
        "node.kubernetes.io/not-ready": 5,
        "node.kubernetes.io/unreachable": 300,
    }


async def test_a_runtime_class_brings_its_overhead_and_its_nodes(api: LocalApi) -> None:
    """And a pod of a class that doesn't exist is refused."""
    body = {
        "metadata": {"name": "boxed"},
        "handler": "boxed",
        "overhead": {"podFixed": {"cpu": "250m"}},
        "scheduling": {"nodeSelector": {"boxes": "yes"}},
    }
    await api.create("runtimeclasses.node.k8s.io", body)
    spec = (await api.create("pods", pod("p", runtimeClassName="boxed"), "default"))["spec"]
    assert (spec["overhead"], spec["nodeSelector"]) == ({"cpu": "250m"}, {"boxes": "yes"})
    with pytest.raises(ApiError, match='pod rejected: RuntimeClass "nope" not found'):
        await api.create("pods", pod("q", runtimeClassName="nope"), "default")


async def test_a_new_node_begins_tainted(api: LocalApi) -> None:
    """Until the node controller has seen it Ready, nothing is scheduled there."""
    node = await api.create("nodes", {"metadata": {"name": "n"}})
    assert node["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]


async def test_claims_and_ingresses_get_the_default_class(api: LocalApi) -> None:
    """Only if they name none; the empty name means none is wanted."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claims = "persistentvolumeclaims"
    given = await api.create(claims, {"metadata": {"name": "a"}, "spec": spec}, "default")
    assert given["spec"]["storageClassName"] == "standard"
    assert given["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    body = {"metadata": {"name": "b"}, "spec": {**spec, "storageClassName": ""}}
    assert (await api.create(claims, body, "default"))["spec"]["storageClassName"] == ""
    ingress_class = {
        "metadata": {"name": "web", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
        "spec": {"controller": "example.com/web"},
    }
    await api.create("ingressclasses.networking.k8s.io", ingress_class)
    backend = {"service": {"name": "s", "port": {"number": 80}}}
    body = {"metadata": {"name": "i"}, "spec": {"defaultBackend": backend}}
    made = await api.create("ingresses.networking.k8s.io", body, "default")
    assert made["spec"]["ingressClassName"] == "web"


async def test_only_volumes_of_a_class_that_allows_it_grow(api: LocalApi) -> None:
    """And only once they are bound."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": ""}
    await api.create("persistentvolumeclaims", {"metadata": {"name": "a"}, "spec": spec}, "default")
    patch = {"status": {"phase": "Bound"}}
    await api.patch("persistentvolumeclaims", "a", "default", patch, subresource="status")
    larger = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    with pytest.raises(ApiError, match="only dynamically provisioned pvc can be resized"):
        await api.patch("persistentvolumeclaims", "a", "default", larger)
