"""The dashboard on a cluster of 10,000 pods that changes 400 times in a second: how soon it hears a key, what it costs.

The child process of `benchmarks.completion` serves the pods and their changes; the dashboard runs here in a window of
140x45, without a terminal, while keys go from node to node. What is counted is CPU time, so that other processes
don't count: for how long the event loop stood still, which is what a key may have to wait, and the share of one
processor. Run with `python -m benchmarks.dashboard`.
"""

import asyncio
import subprocess
import sys
import time

from benchmarks.completion import NODES, PODS, Stretches, connected

CHANGES_A_SECOND = 400
SIZE = (140, 45)
KEYS = 8
DRAWN_SECONDS = 2.0
SECONDS = 6.0

STRETCH_LIMIT_MS = 150
SHARE_LIMIT = 0.8


async def measure(url: str) -> bool:
    """Open the dashboard, press keys while the cluster changes; print the table; whether we are within the limits."""
    from seatrial.dashboard.app import Dashboard, DashboardSettings  # noqa: PLC0415 -- the server needs none of it

    async with connected(url) as shell:
        app = Dashboard(shell.session, shell.live, DashboardSettings())
        began = time.process_time()
        async with app.run_test(size=SIZE) as pilot:
            await asyncio.gather(shell.live.pods.ready(), shell.live.nodes.ready())
            await asyncio.sleep(DRAWN_SECONDS)
            loaded = time.process_time() - began
            stretches = Stretches()
            watching = asyncio.create_task(stretches.watch())
            cpu, since = time.process_time(), time.monotonic()
            pressing = asyncio.create_task(pilot.press(*["down"] * KEYS))
            await asyncio.sleep(SECONDS)
            share = (time.process_time() - cpu) / (time.monotonic() - since)
            await pressing
            watching.cancel()
    longest = stretches.longest * 1000
    print(f"{PODS} pods on {NODES} nodes, {CHANGES_A_SECOND} changes a second, a window of {SIZE[0]}x{SIZE[1]}")
    print(f"all is there and drawn after {loaded:.1f} s of CPU")
    print(f"the loop stood still for {longest:.0f} ms at most (limit {STRETCH_LIMIT_MS})")
    print(f"of one processor: {share:.0%} (limit {SHARE_LIMIT:.0%})")
    return longest < STRETCH_LIMIT_MS and share < SHARE_LIMIT


def main() -> int:
    """Run the server and measure; the exit code tells whether the limits are kept."""
    command = [sys.executable, "-m", "benchmarks.completion", "serve", "--changes", str(CHANGES_A_SECOND)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        is_kept = asyncio.run(measure(f"http://127.0.0.1:{server.stdout.readline().strip()}"))
        server.communicate()
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
