import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.kubectls import ends, kubectls
from tests.sandbox.apiserver.conftest import Served
from tests.sandbox.apiserver.objects import pod

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: nginx}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""

Kubectl = Callable[..., Coroutine[Any, Any, str]]
pytestmark = pytest.mark.skipif(not kubectls(), reason="there is no kubectl on this machine")


@pytest.fixture(params=ends().values(), ids=ends())
def kubectl(request: pytest.FixtureRequest, kubeconfig: Path, tmp_path: Path) -> Kubectl:
    """Runs kubectl and returns what it prints; fails on its failure."""
    options = ["--kubeconfig", str(kubeconfig), "--cache-dir", str(tmp_path / "cache")]

    async def run(*arguments: str, stdin: str = "", code: int = 0) -> str:
        process = await asyncio.create_subprocess_exec(
            request.param,
            *options,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate(stdin.encode())
        assert process.returncode == code, output.decode()
        return output.decode()

    return run


async def test_apply_change_and_delete(kubectl: Kubectl, served: Served) -> None:
    """apply, apply again, scale, label, annotate, patch, describe, delete: as against any cluster."""
    assert "deployment.apps/web created" in await kubectl("apply", "-f", "-", stdin=MANIFEST)
    assert "deployment.apps/web unchanged" in await kubectl("apply", "-f", "-", stdin=MANIFEST)
    changed = MANIFEST.replace("replicas: 2", "replicas: 3")
    assert "deployment.apps/web configured" in await kubectl("apply", "-f", "-", stdin=changed)
    await kubectl("scale", "deployment", "web", "--replicas", "4")
    await kubectl("label", "deployment", "web", "tier=front")
    await kubectl("annotate", "deployment", "web", "note=yes")
    await kubectl("patch", "deployment", "web", "-p", '{"spec":{"minReadySeconds":5}}')
    found = await served.api.get("deployments.apps", "web", "default")
    assert (found["spec"]["replicas"], found["spec"]["minReadySeconds"]) == (4, 5)
    assert found["metadata"]["labels"] == {"tier": "front"}
    assert "Selector:" in await kubectl("describe", "service", "web")
    assert 'deployment.apps "web" deleted' in await kubectl("delete", "-f", "-", stdin=MANIFEST)


async def test_get_in_its_forms(kubectl: Kubectl, served: Served) -> None:
    """Tables, wide tables, JSON, YAML, names; errors as usual."""
    await served.api.create("pods", pod("p", labels={"app": "a"}, nodeName="node1"), "default")
    header, row = (await kubectl("get", "pods")).splitlines()
    assert header.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert row.split()[:4] == ["p", "0/1", "Pending", "0"]
    assert "node1" in await kubectl("get", "pods", "-o", "wide")
    assert json.loads(await kubectl("get", "pod", "p", "-o", "json"))["metadata"]["name"] == "p"
    assert "kind: Pod" in await kubectl("get", "pod", "p", "-o", "yaml")
    assert await kubectl("get", "po", "-l", "app=a", "-o", "name") == "pod/p\n"
    missing = await kubectl("get", "pod", "nope", code=1)
    assert 'Error from server (NotFound): pods "nope" not found' in missing


async def test_discovery(kubectl: Kubectl) -> None:
    """api-resources and explain find what they need."""
    resources = await kubectl("api-resources")
    for line in ("deployments", "poddisruptionbudgets", "endpointslices", "events.k8s.io/v1"):
        assert line in resources
    assert "containers" in await kubectl("explain", "pod.spec")


async def test_server_side_apply(kubectl: Kubectl) -> None:
    """Applying on the server, and the conflict with another manager."""
    assert "serverside-applied" in await kubectl("apply", "--server-side", "-f", "-", stdin=MANIFEST)
    await kubectl("scale", "deployment", "web", "--replicas", "7")
    refused = await kubectl("apply", "--server-side", "-f", "-", stdin=MANIFEST, code=1)
    assert ".spec.replicas" in refused
    await kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=MANIFEST)


async def test_get_watch_shows_a_deletion(
    kubectl: Kubectl, served: Served, kubeconfig: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """`get pods --watch` prints a line for each change as it comes."""
    await served.api.create("pods", pod("p", nodeName="node1"), "default")
    program = request.node.callspec.params["kubectl"]
    process = await asyncio.create_subprocess_exec(
        program,
        *("--kubeconfig", str(kubeconfig), "--cache-dir", str(tmp_path / "cache")),
        *("get", "pods", "--watch", "--no-headers"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            assert b"Pending" in await process.stdout.readline()
            await served.api.patch("pods", "p", "default", {"status": {"phase": "Running"}}, subresource="status")
            assert b"Running" in await process.stdout.readline()
            await served.api.delete("pods", "p", "default")
            assert b"Terminating" in await process.stdout.readline()
    finally:
        process.kill()
        await process.wait()
