"""Kubelets' rights: what the node authorizer lets them read, and NodeRestriction lets them write."""

import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.sandbox.apiserver.conftest import Served
from tests.sandbox.apiserver.objects import pod

NAMESPACE = "/api/v1/namespaces/default"


@pytest.fixture
async def kubelet(served: Served) -> AsyncIterator[aiohttp.ClientSession]:
    """A client with the certificate of node1's kubelet; pod `mine` is on node1, pod `theirs` on node2."""
    for name, node in (("mine", "node1"), ("theirs", "node2")):
        await served.api.create("nodes", {"metadata": {"name": node}})
        volume = {"name": "v", "secret": {"secretName": f"of-{name}"}}
        await served.api.create("secrets", {"metadata": {"name": f"of-{name}"}}, "default")
        await served.api.create("pods", pod(name, volumes=[volume]), "default")
        target = {"metadata": {"name": name}, "target": {"kind": "Node", "name": node}}
        await served.api.create("pods/binding", target, "default")
    credential = served.authority.issue_client("system:node:node1", ["system:nodes"])
    tls = ssl.create_default_context(cafile=str(served.authority.ca_file))
    tls.load_cert_chain(credential.cert_file, credential.key_file)
    async with aiohttp.ClientSession(served.server.url, connector=aiohttp.TCPConnector(ssl=tls)) as session:
        yield session


async def refusal(kubelet: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> str:
    """The words of a 403."""
    patch = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else None
    async with kubelet.request(method, path, json=body, headers=patch) as answer:
        found = await answer.json()
        assert answer.status == 403, found
        return str(found["message"])


async def test_a_kubelet_reads_what_its_pods_refer_to(kubelet: aiohttp.ClientSession) -> None:
    """And no other secret; nor all of them."""
    async with kubelet.get(f"{NAMESPACE}/secrets/of-mine") as answer:
        assert answer.status == 200
    message = await refusal(kubelet, "GET", f"{NAMESPACE}/secrets/of-theirs")
    assert message.endswith("no relationship found between node 'node1' and this object")
    assert "No Object name found" in await refusal(kubelet, "GET", f"{NAMESPACE}/secrets")


async def test_a_kubelet_changes_its_own_node_only(kubelet: aiohttp.ClientSession) -> None:
    """Neither another's nor its own taints, nor labels that say where workloads go."""
    patch = {"metadata": {"labels": {"disk": "ssd"}}}
    async with kubelet.patch(
        "/api/v1/nodes/node1", json=patch, headers={"Content-Type": "application/merge-patch+json"}
    ) as answer:
        assert answer.status == 200
    assert 'not allowed to modify node "node2"' in await refusal(kubelet, "PATCH", "/api/v1/nodes/node2", patch)
    tainted: Any = {"spec": {"taints": None}}
    assert "not allowed to modify taints" in await refusal(kubelet, "PATCH", "/api/v1/nodes/node1", tainted)
    labelled = {"metadata": {"labels": {"node-restriction.kubernetes.io/secure": "yes"}}}
    assert "is not allowed to modify labels" in await refusal(kubelet, "PATCH", "/api/v1/nodes/node1", labelled)


async def test_a_kubelet_tells_of_its_own_pods_only(kubelet: aiohttp.ClientSession) -> None:
    """Status and deletion; it makes none but mirror pods."""
    status = {"status": {"phase": "Running"}}
    headers = {"Content-Type": "application/merge-patch+json"}
    async with kubelet.patch(f"{NAMESPACE}/pods/mine/status", json=status, headers=headers) as answer:
        assert answer.status == 200
    rule = "with spec.nodeName set to itself"
    assert rule in await refusal(kubelet, "PATCH", f"{NAMESPACE}/pods/theirs/status", status)
    assert rule in await refusal(kubelet, "DELETE", f"{NAMESPACE}/pods/theirs")
    assert "can only create mirror pods" in await refusal(kubelet, "POST", f"{NAMESPACE}/pods", pod("new"))


async def test_a_kubelet_gets_tokens_for_its_own_pods_only(kubelet: aiohttp.ClientSession, served: Served) -> None:
    """Bound to a pod that is on its node."""
    theirs = await served.api.get("pods", "theirs", "default")
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "theirs", "uid": theirs["metadata"]["uid"]}
    path = f"{NAMESPACE}/serviceaccounts/default/token"
    body: Any = {"spec": {"boundObjectRef": bound}}
    assert "bound to a pod scheduled on a different node" in await refusal(kubelet, "POST", path, body)
    assert "not bound to a pod" in await refusal(kubelet, "POST", path, {"spec": {}})


async def test_a_kubelet_renews_its_own_lease_only(kubelet: aiohttp.ClientSession) -> None:
    """In the namespace that is there for it."""
    path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
    async with kubelet.post(path, json={"metadata": {"name": "node1"}}) as answer:
        assert answer.status == 201
    message = await refusal(kubelet, "POST", path, {"metadata": {"name": "node2"}})
    assert "can only access node lease with the same name as the requesting node" in message


async def test_a_kubelet_may_do_nothing_else(kubelet: aiohttp.ClientSession) -> None:
    """Not even look at workloads."""
    assert "cannot list resource" in await refusal(kubelet, "GET", "/apis/apps/v1/deployments")
