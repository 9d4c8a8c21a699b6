import asyncio

import pytest

from seatrial.sandbox.api import ApiError, Object, WatchEvent
from seatrial.sandbox.apiserver.local import LocalApi
from tests.sandbox.apiserver.objects import config_map, deployment, pod


async def bound_pod(api: LocalApi, name: str = "p", **spec: object) -> Object:
    """A pod on a node."""
    await api.create("pods", pod(name, **spec), "default")
    target = {"metadata": {"name": name}, "target": {"kind": "Node", "name": "node1"}}
    await api.create("pods/binding", target, "default")
    return await api.get("pods", name, "default")


async def test_namespaces_are_furnished(api: LocalApi) -> None:
    """A new namespace has its default account and certificate bundle at once, so pods can follow immediately."""
    await api.create("namespaces", {"metadata": {"name": "team"}})
    created = await api.create("pods", pod("p"), "team")
    assert created["spec"]["serviceAccountName"] == "default"
    assert (await api.get("configmaps", "kube-root-ca.crt", "team"))["data"]["ca.crt"]


async def test_a_pod_gets_what_kubernetes_adds(api: LocalApi) -> None:
    """Defaults, tolerations, token volume, quality of service."""
    created = await api.create("pods", pod("p"), "default")
    spec = created["spec"]
    assert (spec["restartPolicy"], spec["terminationGracePeriodSeconds"]) == ("Always", 30)
    assert {toleration["key"] for toleration in spec["tolerations"]} == {
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    }
    assert spec["volumes"][0]["name"] == spec["containers"][0]["volumeMounts"][0]["name"]
    assert created["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


async def test_a_stale_replace_is_a_conflict(api: LocalApi) -> None:
    """A PUT with an old resourceVersion is refused and changes nothing."""
    old = await api.create("configmaps", config_map("c", a="1"), "default")
    await api.patch("configmaps", "c", "default", {"data": {"a": "2"}})
    with pytest.raises(ApiError) as caught:
        await api.replace("configmaps", old)
    assert (caught.value.code, caught.value.reason) == (409, "Conflict")
    assert (await api.get("configmaps", "c", "default"))["data"] == {"a": "2"}


async def test_a_patch_that_changes_nothing_makes_no_version(api: LocalApi) -> None:
    """The resourceVersion stays, and no watcher is told."""
    before = await api.create("configmaps", config_map("c", a="1"), "default")
    after = await api.patch("configmaps", "c", "default", {"data": {"a": "1"}})
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_status_and_spec_are_written_apart(api: LocalApi) -> None:
    """A status write can't change the spec, any other the status; only the spec counts generations."""
    await api.create("deployments.apps", deployment("d"), "default")
    both = {"spec": {"replicas": 5}, "status": {"replicas": 3}}
    by_status = await api.patch("deployments.apps", "d", "default", both, subresource="status")
    assert (by_status["spec"]["replicas"], by_status["status"]) == (1, {"replicas": 3})
    assert by_status["metadata"]["generation"] == 1
    by_spec = await api.patch("deployments.apps", "d", "default", {**both, "status": {"replicas": 9}})
    assert (by_spec["spec"]["replicas"], by_spec["status"]) == (5, {"replicas": 3})
    assert by_spec["metadata"]["generation"] == 2


async def test_scale_subresource(api: LocalApi) -> None:
    """Scaling changes the workload's replicas and answers a Scale."""
    await api.create("deployments.apps", deployment("d"), "default")
    scale = await api.patch("deployments.apps", "d", "default", {"spec": {"replicas": 4}}, subresource="scale")
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 4}, "app=d")
    assert (await api.get("deployments.apps", "d", "default"))["spec"]["replicas"] == 4


async def test_binding_a_pod(api: LocalApi) -> None:
    """A binding sets the node and the condition PodScheduled, once."""
    created = await bound_pod(api)
    assert created["spec"]["nodeName"] == "node1"
    assert [(c["type"], c["status"]) for c in created["status"]["conditions"]] == [("PodScheduled", "True")]
    with pytest.raises(ApiError, match="already assigned to node"):
        await api.create(
            "pods/binding", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "node2"}}, "default"
        )


async def test_an_unscheduled_pod_goes_at_once(api: LocalApi) -> None:
    """Nobody else could finish the deletion of a pod without a node."""
    await api.create("pods", pod("p"), "default")
    await api.delete("pods", "p", "default")
    with pytest.raises(ApiError, match='pods "p" not found'):
        await api.get("pods", "p", "default")


async def test_graceful_deletion_of_a_pod(api: LocalApi) -> None:
    """A pod on a node is marked, and goes when its kubelet deletes it with grace 0 under its uid."""
    created = await bound_pod(api, terminationGracePeriodSeconds=7)
    await api.delete("pods", "p", "default")
    marked = await api.get("pods", "p", "default")
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 7
    with pytest.raises(ApiError, match="does not match the UID"):
        await api.delete("pods", "p", "default", grace_period_seconds=0, uid="another")
    await api.delete("pods", "p", "default", grace_period_seconds=0, uid=created["metadata"]["uid"])
    assert (await api.list("pods")).items == []


async def test_finalizers_hold_an_object(api: LocalApi) -> None:
    """With a finalizer a deletion only marks; the object goes with its last finalizer."""
    body = config_map("c", a="1")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    await api.create("configmaps", body, "default")
    await api.delete("configmaps", "c", "default")
    assert "deletionTimestamp" in (await api.get("configmaps", "c", "default"))["metadata"]
    await api.patch("configmaps", "c", "default", {"metadata": {"finalizers": None}})
    with pytest.raises(ApiError) as caught:
        await api.get("configmaps", "c", "default")
    assert caught.value.code == 404


@pytest.mark.parametrize(("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
async def test_propagation_policies_leave_their_finalizer(api: LocalApi, policy: str, finalizer: str) -> None:
    """The garbage collector finds its orders in a finalizer."""
    await api.create("deployments.apps", deployment("d"), "default")
    await api.delete("deployments.apps", "d", "default", propagation_policy=policy)
    marked = await api.get("deployments.apps", "d", "default")
    assert marked["metadata"]["finalizers"] == [finalizer]


async def test_a_namespace_goes_in_two_steps(api: LocalApi) -> None:
    """Deleting makes it Terminating and closed to new objects; finalizing it removes it."""
    await api.create("namespaces", {"metadata": {"name": "team"}})
    await api.delete("namespaces", "team")
    going = await api.get("namespaces", "team")
    assert going["status"]["phase"] == "Terminating"
    with pytest.raises(ApiError, match="because it is being terminated"):
        await api.create("configmaps", config_map("c"), "team")
    await api.replace("namespaces", {**going, "spec": {}}, subresource="finalize")
    with pytest.raises(ApiError):
        await api.get("namespaces", "team")


async def test_services_get_addresses_of_their_own(api: LocalApi) -> None:
    """Cluster IPs come from the service range, are never given twice, and a wanted one is kept."""
    ports = [{"port": 80}]
    made = [
        await api.create("services", {"metadata": {"name": f"s{n}"}, "spec": {"ports": ports}}, "default")
        for n in range(20)
    ]
    addresses = {service["spec"]["clusterIP"] for service in made}
    assert len(addresses) == 20
    assert all(address.startswith("127.1.") for address in addresses)
    wanted = {"metadata": {"name": "w"}, "spec": {"ports": ports, "clusterIP": "127.1.200.7"}}
    assert (await api.create("services", wanted, "default"))["spec"]["clusterIPs"] == ["127.1.200.7"]
    again = {"metadata": {"name": "x"}, "spec": {"ports": ports, "clusterIP": "127.1.200.7"}}
    with pytest.raises(ApiError, match="already allocated"):
        await api.create("services", again, "default")


async def test_the_kubernetes_service_has_the_first_address(api: LocalApi) -> None:
    """Pods find the API server where KUBERNETES_SERVICE_HOST says."""
    service = await api.get("services", "kubernetes", "default")
    assert service["spec"]["clusterIP"] == "127.1.128.1"


async def test_eviction_respects_the_budget(api: LocalApi) -> None:
    """An eviction takes one disruption from the budget; without any left it is refused with 429."""
    selector = {"matchLabels": {"app": "a"}}
    budget = {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": selector}}
    await api.create("poddisruptionbudgets.policy", budget, "default")
    status = {"disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1, "observedGeneration": 1}
    await api.patch("poddisruptionbudgets.policy", "b", "default", {"status": status}, subresource="status")
    running = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    for name in ("one", "two"):
        await api.create("pods", pod(name, labels={"app": "a"}, nodeName="node1"), "default")
        await api.patch("pods", name, "default", running, subresource="status")
    await api.create("pods/eviction", {"metadata": {"name": "one"}}, "default")
    evicted = await api.get("pods", "one", "default")
    assert evicted["status"]["conditions"][-1]["reason"] == "EvictionByEvictionAPI"
    with pytest.raises(ApiError) as caught:
        await api.create("pods/eviction", {"metadata": {"name": "two"}}, "default")
    assert caught.value.code == 429
    cause = caught.value.status["details"]["causes"][0]
    assert cause["message"] == "The disruption budget b needs 1 healthy pods and has 2 currently"


async def test_service_account_tokens(api: LocalApi) -> None:
    """A TokenRequest answers a token bound to the pod it names, and refuses short lives."""
    created = await api.create("pods", pod("p"), "default")
    reference = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": created["metadata"]["uid"]}
    request = {"metadata": {"name": "default"}, "spec": {"expirationSeconds": 3607, "boundObjectRef": reference}}
    answer = await api.create("serviceaccounts/token", request, "default")
    assert answer["status"]["token"].count(".") == 2
    short = {"metadata": {"name": "default"}, "spec": {"expirationSeconds": 5}}
    with pytest.raises(ApiError, match="less than 10 minutes"):
        await api.create("serviceaccounts/token", short, "default")


async def collect(api: LocalApi, count: int, since: str, **selectors: str) -> list[WatchEvent]:
    """The first events of a watch on ConfigMaps."""
    events: list[WatchEvent] = []
    async for event in api.watch("configmaps", "default", resource_version=since, **selectors):
        events.append(event)
        if len(events) == count:
            break
    return events


async def test_a_watch_follows_a_selector(api: LocalApi) -> None:
    """An object that stops matching is DELETED with its old content, one that matches again is ADDED."""
    since = (await api.list("configmaps")).resource_version
    body = config_map("c", a="1")
    body["metadata"]["labels"] = {"k": "v"}
    await api.create("configmaps", body, "default")
    await api.create("configmaps", config_map("unseen"), "default")
    left = await api.patch("configmaps", "c", "default", {"metadata": {"labels": {"k": "other"}}})
    await api.patch("configmaps", "c", "default", {"metadata": {"labels": {"k": "v"}}})
    events = await collect(api, 3, since, label_selector="k=v")
    assert [event.type for event in events] == ["ADDED", "DELETED", "ADDED"]
    assert events[1].object["metadata"]["labels"] == {"k": "v"}
    assert events[1].object["metadata"]["resourceVersion"] == left["metadata"]["resourceVersion"]


async def test_a_watch_waits_for_what_comes(api: LocalApi) -> None:
    """A watch that has caught up sleeps until the next change."""
    since = (await api.list("configmaps")).resource_version
    watching = asyncio.create_task(collect(api, 1, since))
    await api.create("configmaps", config_map("c"), "default")
    assert [event.object["metadata"]["name"] for event in await watching] == ["c"]


async def test_a_watch_from_too_long_ago_is_refused(api: LocalApi) -> None:
    """410 tells a client to list again."""
    with pytest.raises(ApiError) as caught:
        await collect(api, 1, "1")
    assert (caught.value.code, caught.value.reason) == (410, "Expired")


async def test_objects_handed_out_are_never_changed(api: LocalApi) -> None:
    """A later write leaves what was read before as it was."""
    read = await api.create("deployments.apps", deployment("d"), "default")
    before = str(read)
    await api.patch("deployments.apps", "d", "default", {"spec": {"template": {"metadata": {"labels": {"x": "y"}}}}})
    await api.patch("deployments.apps", "d", "default", {"status": {"replicas": 1}}, subresource="status")
    await api.delete("deployments.apps", "d", "default", propagation_policy="Foreground")
    assert str(read) == before


async def test_unknown_resources_are_not_found(api: LocalApi) -> None:
    """A resource nobody serves is a 404, like over HTTP."""
    with pytest.raises(ApiError) as caught:
        await api.list("unicorns.example.com")
    assert caught.value.code == 404


async def test_an_eviction_is_about_the_pod_it_means(api: LocalApi) -> None:
    """Another pod of the name isn't touched; the version that was meant is evicted."""
    made = await bound_pod(api)
    wrong = {"metadata": {"name": "p"}, "deleteOptions": {"preconditions": {"uid": "another"}}}
    with pytest.raises(ApiError) as caught:
        await api.create("pods/eviction", wrong, "default")
    assert caught.value.code == 409
    assert await api.get("pods", "p", "default") == made
    meant = {"preconditions": {"resourceVersion": made["metadata"]["resourceVersion"]}}
    await api.create("pods/eviction", {"metadata": {"name": "p"}, "deleteOptions": meant}, "default")
    assert "deletionTimestamp" in (await api.get("pods", "p", "default"))["metadata"]


async def test_a_scale_names_its_selector_by_key(api: LocalApi) -> None:
    """Labels and expressions stand in the order of their keys, values in theirs."""
    body = deployment("d")
    body["spec"]["template"]["metadata"]["labels"] = {"m": "1", "a": "y"}
    expressions = [{"key": "a", "operator": "In", "values": ["z", "y"]}]
    body["spec"]["selector"] = {"matchLabels": {"m": "1"}, "matchExpressions": expressions}
    await api.create("deployments.apps", body, "default")
    scaled = await api.patch("deployments.apps", "d", "default", {"spec": {"replicas": 2}}, subresource="scale")
    assert scaled["status"]["selector"] == "a in (y,z),m=1"
