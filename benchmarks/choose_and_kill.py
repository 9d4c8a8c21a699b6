"""Choosing and force-killing 300 of 3,000 pods, and 10 of 3,000: a whole run against a bare aiohttp script.

Both are programs of their own, from start to end, in turns, against the same sandbox, which has the pods (6 kB each)
without running them. Run it with `python -m benchmarks.choose_and_kill`; it fails when the tool takes more than 1.3
times the script's time for 300 pods, or more than 120 MB.
"""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks._programs import PODS_PATH, Programs, Usage, median_ratio, write
from benchmarks.sandbox_api import Client, Figure, client_of, waiting_pod
from seatrial.testing import sandbox_cluster

PODS = 3000
ROUNDS = 5
_IN_FLIGHT = 16

_POLICY = """
config:
  runStrategy: {runs: 1}
scenarios:
- name: Kill some of many
  steps:
  - podAction:
      matches: [{labels: {selector: app=stored, namespace: default}}]
      filters: [{randomSample: {size: NUMBER}}]
      actions: [{kill: {force: true}}]
"""


async def main() -> list[Figure]:
    figures: list[Figure] = []

    def tell(figure: Figure) -> None:
        figure.show()
        figures.append(figure)

    async with sandbox_cluster(nodes=1) as sandbox, client_of(sandbox) as client:
        with tempfile.TemporaryDirectory() as directory:
            programs = Programs(sandbox.kubeconfig, Path(directory))
            for number in (300, 10):
                text = _POLICY.replace("NUMBER", str(number))
                policy = write(Path(directory, f"kill-{number}.yml"), text)
                ours, theirs = await in_turns(
                    client,
                    lambda policy=policy: programs.seatrial(policy, "--recovery-timeout", "0"),
                    lambda number=number: programs.bare(selector="app=stored", number=number),
                )
                compare(ours, theirs, number, tell)
    return figures


async def in_turns(
    client: Client, ours: Callable[[], Usage], theirs: Callable[[], Usage]
) -> tuple[list[Usage], list[Usage]]:
    """Both in turns, each with all pods there, after a round to warm up."""
    taken: tuple[list[Usage], list[Usage]] = [], []
    for _ in range(ROUNDS + 1):
        for program, usages in zip((ours, theirs), taken, strict=True):
            await fill_up(client)
            usages.append(await asyncio.to_thread(program))
    return taken[0][1:], taken[1][1:]


async def fill_up(client: Client) -> None:
    """Create what is missing of the pods."""
    there = await client.names(PODS_PATH)
    missing = iter(sorted({f"stored-{number}" for number in range(PODS)} - there))

    async def create() -> None:
        for name in missing:
            await client.ask("POST", PODS_PATH, waiting_pod(name))

    await asyncio.gather(*(create() for _ in range(_IN_FLIGHT)))


def compare(ours: list[Usage], theirs: list[Usage], number: int, tell: Callable[[Figure], None]) -> None:
    """The medians, the ratios, and what they may be."""
    strict = number > PODS / 20  # of a few pods most of the time is the program's start
    print(f"{number} of {PODS} pods chosen and force-killed, median of {ROUNDS}")
    for name, usages in (("bare aiohttp", theirs), ("seatrial", ours)):
        wall, cpu = (
            statistics.median(each) for each in zip(*((u.wall_seconds, u.cpu_seconds) for u in usages), strict=True)
        )
        print(f"  {name:<14} {wall:6.2f} s   processor {cpu:6.2f} s   {max(u.memory_mb for u in usages):5.0f} MB")
    ratio = median_ratio([u.wall_seconds for u in ours], [u.wall_seconds for u in theirs])
    tell(Figure("  the tool's time in the script's", ratio, "x", 1.3 if strict else 2.0))
    ratio = median_ratio([u.cpu_seconds for u in ours], [u.cpu_seconds for u in theirs])
    tell(Figure("  the tool's processor time in the script's", ratio, "x", 2.5))
    tell(Figure("  the tool's memory", max(u.memory_mb for u in ours), "MB", 120))


if __name__ == "__main__":
    sys.exit(not all(figure.is_kept for figure in asyncio.run(main())))
