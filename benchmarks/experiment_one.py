"""Experiment 1 as a whole run, and how soon its first request and its first kill reach the API server.

Half of three goldpinger pods are chosen and force-killed, without waiting for their recovery: by the tool, by a bare
aiohttp script, and by the nearest that kubectl can do (`kubectl delete pod NAME --force`), in turns on one sandbox.
When requests arrived stands in the sandbox's audit log. Run it with `python -m benchmarks.experiment_one`.
"""

import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks._programs import PODS_PATH, Programs, Usage, median_ratio, write
from benchmarks.sandbox import three_pods_ready
from benchmarks.sandbox_api import Figure
from seatrial.sandbox.client import SandboxClient
from seatrial.sandbox.cluster_config import ClusterConfig
from seatrial.sandbox.manifests import apply_manifests, read_manifests
from seatrial.sandbox.owner import Sandbox, start_sandbox
from tests.kubectls import newest

ROUNDS = 9
_MANIFESTS = Path(__file__).parents[1] / "examples" / "manifests" / "goldpinger.yml"
_POLICY = """
config:
  runStrategy: {runs: 1}
scenarios:
- name: Kill half of goldpinger
  steps:
  - podAction:
      matches: [{labels: {selector: app=goldpinger, namespace: default}}]
      filters: [{randomSample: {ratio: 0.5}}]
      actions: [{kill: {force: true}}]
"""


class Audit:
    """The requests of people and programs that an API server has logged since the last look."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = 0

    def requests(self) -> list[dict[str, Any]]:
        """Those of the administrator, in the order in which they arrived."""
        with self._file.open(encoding="utf-8") as file:
            file.seek(self._read)
            lines = file.readlines()
            self._read = file.tell()
        events = [json.loads(line) for line in lines]
        names = [each["user"].get("username", "system:unknown") for each in events]  # cut off before it was known
        mine = [each for each, name in zip(events, names, strict=True) if not name.startswith("system:")]
        return sorted(mine, key=lambda each: str(each["requestReceivedTimestamp"]))


def arrivals(requests: list[dict[str, Any]], began: float) -> Iterator[float]:
    """Seconds from a program's start to its first request, and to its first deletion."""
    for wanted in (requests[0], next(each for each in requests if each["verb"] == "delete")):
        yield datetime.fromisoformat(wanted["requestReceivedTimestamp"]).timestamp() - began


async def main(directory: Path) -> list[Figure]:
    log = directory / "audit"
    config = ClusterConfig(name="bench", directory=directory / "bench", nodes=2, audit_log=str(log))
    with closing(start_sandbox(config)) as owned:
        async with SandboxClient(owned.sandbox.kubeconfig) as client:
            async for _ in apply_manifests(client, read_manifests([_MANIFESTS])):
                pass
            return await measure(owned.sandbox, client, Audit(log), directory)


async def measure(sandbox: Sandbox, client: SandboxClient, audit: Audit, directory: Path) -> list[Figure]:
    programs = Programs(sandbox.kubeconfig, directory)
    policy = write(directory / "policy.yml", _POLICY)
    kubectl = newest()

    def delete_by_kubectl(name: str) -> Usage:
        return programs.run(kubectl or "", "delete", "pod", name, "--force", "--grace-period=0")

    ways: dict[str, Callable[[str], Usage]] = {
        "seatrial": lambda _: programs.seatrial(policy, "--recovery-timeout", "0"),
        "bare aiohttp": lambda _: programs.bare(selector="app=goldpinger", number=1),
        **({"kubectl delete": delete_by_kubectl} if kubectl else {}),
    }
    usages: dict[str, list[Usage]] = {name: [] for name in ways}
    first: dict[str, list[list[float]]] = {name: [] for name in ways}
    for number in range(ROUNDS + 1):
        for name, way in ways.items():
            await three_pods_ready(client)
            listed = await client.get(f"{PODS_PATH}?labelSelector=app%3Dgoldpinger")
            await asyncio.sleep(0.3)  # the audit log of what was asked so far is on disk
            audit.requests()
            usage = await asyncio.to_thread(way, listed["items"][0]["metadata"]["name"])
            await asyncio.sleep(0.3)
            if number:  # the first warms up
                usages[name].append(usage)
                first[name].append([*arrivals(audit.requests(), usage.began)])
    return list(compare(usages, first))


def compare(usages: dict[str, list[Usage]], first: dict[str, list[list[float]]]) -> Iterator[Figure]:
    """Print a table of medians; what is limited."""
    print(f"{'median of ' + str(ROUNDS):<16}  whole run   processor    memory   first request   first kill")
    for name, runs in usages.items():
        wall, cpu, memory = (
            statistics.median(each)
            for each in zip(*((u.wall_seconds, u.cpu_seconds, u.memory_mb) for u in runs), strict=True)
        )
        request, kill = (statistics.median(each) for each in zip(*first[name], strict=True))
        print(f"{name:<16} {wall:8.2f} s {cpu:9.2f} s {memory:6.0f} MB {request:13.2f} s {kill:10.2f} s")
    ours, bare = usages["seatrial"], usages["bare aiohttp"]
    yield Figure("experiment 1: the whole run", min(u.wall_seconds for u in ours), "s", 0.6)
    yield Figure("experiment 1: processor", min(u.cpu_seconds for u in ours), "s", 0.4)
    for what, index in (("request", 0), ("kill", 1)):
        ratio = median_ratio(
            [each[index] for each in first["seatrial"]], [each[index] for each in first["bare aiohttp"]]
        )
        yield Figure(f"time to the first {what}, in the bare script's", ratio, "x", 2.5)
    ratio = median_ratio([u.cpu_seconds for u in ours], [u.cpu_seconds for u in bare])
    yield Figure("processor, in the bare script's", ratio, "x", 2)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        figures = asyncio.run(main(Path(made)))
    for figure in figures:
        figure.show()
    sys.exit(not all(figure.is_kept for figure in figures))
