"""Runs the whole fault matrix, prints it, and writes the page of the documentation: `make fault-matrix`.

`python -m tests.faults.matrix clone SIGKILL` runs the cells whose names hold these words, and writes nothing.
"""

import asyncio
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import click

from seatrial.testing import sandbox_cluster
from tests.faults.matrix.cases import CASES, COMMON_NODES, faults_of
from tests.faults.matrix.cells import Ground, Result, ground
from tests.faults.matrix.table import PAGE, page

_AT_ONCE = 8
# These wait for most of their time.
_LONG_AT_ONCE = 16
_MACHINES = 4
_SLOWEST = 10


async def run_all(cells: Ground, words: list[str]) -> list[Result]:
    """Run the cells whose names hold all words, some at once; what isn't as it should be is told as it comes."""
    turn, long = asyncio.Semaphore(_AT_ONCE), asyncio.Semaphore(_LONG_AT_ONCE)

    async def run(case, fault):
        # What takes a machine waits for one.
        async with long if fault.is_long else nullcontext() if case.machine else turn:
            result = await cells.run(case, fault)
        if result.problems or words:
            said = "".join(f"\n    {problem}" for problem in result.problems)
            how = f"exit code {result.exit_code}, {result.seconds:.1f} s"
            click.echo(f"{case.name} / {fault}: {how} {result.note}{said}")
        return result

    chosen = [
        (case, fault)
        for case in CASES
        for fault in faults_of(case)
        if all(word in f"{case.name} / {fault}" for word in words)
    ]
    return list(await asyncio.gather(*(run(case, fault) for case, fault in chosen)))


async def main(words: list[str]) -> int:
    """Run, print, write."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="seatrial-matrix-") as directory:
        async with (
            sandbox_cluster(nodes=COMMON_NODES + _MACHINES) as sandbox,
            ground(sandbox.kubeconfig, Path(directory)) as cells,
        ):
            results = await run_all(cells, words)
    text = page(results)
    click.echo(text[text.index(f"{len(results)} cells") :])
    for each in sorted(results, key=lambda result: -result.seconds)[:_SLOWEST]:
        click.echo(f"{each.seconds:6.1f} s  {each.case} / {each.fault}")
    click.echo(f"in {time.monotonic() - begun:.0f} s")
    if not words:
        await asyncio.to_thread(Path(PAGE).write_text, text)
    return any(result.problems for result in results)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
