"""Completion in the interactive shell on a cluster of 10,000 pods: how long a key takes, and what the live view costs.

A child process serves 10,000 pods of 8 kB, all in one namespace (the worst case for names), in pages over plain HTTP,
and then 200 changes a second on each watch. The shell's own completer answers lines that are typed key by key. The
memory is this process's PSS with the pods against without; how long the event loop stands still while they are
loaded is counted in CPU time of its thread, so that other processes don't count. Run with
`python -m benchmarks.completion`.
"""

import argparse
import asyncio
import contextlib
import gc
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks._server import serve_until_input_ends
from benchmarks.list_pods import realistic_pod

if TYPE_CHECKING:
    from seatrial.shell.shell import Connection, Shell

PODS = 10_000
PAGE = 500
NODES = 100
CHANGES_A_SECOND = 200
"""Unless the server is told otherwise."""
NAMESPACE = "default"

MOST_OFFERED = 200
P99_LIMIT_MS = 30
MEMORY_LIMIT_MB = 60
STRETCH_LIMIT_MS = 30

LINES = (
    "kill web-123-5d8c7b9f4-06",
    "kill 5d8c7b9f4-099",
    "pods default app=web,tier=fr",
    "kill default/web-199",
    "pods def",
    "stop node-9",
    "stop group:wor",
    "kill nothing-like-this",
)
"""Typed key by key: names by their beginning and by their middle, selectors, namespaces, nodes."""


def _pod(number: int) -> dict[str, Any]:
    pod = realistic_pod(number)
    pod["metadata"]["namespace"] = NAMESPACE
    return pod


def _node(number: int) -> dict[str, Any]:
    labels = {"topology.kubernetes.io/zone": f"west-{number % 3}", "node-role.kubernetes.io/worker": ""}
    meta = {"name": f"node-{number}", "uid": f"node-{number}", "resourceVersion": "7", "labels": labels}
    return {"metadata": meta, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}


async def serve(changes_a_second: int = CHANGES_A_SECOND) -> None:
    """The server's child: prints its port, then answers until its input ends."""
    from aiohttp import web  # noqa: PLC0415 -- each child loads what it needs, and no more

    starts = range(0, PODS, PAGE)
    pages = {str(start) if start else "": _page(start) for start in starts}
    others = {
        "/api/v1/nodes": _list([_node(number) for number in range(NODES)]),
        "/api/v1/namespaces": _list([{"metadata": {"name": NAMESPACE, "uid": "1", "resourceVersion": "7"}}]),
    }

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.query.get("watch"):
            return await stream(request)
        limit = request.query.get("limit", "")
        is_of_pods = request.path == "/api/v1/pods"
        body = pages[request.query.get("continue", "")] if is_of_pods else others.get(request.path, _list([]))
        assert not limit or int(limit) <= PAGE
        return web.Response(body=body, content_type="application/json")

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        version = 300_000
        while request.path == "/api/v1/pods" and request.transport is not None:
            for _ in range(changes_a_second // 10):
                version += 1
                pod = _pod(version % PODS)
                pod["metadata"]["resourceVersion"] = str(version)
                with contextlib.suppress(ConnectionResetError):  # it ends with the reader
                    await response.write(msgspec.json.encode({"type": "MODIFIED", "object": pod}) + b"\n")
            await asyncio.sleep(0.1)
        await asyncio.Event().wait()
        return response

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    await serve_until_input_ends(app, shutdown_timeout=0.1)


def _page(start: int) -> bytes:
    following = start + PAGE
    meta = {"resourceVersion": "200000", "continue": str(following) if following < PODS else ""}
    return msgspec.json.encode({"metadata": meta, "items": [_pod(number) for number in range(start, following)]})


def _list(items: Sequence[Any]) -> bytes:
    return msgspec.json.encode({"metadata": {"resourceVersion": "200000"}, "items": items})


@contextlib.asynccontextmanager
async def connected(url: str) -> "AsyncIterator[Shell]":
    """A shell on that server, with a session that keeps its journal in memory."""
    from seatrial.by_hand.live.cluster import LiveCluster  # noqa: PLC0415 -- see `serve`
    from seatrial.by_hand.session import HandSession  # noqa: PLC0415
    from seatrial.kube.auth import ClusterCredentials, FixedLogin  # noqa: PLC0415
    from seatrial.kube.client import Client  # noqa: PLC0415
    from seatrial.kube.kubeconfig import Cluster, User  # noqa: PLC0415
    from seatrial.kube.transport import Transport  # noqa: PLC0415
    from seatrial.runtime.clock import SystemClock  # noqa: PLC0415
    from seatrial.runtime.context import Context  # noqa: PLC0415
    from seatrial.runtime.events import EventStream  # noqa: PLC0415
    from seatrial.runtime.journal import Journal  # noqa: PLC0415
    from seatrial.runtime.randomness import Randomness  # noqa: PLC0415
    from seatrial.runtime.run_journal import RunJournal  # noqa: PLC0415
    from seatrial.shell.output import Output  # noqa: PLC0415
    from seatrial.shell.script import ScriptFront  # noqa: PLC0415
    from seatrial.shell.shell import Connection, Shell, ShellSettings  # noqa: PLC0415

    clock, journal = SystemClock(), Journal.in_memory()
    events = EventStream(clock)

    @contextlib.asynccontextmanager
    async def opening() -> "AsyncIterator[Connection]":
        credentials = ClusterCredentials(Cluster(server=url), User(), FixedLogin("Bearer x"))
        async with Client(Transport(url, credentials)) as client, LiveCluster(client) as live:
            context = Context(
                run_id="1", cluster=client, journal=RunJournal(journal, "1"), events=events,
                randomness=Randomness(7), clock=clock,
            )  # fmt: skip
            session = HandSession(context, hurry=asyncio.Event())
            yield Connection(session=session, live=live, namespace=NAMESPACE, context_name="benchmark")

    shell = Shell(ScriptFront([]), Output(), ShellSettings(namespace=NAMESPACE))
    leaving = asyncio.Event()
    staying = asyncio.create_task(shell.stay_connected(opening, leaving))
    await asyncio.sleep(0)
    await shell.connected()
    try:
        yield shell
    finally:
        leaving.set()
        await staying
        await events.close()
        await journal.close()


class Stretches:
    """The longest time, in CPU seconds of the loop's thread, for which nothing else could run."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        """Go on until cancelled."""
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, time.thread_time() - before)


async def measure(url: str) -> bool:
    """Open the view, complete lines; print the table; whether we are within the limits."""
    from seatrial.shell.completion import CommandCompleter  # noqa: PLC0415 -- see `serve`

    async with connected(url) as shell:
        live = shell.live
        await live.nodes.ready()
        await live.namespaces.ready()
        completer = CommandCompleter(shell)
        for line in ("exit ", "stop n", "pods d"):
            _complete(completer, line)  # what it takes to complete is loaded: that is not what is measured
        gc.freeze()  # as the program does once it has loaded a session
        before = pss_mb()
        stretches = Stretches()
        watching = asyncio.create_task(stretches.watch())
        began, cpu = time.perf_counter(), time.process_time()
        await live.pods.ready()
        loaded = time.perf_counter() - began, time.process_time() - cpu
        assert len(live.pods) == PODS
        await asyncio.sleep(1)
        watching.cancel()
        memory = pss_mb() - before
        shell.numbered_pods = [(each.namespace, each.name) for each in live.pods.all()]
        latencies = []
        for line in LINES * 3:
            for end in range(line.index(" ") + 1, len(line) + 1):
                latencies.append(_complete(completer, line[:end]))
                await asyncio.sleep(0.002)
        after = pss_mb() - before
    wall, cpu_only = (statistics.quantiles(each, n=100)[98] for each in zip(*latencies, strict=True))
    longest = stretches.longest * 1000
    print(f"{PODS} pods of 8 kB in one namespace, {CHANGES_A_SECOND} changes a second, {len(latencies)} keys")
    print(f"listed in {loaded[0]:.2f} s ({loaded[1]:.2f} s of CPU)")
    print(f"the loop stood still for {longest:.0f} ms of CPU at most (limit {STRETCH_LIMIT_MS})")
    print(f"memory {memory:.0f} MB, after completion {after:.0f} MB (limit {MEMORY_LIMIT_MB})")
    median = statistics.median(each for each, _ in latencies)
    print(f"a key: median {median:.1f} ms, p99 {wall:.1f} ms (limit {P99_LIMIT_MS}), {cpu_only:.1f} ms of it CPU")
    return wall < P99_LIMIT_MS and after < MEMORY_LIMIT_MB and longest < STRETCH_LIMIT_MS


def _complete(completer: Any, line: str) -> tuple[float, float]:
    """Complete a line; answers how many milliseconds that took, and of CPU."""
    from prompt_toolkit.completion import CompleteEvent  # noqa: PLC0415 -- see `serve`
    from prompt_toolkit.document import Document  # noqa: PLC0415

    began, cpu = time.perf_counter(), time.thread_time()
    found = list(completer.get_completions(Document(line), CompleteEvent(text_inserted=True)))
    took, cpu = time.perf_counter() - began, time.thread_time() - cpu
    assert len(found) <= MOST_OFFERED
    return took * 1000, cpu * 1000


def pss_mb() -> float:
    """The memory of this process, what it shares counted in part."""
    rollup = Path("/proc/self/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024


def main() -> None:
    """The command line: measure, or be the server."""
    parser = argparse.ArgumentParser(description="Completion on a cluster of 10,000 pods.")
    parser.add_argument("role", nargs="?", default="measure", choices=["measure", "serve"])
    parser.add_argument("--changes", type=int, default=CHANGES_A_SECOND)
    given = parser.parse_args()
    if given.role == "serve":
        asyncio.run(serve(given.changes))
        return
    command = [sys.executable, "-m", "benchmarks.completion", "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        kept = asyncio.run(measure(f"http://127.0.0.1:{server.stdout.readline().strip()}"))
        server.communicate()
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
