"""What a sandbox costs: time to ready, time to three goldpinger pods, idle processor time and memory.

Run it with `python -m benchmarks.sandbox`; it fails when a limit is exceeded.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import NamedTuple

from seatrial.sandbox.client import SandboxClient
from seatrial.sandbox.footprint import footprint_of
from seatrial.sandbox.manifests import apply_manifests, read_manifests
from seatrial.testing import Sandbox, sandbox_cluster

_MANIFESTS = Path(__file__).parents[1] / "examples" / "manifests" / "goldpinger.yml"
_IDLE_SECONDS = 10


class Figure(NamedTuple):
    """One measurement and what it may be; None where it is for information."""

    what: str
    value: float
    limit: float | None
    unit: str


async def main() -> list[Figure]:
    began = time.monotonic()
    async with sandbox_cluster(nodes=4) as sandbox:
        figures = [Figure("command to 4 nodes Ready", time.monotonic() - began, 2, "s")]
        used = footprint_of(sandbox.record.sandbox_id).cpu_seconds
        figures.append(Figure("command to 4 nodes Ready: processor, all processes", used, 2.5, "s"))
        figures += await idle(sandbox, "without pods", limits=(3, 150))
        async with SandboxClient(sandbox.kubeconfig) as client:
            began = time.monotonic()
            async for _ in apply_manifests(client, read_manifests([_MANIFESTS])):
                pass
            await three_pods_ready(client)
        figures.append(Figure("load to 3 goldpinger pods Ready", time.monotonic() - began, 1, "s"))
        figures += await idle(sandbox, "with 3 goldpinger pods", limits=(None, None))
        for milestone, elapsed in sandbox.timings.items():
            print(f"  {milestone:<20} {elapsed:8.1f}")
    return figures


async def idle(sandbox: Sandbox, when: str, *, limits: tuple[float | None, float | None]) -> list[Figure]:
    await asyncio.sleep(1)
    before = footprint_of(sandbox.record.sandbox_id)
    await asyncio.sleep(_IDLE_SECONDS)
    after = footprint_of(sandbox.record.sandbox_id)
    percent = (after.cpu_seconds - before.cpu_seconds) / _IDLE_SECONDS * 100
    return [
        Figure(f"idle {when}: processor", percent, limits[0], "% of a core"),
        Figure(f"idle {when}: memory (PSS, {after.processes} processes)", after.memory_bytes / 1e6, limits[1], "MB"),
    ]


async def three_pods_ready(client: SandboxClient) -> None:
    while True:
        pods = await client.get("/api/v1/namespaces/default/pods?labelSelector=app%3Dgoldpinger")
        ready = [pod for pod in pods["items"] if is_ready(pod)]
        if len(ready) == 3:
            return
        await asyncio.sleep(0.02)


def is_ready(pod: dict[str, dict[str, list[dict[str, str]]]]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def is_kept(figure: Figure) -> bool:
    return figure.limit is None or figure.value <= figure.limit


if __name__ == "__main__":
    results = asyncio.run(main())
    for figure in results:
        limit = "" if figure.limit is None else f"limit {figure.limit:5g}   {'ok' if is_kept(figure) else 'TOO MUCH'}"
        print(f"{figure.what:<55} {figure.value:8.2f} {figure.unit:<12} {limit}")
    sys.exit(not all(is_kept(figure) for figure in results))
