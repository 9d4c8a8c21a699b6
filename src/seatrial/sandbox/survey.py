"""A look at a running sandbox: its nodes, its pods and what it costs, for `seatrial sandbox status`."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from seatrial.errors import SandboxError
from seatrial.sandbox.api import Object
from seatrial.sandbox.client import ApplyError, SandboxClient
from seatrial.sandbox.controllers.objects import is_ready
from seatrial.sandbox.footprint import footprint_of
from seatrial.sandbox.owner import Sandbox


@dataclass(frozen=True)
class NodeSurvey:
    """One node, as its API server tells."""

    name: str
    zone: str
    address: str
    ready: bool
    pods: int


@dataclass(frozen=True)
class Survey:
    """One sandbox; `memory_bytes` is the proportional set size of all its processes."""

    name: str
    server: str
    kubeconfig: str
    pid: int
    up_seconds: float
    memory_bytes: int
    processes: int
    pods: int
    pods_ready: int
    nodes: tuple[NodeSurvey, ...]
    timings: Mapping[str, float]


async def survey(sandbox: Sandbox) -> Survey:
    """Look at a sandbox; raises `SandboxError` when it does not answer."""
    try:
        async with SandboxClient(sandbox.kubeconfig) as client:
            nodes, pods = await asyncio.gather(client.get("/api/v1/nodes"), client.get("/api/v1/pods"))
    except ApplyError as error:
        raise SandboxError(f"sandbox {sandbox.record.name!r} refuses to answer: {error}") from error
    cost = await asyncio.to_thread(footprint_of, sandbox.record.sandbox_id)
    placed = Counter(pod["spec"].get("nodeName") for pod in pods["items"])
    return Survey(
        name=sandbox.record.name,
        server=sandbox.record.server,
        kubeconfig=str(sandbox.kubeconfig),
        pid=sandbox.record.pid,
        up_seconds=round(time.time() - sandbox.record.started_at, 1),
        memory_bytes=cost.memory_bytes,
        processes=cost.processes,
        pods=len(pods["items"]),
        pods_ready=sum(map(is_ready, pods["items"])),
        nodes=tuple(_node(node, placed[node["metadata"]["name"]]) for node in nodes["items"]),
        timings=sandbox.record.timings,
    )


def _node(node: Object, pods: int) -> NodeSurvey:
    addresses = {each["type"]: each["address"] for each in node["status"].get("addresses") or ()}
    return NodeSurvey(
        name=node["metadata"]["name"],
        zone=node["metadata"].get("labels", {}).get("topology.kubernetes.io/zone", ""),
        address=addresses.get("InternalIP", ""),
        ready=is_ready(node),
        pods=pods,
    )
