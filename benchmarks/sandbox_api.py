"""What the sandbox's API server does in a second: gets, patches, a list of 5,000 pods, a watch with 200 watchers.

Run it with `python -m benchmarks.sandbox_api`; it fails when a limit is exceeded. Requests go over HTTPS from this
process to the server's; the peer for gets is a bare aiohttp server that sends the same bytes over the same TLS. Rates
and delays depend on what else the machine does: most limits are on the server's processor time, and on its memory.
"""

import asyncio
import json
import multiprocessing
import re
import ssl
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import aiohttp
import psutil
import yaml
from aiohttp import web

from seatrial.sandbox.pki import Authority
from seatrial.testing import Sandbox, sandbox_cluster

_IN_FLIGHT = 16
_REQUESTS = 3000
_STORED_PODS = 5000
_WATCHERS = 200
_EVENTS = 1000
_EVENTS_PER_SECOND = 100
_SENT = re.compile(rb'"sent":"(\d+\.\d+)"')
_LEAST_SHARE_OF_PEER = 0.5


class Figure(NamedTuple):
    """One measurement, what it may be, and whether more is better."""

    what: str
    value: float
    unit: str
    limit: float | None = None
    more_is_better: bool = False

    @property
    def is_kept(self) -> bool:
        """Whether the limit is kept."""
        if self.limit is None:
            return True
        return self.value >= self.limit if self.more_is_better else self.value <= self.limit

    def show(self) -> None:
        """Print it."""
        word = "at least" if self.more_is_better else "limit"
        judged = "" if self.limit is None else f"{word} {self.limit:g}   {'ok' if self.is_kept else 'TOO MUCH'}"
        print(f"{self.what:<62} {self.value:10.2f} {self.unit:<10} {judged}", flush=True)


class Client:
    """Requests to a sandbox's API server with the administrator's token."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def ask(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> bytes:
        """One request that must succeed."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": content_type}
        async with self.session.request(method, self.url + path, data=data, headers=headers) as answer:
            content = await answer.read()
            assert answer.status < 300, content
            return content

    async def names(self, path: str) -> set[str]:
        """The names of the objects at a path."""
        accept = {"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
        async with self.session.get(self.url + path, headers=accept) as answer:
            listed = await answer.json()
        return {item["metadata"]["name"] for item in listed["items"] or ()}


@asynccontextmanager
async def client_of(sandbox: Sandbox) -> AsyncIterator[Client]:
    config = yaml.safe_load(sandbox.kubeconfig.read_text())
    tls = ssl.create_default_context(cafile=str(sandbox.directory / "pki" / "ca.crt"))
    headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
    connector = aiohttp.TCPConnector(ssl=tls, limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
        yield Client(session, config["clusters"][0]["cluster"]["server"])


async def main() -> list[Figure]:
    figures: list[Figure] = []

    def tell(figure: Figure) -> None:
        figure.show()
        figures.append(figure)

    async with sandbox_cluster(nodes=1) as sandbox, client_of(sandbox) as client:
        server = psutil.Process(sandbox.record.pid)
        configmap = {"metadata": {"name": "bench"}, "data": {"key": "value" * 20}}
        body = await client.ask("POST", "/api/v1/namespaces/default/configmaps", configmap)
        path = "/api/v1/namespaces/default/configmaps/bench"
        before = seconds_of(server)
        gets = await rate(lambda _: client.ask("GET", path))
        per_get = (seconds_of(server) - before) / _REQUESTS * 1e6
        peer = await rate_of_peer(body)
        tell(Figure("get, requests per second", gets, "/s"))
        tell(
            Figure(
                "  share of a bare aiohttp server's rate", gets / peer, "", _LEAST_SHARE_OF_PEER, more_is_better=True
            )
        )
        tell(Figure("  the server's processor time", per_get, "us", 600))
        merge = "application/merge-patch+json"
        before = seconds_of(server)
        patches = await rate(lambda n: client.ask("PATCH", path, {"data": {"n": str(n)}}, merge))
        per_patch = (seconds_of(server) - before) / _REQUESTS * 1e6
        tell(Figure("patch, requests per second", patches, "/s"))
        tell(Figure("  the server's processor time", per_patch, "us", 1200))
        for figure in await watch_fan_out(client, server):
            tell(figure)
        for figure in await list_of_stored_pods(client, server):
            tell(figure)
    return figures


def seconds_of(process: psutil.Process) -> float:
    """The processor time that a process has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


async def rate(request: Callable[[int], Awaitable[Any]]) -> float:
    """Requests per second with some in flight, the best of three rounds."""
    numbers = iter(range(sys.maxsize))

    async def work(count: int) -> None:
        for _ in range(count):
            await request(next(numbers))

    best = 0.0
    for _ in range(3):
        began = time.perf_counter()
        await asyncio.gather(*(work(_REQUESTS // 3 // _IN_FLIGHT) for _ in range(_IN_FLIGHT)))
        best = max(best, _REQUESTS // 3 // _IN_FLIGHT * _IN_FLIGHT / (time.perf_counter() - began))
    return best


async def rate_of_peer(body: bytes) -> float:
    with TemporaryDirectory() as directory:
        authority = Authority.create(Path(directory))
        credential = authority.issue_server("peer", ["127.0.0.1"])
        ready: Any = multiprocessing.get_context("spawn").SimpleQueue()
        process = multiprocessing.get_context("spawn").Process(
            target=serve_peer, args=(body, str(credential.cert_file), str(credential.key_file), ready)
        )
        process.start()
        port = await asyncio.to_thread(ready.get)
        tls = ssl.create_default_context(cafile=str(authority.ca_file))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls, limit=0)) as session:
            client = Client(session, f"https://127.0.0.1:{port}")
            found = await rate(lambda _: client.ask("GET", "/"))
        process.kill()
        process.join()
        return found


def serve_peer(body: bytes, cert_file: str, key_file: str, ready: Any) -> None:
    async def serve() -> None:
        async def answer(_request: web.BaseRequest) -> web.Response:
            return web.Response(body=body, content_type="application/json")

        runner = web.ServerRunner(web.Server(answer), access_log=None)
        await runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert_file, key_file)
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        ready.put(runner.addresses[0][1])
        await asyncio.get_running_loop().create_future()

    asyncio.run(serve())


async def watch_fan_out(client: Client, server: psutil.Process) -> list[Figure]:
    """Delays from just before a change is sent to when a watcher has it."""
    delays: list[float] = []
    path = "/api/v1/namespaces/default/configmaps"
    begun = asyncio.Semaphore(0)

    async def watch() -> None:
        seen = 0
        async with client.session.get(f"{client.url}{path}?watch=1&fieldSelector=metadata.name%3Dfan") as answer:
            begun.release()
            async for chunk in answer.content.iter_any():
                now = time.monotonic()
                for sent in _SENT.findall(chunk):
                    delays.append(now - float(sent))
                    seen += 1
                if seen >= _EVENTS:
                    return

    watchers = [asyncio.create_task(watch()) for _ in range(_WATCHERS)]
    for _ in watchers:
        await begun.acquire()
    before, began = seconds_of(server), time.monotonic()
    await client.ask("POST", path, {"metadata": {"name": "fan"}, "data": {"sent": f"{time.monotonic():.6f}"}})
    for number in range(1, _EVENTS):
        await asyncio.sleep(max(0.0, began + number / _EVENTS_PER_SECOND - time.monotonic()))
        body = {"data": {"sent": f"{time.monotonic():.6f}"}}
        await client.ask("PATCH", f"{path}/fan", body, "application/merge-patch+json")
    await asyncio.gather(*watchers)
    used = seconds_of(server) - before
    delays.sort()
    what = f"{_WATCHERS} watchers x {_EVENTS} events at {_EVENTS_PER_SECOND}/s"
    return [
        Figure(f"{what}: median delay", statistics.median(delays) * 1000, "ms", 50),
        Figure(f"{what}: p99 delay", delays[int(len(delays) * 0.99)] * 1000, "ms", 250),
        Figure(f"{what}: the server's processor time per delivery", used / len(delays) * 1e6, "us", 120),
    ]


async def list_of_stored_pods(client: Client, server: psutil.Process) -> list[Figure]:
    """Pods that no scheduler takes, created and listed."""
    memory = server.memory_full_info().uss
    path = "/api/v1/namespaces/default/pods"

    async def create(first: int) -> None:
        for number in range(first, _STORED_PODS, _IN_FLIGHT):
            await client.ask("POST", path, waiting_pod(f"stored-{number}"))

    before, began = seconds_of(server), time.perf_counter()
    await asyncio.gather(*map(create, range(_IN_FLIGHT)))
    created, used = time.perf_counter() - began, seconds_of(server) - before
    stored = server.memory_full_info().uss - memory
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        content = await client.ask("GET", f"{path}?resourceVersion=0")
        taken.append(time.perf_counter() - began)
    table = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    before, began = seconds_of(server), time.perf_counter()
    async with client.session.get(client.url + path, headers=table) as answer:
        await answer.read()
    as_table, used_by_table = time.perf_counter() - began, seconds_of(server) - before
    listed = server.memory_full_info().uss - memory
    return [
        Figure(f"{_STORED_PODS} pods created, per second", _STORED_PODS / created, "/s"),
        Figure("  the server's processor time, per pod", used / _STORED_PODS * 1e6, "us", 5000),
        Figure(f"list of {_STORED_PODS} pods ({len(content) / 1e6:.0f} MB)", min(taken) * 1000, "ms", 600),
        Figure(f"list of {_STORED_PODS} pods as a Table", as_table * 1000, "ms", 1000),
        Figure("  the server's processor time", used_by_table * 1000, "ms", 800),
        Figure(f"memory of {_STORED_PODS} stored pods, per pod", stored / _STORED_PODS / 1000, "kB", 20),
        Figure("  with what the lists left behind", listed / _STORED_PODS / 1000, "kB", 60),
    ]


def waiting_pod(name: str) -> dict[str, Any]:
    """A pod of 6 kB that no scheduler takes."""
    container = {
        "name": "web",
        "image": "nginx",
        "ports": [{"containerPort": 80}],
        "env": [{"name": f"VARIABLE_{number}", "value": "some value"} for number in range(10)],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
        "readinessProbe": {"httpGet": {"port": 80, "path": "/"}},
    }
    return {
        "metadata": {"name": name, "labels": {"app": "stored"}},
        "spec": {"schedulerName": "nobody", "containers": [container, {**container, "name": "sidecar"}]},
    }


if __name__ == "__main__":
    sys.exit(not all(figure.is_kept for figure in asyncio.run(main())))
