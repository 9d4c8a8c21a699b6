"""A run that goes on: memory over 1,000 rounds, and what it costs between two rounds.

Run it with `python -m benchmarks.long_runs`. Each round kills one of twenty pods, which their ReplicaSet replaces;
nobody runs them, so that the rounds follow each other as fast as the tool can. The run is kept, an objective is judged
after each round, and all that happens is logged to a file that is begun anew at 1 MB. It fails when the tool has grown
by more than 4 MB from round 200 to round 1,000, or takes more than 1 % of a core between rounds.

`python -m benchmarks.long_runs --weeks` is the same for 10,000 rounds that do nothing (as many as a week has minutes),
by which what is kept for each round shows; it takes some minutes.
"""

import asyncio
import json
import statistics
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from benchmarks._programs import Programs, write
from benchmarks.sandbox_api import Client, Figure, client_of, waiting_pod
from seatrial.testing import sandbox_cluster

ROUNDS = 1000
_WEEK_OF_ROUNDS = 10_000
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
  objectives:
  - {measurement: passed, ratio: true, above: 0.5, window: 200 runs}
"""
_NOTHING = """
config:
  runStrategy: {runs: ROUNDS, minSecondsBetweenRuns: 0, maxSecondsBetweenRuns: 0}
scenarios:
- name: Nothing to see
  steps: [{wait: {seconds: 0}}]
  objectives:
  - {measurement: passed, ratio: true, above: 0.5, window: 200 runs}
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
async def running(programs: Programs, text: str) -> AsyncIterator[Process]:
    """The tool with a policy, its log on standard error and in a file."""
    policy = write(programs.directory / "policy.yml", text)
    log = ("--log-format", "json", "--log-file", str(programs.directory / "log"), "--log-rotate", "1MB")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "seatrial", "autonomous", "--policy-file", str(policy), *log, "--recovery-timeout", "0",
        env=programs.environ, stdout=asyncio.subprocess.DEVNULL, stderr=PIPE, limit=1 << 20,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def with_pauses(*, runs: str, pause_seconds: float) -> str:
    """The policy that kills, with so many rounds and such pauses."""
    return _POLICY.replace("RUNS", runs).replace("PAUSE", str(pause_seconds))


async def events(process: Process) -> AsyncIterator[dict[str, Any]]:
    """What it logs."""
    assert process.stderr is not None
    async for line in process.stderr:
        yield json.loads(line)


class Held(NamedTuple):
    """What the tool holds on to at the beginning of a round."""

    memory_mb: float
    descriptors: int
    threads: int


async def rounds_of(programs: Programs, text: str) -> tuple[list[Held], float]:
    """What the tool held at each round, and its processor time at the last."""
    held: list[Held] = []
    used = 0.0
    async with running(programs, text) as process:
        tool = psutil.Process(process.pid)
        async for event in events(process):
            if event["event"] == "round_started":
                held.append(Held(tool.memory_info().rss / 1e6, tool.num_fds(), tool.num_threads()))
                used = sum(tool.cpu_times()[:2])
    return held, used


def growth(held: Sequence[Held], *, since: int) -> float:
    """Between medians of fifty rounds: single ones depend on when garbage is collected."""
    last, first = (
        statistics.median(each.memory_mb for each in part) for part in (held[-50:], held[since : since + 50])
    )
    return last - first


async def many_rounds(programs: Programs) -> list[Figure]:
    """Rounds that kill."""
    held, used = await rounds_of(programs, with_pauses(runs=f"runs: {ROUNDS},", pause_seconds=0))
    assert len(held) == ROUNDS, len(held)
    return [
        Figure(f"memory at round {ROUNDS}", held[-1].memory_mb, "MB", 120),
        Figure(f"  grown since round {_WARM}", growth(held, since=_WARM), "MB", 4),
        Figure("processor time per round", used / ROUNDS * 1000, "ms"),
    ]


async def weeks() -> list[Figure]:
    """Rounds that do nothing, so many that it shows what is kept for each."""
    async with sandbox_cluster(nodes=1) as sandbox:
        with tempfile.TemporaryDirectory() as directory:
            programs = Programs(sandbox.kubeconfig, Path(directory))
            held, used = await rounds_of(programs, _NOTHING.replace("ROUNDS", str(_WEEK_OF_ROUNDS)))
            assert len(held) == _WEEK_OF_ROUNDS, len(held)
            store = sum(each.stat().st_size for each in (programs.directory / "state").glob("runs.sqlite3*"))
            logs = sum(each.stat().st_size for each in programs.directory.glob("log*"))
    early, last = held[_WEEK_OF_ROUNDS // 5], held[-1]
    return [
        Figure(f"memory at round {_WEEK_OF_ROUNDS}", last.memory_mb, "MB", 120),
        Figure(f"  grown since round {_WEEK_OF_ROUNDS // 5}", growth(held, since=_WEEK_OF_ROUNDS // 5), "MB", 4),
        Figure("  descriptors more", last.descriptors - early.descriptors, "", 2),
        Figure("  threads more", last.threads - early.threads, "", 2),
        Figure("processor time per round", used / _WEEK_OF_ROUNDS * 1000, "ms"),
        Figure("store per round", store / _WEEK_OF_ROUNDS / 1000, "kB", 5),
        Figure("log files", logs / 1e6, "MB", 6.1),
    ]


async def between_rounds(programs: Programs) -> Figure:
    """What the tool takes while it waits for its next round."""
    async with running(programs, with_pauses(runs="", pause_seconds=300)) as process:
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
    figures = asyncio.run(weeks() if "--weeks" in sys.argv else main())
    for figure in figures:
        figure.show()
    sys.exit(not all(figure.is_kept for figure in figures))
