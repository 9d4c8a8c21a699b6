"""How long a sandbox takes to run many pods: 100 on 4 nodes, 1,000 on 50, each a process of its own.

Run it with `python -m benchmarks.sandbox_pods`; it fails when a limit is exceeded. The image is the built-in `pause`.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable

from benchmarks.sandbox_api import Client, Figure, client_of
from seatrial.sandbox.footprint import footprint_of
from seatrial.testing import Sandbox, sandbox_cluster

_TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


async def main() -> list[Figure]:
    figures: list[Figure] = []

    def tell(figure: Figure) -> None:
        figure.show()
        figures.append(figure)

    for nodes, pods, ready_limit, pods_limit in ((4, 100, 2, 10), (50, 1000, 8, 120)):
        began = time.monotonic()
        async with sandbox_cluster(nodes=nodes) as sandbox, client_of(sandbox) as client:
            tell(Figure(f"{nodes} nodes: command to Ready", time.monotonic() - began, "s", ready_limit))
            empty = footprint_of(sandbox.record.sandbox_id)
            tell(Figure("  memory (PSS) per node, all included", empty.memory_bytes / nodes / 1e6, "MB", 45))
            lists = await until_ready(client, pods, tell, f"{nodes} nodes: {pods} pods Ready", pods_limit)
            used = footprint_of(sandbox.record.sandbox_id).cpu_seconds - empty.cpu_seconds
            tell(Figure("  processor time per pod, all processes", used / pods * 1000, "ms", 100))
            what = "`kubectl get pods` meanwhile (its Table request)"
            tell(Figure(f"  median {what}", statistics.median(lists) * 1000, "ms", 500))
            tell(Figure(f"  slowest {what}", max(lists) * 1000, "ms", 1000))
            await footprint(sandbox, empty.memory_bytes, pods, tell)
            began = time.monotonic()
        tell(Figure(f"{nodes} nodes, {pods} pods: down, and nothing left", time.monotonic() - began, "s", 20))
    return figures


async def until_ready(
    client: Client, pods: int, tell: Callable[[Figure], None], what: str, limit: float
) -> list[float]:
    """Create a Deployment and wait until all its pods are Ready; how long lists as a Table took meanwhile."""
    labels = {"app": "many"}
    template = {
        "metadata": {"labels": labels},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "pause", "image": "registry.k8s.io/pause:3.10"}],
        },
    }
    spec = {"replicas": pods, "selector": {"matchLabels": labels}, "template": template}
    path = "/apis/apps/v1/namespaces/default/deployments"
    began = time.monotonic()
    taken: list[float] = []
    await client.ask("POST", path, {"metadata": {"name": "many"}, "spec": spec})
    while True:
        asked = time.monotonic()
        async with client.session.get(f"{client.url}/api/v1/namespaces/default/pods", headers=_TABLE) as answer:
            await answer.read()
        taken.append(time.monotonic() - asked)
        status = json.loads(await client.ask("GET", f"{path}/many"))["status"]
        if status.get("readyReplicas", 0) == pods:
            tell(Figure(what, time.monotonic() - began, "s", limit))
            return taken
        await asyncio.sleep(0.1)


async def footprint(sandbox: Sandbox, empty_bytes: int, pods: int, tell: Callable[[Figure], None]) -> None:
    before = footprint_of(sandbox.record.sandbox_id)
    await asyncio.sleep(10)
    after = footprint_of(sandbox.record.sandbox_id)
    share = (after.cpu_seconds - before.cpu_seconds) / 10 * 100
    tell(Figure(f"  at rest: processor ({after.processes} processes)", share, "% of a core", 12))
    tell(Figure("  memory (PSS) in all", after.memory_bytes / 1e6, "MB"))
    tell(Figure("  memory (PSS) per pod", (after.memory_bytes - empty_bytes) / pods / 1e6, "MB", 2.5))


if __name__ == "__main__":
    sys.exit(not all(figure.is_kept for figure in asyncio.run(main())))
