"""`metrics.k8s.io`, with kubelets that answer as told."""

from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import make_mocked_request

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver.built_in_resources import built_in
from seatrial.sandbox.apiserver.metrics_api import MetricsApi
from seatrial.sandbox.apiserver.operations import Operations
from seatrial.sandbox.apiserver.request_info import parse
from seatrial.sandbox.apiserver.store import Store

STATS = {"cpu": {"time": "2026-01-01T00:00:00Z", "usageNanoCores": 250_000_000}, "memory": {"workingSetBytes": 2**20}}


def metrics_api() -> MetricsApi:
    """Two nodes, of which one answers, and a pod on each."""
    operations = Operations(store=Store(), registry=built_in(), service_cidr="10.96.0.0/16", ca_data="")
    for number in (1, 2):
        node: Object = {"metadata": {"name": f"node{number}", "labels": {"zone": f"z{number}"}}}
        operations.store.put("nodes", "", f"node{number}", node)
        name = f"p{number}"
        metadata = {"name": name, "namespace": "shop", "uid": f"u{number}", "labels": {"app": "web"}}
        operations.store.put("pods", "shop", name, {"metadata": metadata, "spec": {"nodeName": f"node{number}"}})

    async def ask(node: str, path: str) -> Any:
        assert path == "/stats/summary"
        if node == "node2":
            raise ConnectionRefusedError
        return {"node": STATS, "pods": [{"podRef": {"uid": "u1"}, "containers": [{"name": "c", **STATS}]}]}

    return MetricsApi(operations, ask)


async def get(path: str) -> Object:
    """What is answered to a GET."""
    request = make_mocked_request("GET", path)
    answer = await metrics_api().handle(request, parse("GET", request.path, dict(request.query)))
    assert isinstance(answer.body, bytes)
    decoded: Object = msgspec.json.decode(answer.body)
    return decoded


async def test_pods_and_nodes_are_told_by_those_who_answer() -> None:
    """A silent kubelet's are left out; amounts are quantities."""
    pods = await get("/apis/metrics.k8s.io/v1beta1/pods")
    assert pods["kind"] == "PodMetricsList"
    assert [pod["metadata"]["name"] for pod in pods["items"]] == ["p1"]
    usage = {"cpu": "250000000n", "memory": "1024Ki"}
    assert pods["items"][0]["containers"] == [{"name": "c", "usage": usage}]
    nodes = await get("/apis/metrics.k8s.io/v1beta1/nodes")
    assert [(node["metadata"]["name"], node["usage"]) for node in nodes["items"]] == [("node1", usage)]


async def test_selectors_and_names_choose() -> None:
    """Labels are the pods' and nodes' own."""
    found = await get("/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods?labelSelector=app%3Dother")
    assert found["items"] == []
    one = await get("/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods/p1")
    assert (one["kind"], one["metadata"]["labels"]) == ("PodMetrics", {"app": "web"})


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods/p2", 'podmetrics.metrics.k8s.io "shop/p2" not found'),
        ("/apis/metrics.k8s.io/v1beta1/nodes/node2", 'nodemetrics.metrics.k8s.io "node2" not found'),
    ],
)
async def test_what_has_no_metrics_is_not_found(path: str, message: str) -> None:
    """As metrics-server answers."""
    with pytest.raises(ApiError) as refused:
        await get(path)
    assert (refused.value.code, refused.value.status["message"]) == (404, message)
