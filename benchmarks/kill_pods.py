"""How fast pods are killed: the `kill` action against a bare aiohttp loop with 50 requests in flight, same server.

Run it with `python -m benchmarks.kill_pods`; it fails when the action reaches less than 80 % of the loop's rate. The
server is a child process that answers at once, the hardest case: on a real cluster both wait for it most of the time.
"""

import asyncio
import multiprocessing
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
from aiohttp import web

from seatrial.actions.pods.kill import Kill, run
from seatrial.kube.client import Client, connect
from seatrial.kube.objects import ObjectMeta, Pod, PodStatus
from seatrial.runtime.clock import SystemClock
from seatrial.runtime.context import Context, Settings
from seatrial.runtime.events import EventStream, PodKilled, Record
from seatrial.runtime.journal import Journal
from seatrial.runtime.randomness import Randomness
from seatrial.runtime.run_journal import RunJournal

PODS = 300
IN_FLIGHT = 50
ROUNDS = 21
LEAST_RATIO = 0.8

_ANSWER = b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}'


def serve(ready: Connection) -> None:
    """Answer every DELETE at once; runs in a process of its own."""

    async def delete(request: web.Request) -> web.Response:
        body = await request.json()
        assert body["preconditions"]["uid"] == request.match_info["name"]
        return web.Response(body=_ANSWER, content_type="application/json")

    async def start() -> None:
        app = web.Application()
        app.router.add_delete("/api/v1/namespaces/default/pods/{name}", delete)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        ready.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(start())


async def bare_loop(url: str) -> float:
    """Pods a second of the plainest program that does it."""
    permits = asyncio.Semaphore(IN_FLIGHT)

    async def kill(session: aiohttp.ClientSession, name: str) -> None:
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0, "preconditions": {"uid": name}}
        async with permits, session.delete(f"{url}/api/v1/namespaces/default/pods/{name}", json=options) as response:
            await response.read()
            assert response.status == 200

    async with aiohttp.ClientSession() as session:
        begun = time.perf_counter()
        await asyncio.gather(*(kill(session, f"pod-{number}") for number in range(PODS)))
        return PODS / (time.perf_counter() - begun)


async def kill_action(cluster: Client) -> float:
    """Pods a second of the action, events published and listened to."""
    pods = tuple(
        Pod(metadata=ObjectMeta(name=f"pod-{number}", namespace="default", uid=f"pod-{number}"), status=PodStatus())
        for number in range(PODS)
    )
    journal, records = Journal.in_memory(), list[Record]()
    events = EventStream(SystemClock())
    events.subscribe(records.append)
    context = Context(
        run_id="bench",
        cluster=cluster,
        journal=RunJournal(journal, "bench"),
        events=events,
        randomness=Randomness(1),
        clock=SystemClock(),
        settings=Settings(max_parallel=IN_FLIGHT, recovery_timeout_seconds=0),
    )
    begun = time.perf_counter()
    outcome = await run(Kill(force=True), pods, context)
    seconds = time.perf_counter() - begun
    await events.close()
    await journal.close()
    assert outcome.passed
    assert sum(isinstance(record.event, PodKilled) for record in records) == PODS
    return PODS / seconds


async def measure(url: str, kubeconfig: Path) -> tuple[list[float], list[float]]:
    """Rates of both in turn, after a round to warm up."""
    ours, theirs = [], []
    for _ in range(ROUNDS + 1):
        theirs.append(await bare_loop(url))
        async with await connect(kubeconfig=kubeconfig) as cluster:
            ours.append(await kill_action(cluster))
    return ours[1:], theirs[1:]


def main() -> int:
    """Print a table; the exit code tells whether the limit is kept."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    server = context.Process(target=serve, args=(sender,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{receiver.recv()}"
    with tempfile.TemporaryDirectory() as directory:
        kubeconfig = Path(directory) / "kubeconfig"
        kubeconfig.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
            f"clusters: [{{name: c, cluster: {{server: '{url}'}}}}]\n"
            "users: [{name: u, user: {}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n"
        )
        ours, theirs = asyncio.run(measure(url, kubeconfig))
    server.terminate()
    ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
    print(f"killing {PODS} pods, {IN_FLIGHT} in flight, median of {ROUNDS}")
    print(f"  bare aiohttp loop   {statistics.median(theirs):8.0f} pods/s")
    print(f"  kill action         {statistics.median(ours):8.0f} pods/s")
    verdict = "ok" if ratio >= LEAST_RATIO else "TOO SLOW"
    print(f"  ratio               {ratio:8.2f}          limit {LEAST_RATIO}   {verdict}")
    return 0 if ratio >= LEAST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
