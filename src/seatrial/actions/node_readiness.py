"""Whether a node's kubelet reports, as the cluster sees it: read from watches, timed by their arrival.

A node that was switched off stays Ready until its heartbeats have been missed for long enough (the controller manager's
`--node-monitor-grace-period`), so "Ready" alone doesn't tell that it is back: its kubelet also has to have renewed its
Lease since. Source: Kubernetes documentation, "Nodes", "Node heartbeats".
"""

import asyncio
from collections.abc import Sequence

from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.errors import Forbidden, NotFound
from seatrial.kube.objects import Node
from seatrial.kube.resources import LEASES, NODES

_LEASES_NAMESPACE = "kube-node-lease"


async def last_renewal(name: str, cluster: Client) -> str | None:
    """When the node's kubelet renewed its Lease last, as the Lease says; None where there is none to be read."""
    try:
        lease = await cluster.get(LEASES, name, namespace=_LEASES_NAMESPACE)
    except (NotFound, Forbidden):
        return None
    renewed = (lease.get("spec") or {}).get("renewTime")
    return str(renewed) if renewed else None


async def wait_until_back(name: str, cluster: Client, *, since_renewal: str | None) -> None:
    """Wait until the node's kubelet is heard of again, and the node is Ready.

    `since_renewal` is what `last_renewal` said before the machine was started. Where it is None the Lease could not be
    read, and Ready has to do.
    """
    if since_renewal is not None:
        await _wait_for_renewal(name, cluster, after=since_renewal)
    await wait_for_readiness(name, cluster, ready=True)


async def wait_for_readiness(
    name: str, cluster: Client, *, ready: bool, opened: asyncio.Future[None] | None = None
) -> float:
    """Wait until the node is Ready, or isn't (it may be gone then); returns when that arrived, on the loop's clock.

    `opened` is set when the watch is open: what happens from then on is not missed.
    """
    async with cluster.watch(NODES, field_selector=f"metadata.name={name}", type=Node) as watch:
        if opened is not None:
            opened.set_result(None)
        if _all_ready(watch.snapshot) is ready:
            return asyncio.get_running_loop().time()
        async for event in watch:
            if (event.type != "DELETED" and event.object.is_ready) is ready:
                return event.received
    raise ClusterError(f"the watch of node {name} ended")


def _all_ready(nodes: Sequence[Node]) -> bool:
    """Whether there is a node, and it is Ready."""
    return bool(nodes) and all(node.is_ready for node in nodes)


async def _wait_for_renewal(name: str, cluster: Client, *, after: str) -> None:
    selector = f"metadata.name={name}"
    async with cluster.watch(LEASES, namespace=_LEASES_NAMESPACE, field_selector=selector) as watch:
        renewals = [(lease.get("spec") or {}).get("renewTime") for lease in watch.snapshot]
        if any(renewed not in (None, after) for renewed in renewals):
            return
        async for event in watch:
            if event.type != "DELETED" and (event.object.get("spec") or {}).get("renewTime") not in (None, after):
                return
