"""A run that goes on: memory over 1,000 rounds, and what it costs between two rounds.

Run it with `python -m benchmarks.long_runs`. Each round kills one of twenty pods, which their ReplicaSet replaces;
nobody runs them, so that the rounds follow each other as fast as the tool can. It fails when the tool has grown by more
than 4 MB from round 200 to round 1,000, or takes more than 1 % of a core between rounds.
"""

import asyncio
import json
import statistics
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks._programs import Programs, write
from benchmarks.sandbox_api import Client, Figure, client_of, waiting_pod
from seatrial.testing import sandbox_cluster

ROUNDS = 1000
_WARM = 200
_IDLE_SECONDS = 20
_PODS = 20
_POLICY = """
config:
  runStrategy: {RUNS minSecondsBetweenRuns: PAUSE, maxSecondsBetweenRuns: PAUSE}
scenarios:
- name: Kill one again and again
  steps:
  - podAction:
      matches: [{labels: {selector: app=stored, namespace: default}}]
      filters: [{randomSample: {size: 1}}]
      actions: [{kill: {force: true}}]
"""


async def main() -> list[Figure]:
    async with sandbox_cluster(nodes=1) as sandbox, client_of(sandbox) as client:
        await deploy(client)
        with tempfile.TemporaryDirectory() as directory:
            programs = Programs(sandbox.kubeconfig, Path(directory))
            return [*await many_rounds(programs), await between_rounds(programs)]


async def deploy(client: Client) -> None:
    """Pods that are replaced."""
    pod = waiting_pod("unused")
    template = {"metadata": {"labels": pod["metadata"]["labels"]}, "spec": pod["spec"]}
    spec = {"replicas": _PODS, "selector": {"matchLabels": pod["metadata"]["labels"]}, "template": template}
    await client.ask(
        "POST", "/apis/apps/v1/namespaces/default/deployments", {"metadata": {"name": "many"}, "spec": spec}
    )
    while len(await client.names("/api/v1/namespaces/default/pods")) < _PODS:  # noqa: ASYNC110 -- another process
        await asyncio.sleep(0.05)


@asynccontextmanager
async def running(programs: Programs, *, runs: str, pause_seconds: float) -> AsyncIterator[Process]:
    """The tool, with its log on standard error."""
    text = _POLICY.replace("RUNS", runs).replace("PAUSE", str(pause_seconds))
    policy = write(programs.directory / "policy.yml", text)
    flags = ("--log-format", "json", "--recovery-timeout", "0")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "seatrial", "autonomous", "--policy-file", str(policy), *flags,
        env=programs.environ, stdout=asyncio.subprocess.DEVNULL, stderr=PIPE, limit=1 << 20,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def events(process: Process) -> AsyncIterator[dict[str, Any]]:
    """What it logs."""
    assert process.stderr is not None
    async for line in process.stderr:
        yield json.loads(line)


async def many_rounds(programs: Programs) -> list[Figure]:
    """Memory at the beginning of rounds, as medians of fifty: single ones depend on when garbage is collected."""
    memory: list[float] = []
    async with running(programs, runs=f"runs: {ROUNDS},", pause_seconds=0) as process:
        tool = psutil.Process(process.pid)
        async for event in events(process):
            if event["event"] == "round_started":
                memory.append(tool.memory_info().rss / 1e6)
                used = tool.cpu_times()
    assert len(memory) == ROUNDS, len(memory)
    growth = statistics.median(memory[-50:]) - statistics.median(memory[_WARM : _WARM + 50])
    return [
        Figure(f"memory at round {ROUNDS}", memory[-1], "MB", 120),
        Figure(f"  grown since round {_WARM}", growth, "MB", 4),
        Figure("processor time per round", (used.user + used.system) / ROUNDS * 1000, "ms"),
    ]


async def between_rounds(programs: Programs) -> Figure:
    """What the tool takes while it waits for its next round."""
    async with running(programs, runs="", pause_seconds=300) as process:
        tool = psutil.Process(process.pid)
        async for event in events(process):
            if event["event"] == "pause_started":
                break
        await asyncio.sleep(1)
        before = tool.cpu_times()
        await asyncio.sleep(_IDLE_SECONDS)
        after = tool.cpu_times()
    used = after.user + after.system - before.user - before.system
    return Figure("between two rounds: processor", used / _IDLE_SECONDS * 100, "% of a core", 1)


if __name__ == "__main__":
    figures = asyncio.run(main())
    for figure in figures:
        figure.show()
    sys.exit(not all(figure.is_kept for figure in figures))
