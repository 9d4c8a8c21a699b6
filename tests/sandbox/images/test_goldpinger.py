"""Goldpinger's interface: instances in this process, a Kubernetes API that checks who asks."""

import asyncio
import io
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp import web
from PIL import Image

from seatrial.sandbox.images.goldpinger.checks import Checks
from seatrial.sandbox.images.goldpinger.heatmap import colour, thresholds
from seatrial.sandbox.images.goldpinger.metrics import Metrics
from seatrial.sandbox.images.goldpinger.peers import Peer, choose
from seatrial.sandbox.images.goldpinger.program import application
from seatrial.sandbox.images.goldpinger.settings import SettingError, Settings
from tests.sandbox.images.containers import Containers, listening, random_address

PORT = 18080


class World:
    """A namespace of goldpinger pods: the API that lists them, and instances that serve."""

    def __init__(self, rootfs: Path, stack: AsyncExitStack) -> None:
        self.pods: dict[str, dict[str, Any]] = {}
        self.requests: list[dict[str, str]] = []
        self.allowed = True
        self._rootfs = rootfs
        self._stack = stack
        self._runners: dict[str, web.AppRunner] = {}
        self._api = random_address()

    async def open(self) -> None:
        """Serve the API over TLS; write the files of a service account."""
        authority = trustme.CA()
        account = self._rootfs / "var/run/secrets/kubernetes.io/serviceaccount"
        account.mkdir(parents=True)
        authority.cert_pem.write_to_path(account / "ca.crt")
        (account / "token").write_text("token-7\n")
        (account / "namespace").write_text("blue")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(self._api).configure_cert(context)
        app = web.Application()
        app.router.add_get("/api/v1/{path:.*}", self._list)
        runner = web.AppRunner(app)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, self._api, PORT, ssl_context=context).start()

    async def _list(self, request: web.Request) -> web.Response:
        self.requests.append({"path": request.path, "selector": request.query["labelSelector"]})
        if request.headers["Authorization"] != "Bearer token-7" or not self.allowed:
            return web.json_response({"kind": "Status", "message": "pods is forbidden"}, status=403)
        return web.json_response({"kind": "PodList", "items": list(self.pods.values())})

    def environ(self, address: str) -> dict[str, str]:
        """What the kubelet would give a container."""
        return {
            "SEATRIAL_POD_IP": address,
            "SEATRIAL_ROOTFS": str(self._rootfs),
            "KUBERNETES_SERVICE_HOST": self._api,
            "KUBERNETES_SERVICE_PORT": str(PORT),
            "HOST": "0.0.0.0",
            "PORT": str(PORT),
            "HOSTNAME": "node-of-" + address,
            "REFRESH_INTERVAL": "0",
        }

    def announce(self, name: str, address: str, *, phase: str = "Running") -> None:
        """Let the API list a pod."""
        self.pods[name] = {
            "metadata": {"name": name},
            "spec": {"nodeName": f"node-{name}"},
            "status": {"phase": phase, "podIP": address, "hostIP": address.replace("127.", "10.", 1)},
        }

    async def start(self, name: str, *, handler: Callable[[web.Request], Awaitable[web.Response]] | None = None) -> str:
        """Start a pod, a goldpinger unless a handler is given; answers its URL."""
        address = random_address()
        self.announce(name, address)
        if handler is None:
            settings = Settings.read(["goldpinger"], self.environ(address))
            metrics = Metrics(settings.hostname)
            app = application(Checks(settings, self.environ(address), metrics=metrics), metrics=metrics)
        else:
            app = web.Application()
            app.router.add_get("/{path:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, address, PORT).start()
        self._runners[name] = runner
        return f"http://{address}:{PORT}"

    async def kill(self, name: str) -> None:
        """The pod's process is gone; the API still lists it."""
        await self._runners[name].cleanup()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A world without pods."""
    async with AsyncExitStack() as stack:
        world = World(tmp_path, stack)
        await world.open()
        yield world


@pytest.fixture
async def get(session: aiohttp.ClientSession) -> Callable[[str], Awaitable[Any]]:
    """GET as JSON."""

    async def get(url: str) -> Any:
        async with session.get(url) as answer:
            return await answer.json()

    return get


async def test_check_all_of_a_healthy_cluster(world: World, get: Callable[[str], Awaitable[Any]]) -> None:
    """Every instance reaches every instance, itself included; keys and shapes are goldpinger's."""
    urls = [await world.start(name) for name in ("a", "b", "c")]
    answer = await get(f"{urls[0]}/check_all")
    assert (answer["OK"], answer["hosts-healthy"], answer["hosts-number"]) == (True, 3, 3)
    assert [sorted(host) for host in answer["hosts"]] == [["hostIP", "podIP", "podName"]] * 3
    assert sorted(answer["responses"]) == ["a", "b", "c"]
    for response in answer["responses"].values():
        assert (response["OK"], sorted(response["response"]["podResults"])) == (True, ["a", "b", "c"])
    result = answer["responses"]["a"]["response"]["podResults"]["b"]
    assert (result["OK"], result["status-code"]) == (True, 200)
    assert result["response"]["boot_time"].endswith("Z")
    assert 0 <= result["response-time-ms"] < 300
    assert result["PodIP"] == urls[1].removeprefix("http://").removesuffix(f":{PORT}")


async def test_peers_come_from_the_service_account(world: World, get: Callable[[str], Awaitable[Any]]) -> None:
    """Pods are listed in the own namespace, by label selector, with the mounted token over verified TLS."""
    url = await world.start("a")
    await get(f"{url}/check")
    assert world.requests[0] == {"path": "/api/v1/namespaces/blue/pods", "selector": "app=goldpinger"}


async def test_pods_without_address_are_left_out(world: World, get: Callable[[str], Awaitable[Any]]) -> None:
    """A pod that isn't running can't be called, so it is no peer."""
    url = await world.start("a")
    world.announce("pending", "", phase="Pending")
    world.announce("done", "127.250.9.9", phase="Succeeded")
    assert sorted((await get(f"{url}/check"))["podResults"]) == ["a"]


async def test_a_killed_peer_is_seen_at_once(world: World, get: Callable[[str], Awaitable[Any]]) -> None:
    """The next check after a kill shows the peer failed, with the error; the others stay OK."""
    url = await world.start("a")
    await world.start("b")
    assert (await get(f"{url}/check"))["podResults"]["b"]["OK"]
    await world.kill("b")
    results = (await get(f"{url}/check"))["podResults"]
    assert (results["a"]["OK"], results["b"]["OK"], results["b"]["status-code"]) == (True, False, 504)
    assert results["b"]["error"].endswith("connect: connection refused")


async def test_a_replaced_peer_fails_until_the_refresh(world: World, get: Callable[[str], Awaitable[Any]]) -> None:
    """Peers are remembered between refreshes, so a pod that was force-deleted shows as failed until the next one."""
    url = await world.start("a")
    await world.start("b")
    await get(f"{url}/check")
    await world.kill("b")
    del world.pods["b"]
    await world.start("c")
    answer = await get(f"{url}/check_all")
    assert sorted(answer["responses"]) == ["a", "c"]
    assert (answer["OK"], answer["responses"]["a"]["response"]["podResults"]["b"]["OK"]) == (False, False)


async def test_cluster_health(world: World, session: aiohttp.ClientSession) -> None:
    """200 and OK while all see all; 418 when an instance doesn't answer."""
    url = await world.start("a")
    await world.start("b")
    async with session.get(f"{url}/cluster_health") as answer:
        healthy = await answer.json()
        assert (answer.status, healthy["OK"], healthy["nodesTotal"]) == (200, True, 2)
        assert len(healthy["nodesHealthy"]) == 2
    await world.kill("b")
    async with session.get(f"{url}/cluster_health") as answer:
        sick = await answer.json()
        assert (answer.status, sick["OK"], sick["nodesTotal"]) == (418, False, 2)
        assert sick["nodesUnhealthy"] == [world.pods["b"]["status"]["hostIP"]]


async def test_a_slow_peer_times_out(
    world: World, get: Callable[[str], Awaitable[Any]], session: aiohttp.ClientSession
) -> None:
    """A peer that takes longer than PING_TIMEOUT fails with the time it was given."""
    released = asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        await released.wait()
        return web.json_response({})

    url = await world.start("a")
    await world.start("slow", handler=slow)
    result = (await get(f"{url}/check"))["podResults"]["slow"]
    released.set()
    assert (result["OK"], result["error"]) == (False, "context deadline exceeded: no answer within 300 ms")
    async with session.get(f"{url}/heatmap.png") as answer:
        assert answer.status == 200


async def test_without_permission_the_last_peers_stand(world: World, get: Callable[[str], Awaitable[Any]]) -> None:
    """When the API refuses, the peers of the last refresh are still called, and the error is counted."""
    url = await world.start("a")
    await get(f"{url}/check")
    world.allowed = False
    assert sorted((await get(f"{url}/check_all"))["responses"]) == ["a"]


async def test_calls_come_from_the_pods_own_address(world: World, get: Callable[[str], Awaitable[Any]]) -> None:
    """The callee sees the caller's pod address: what fault injection and network policies go by."""
    callers: list[str | None] = []

    async def note(request: web.Request) -> web.Response:
        callers.append(request.remote)
        return web.json_response({})

    url = await world.start("a")
    await world.start("b", handler=note)
    await get(f"{url}/check")
    assert callers == [world.pods["a"]["status"]["podIP"]]


async def test_metrics(world: World, session: aiohttp.ClientSession) -> None:
    """The Prometheus metrics have goldpinger's names and labels, and count what happened."""
    url = await world.start("a")
    await world.start("b")
    for path in ("/check", "/cluster_health", "/healthz"):
        async with session.get(url + path) as answer:
            assert answer.status == 200
    async with session.get(f"{url}/metrics") as answer:
        assert answer.content_type == "text/plain"
        lines = (await answer.text()).splitlines()
    instance = 'goldpinger_instance="node-of-' + world.pods["a"]["status"]["podIP"] + '"'
    assert f'goldpinger_nodes_health_total{{{instance},status="healthy"}} 2' in lines
    assert f'goldpinger_stats_total{{{instance},action="healthz",group="received"}} 1' in lines
    assert f"goldpinger_cluster_health_total{{{instance}}} 1" in lines
    counts = [line for line in lines if line.startswith("goldpinger_peers_response_time_s_count")]
    assert len(counts) == 4
    assert any(line.startswith("goldpinger_kube_master_response_time_s_bucket") for line in lines)


async def test_targets(world: World) -> None:
    """HOSTS_TO_RESOLVE, TCP_TARGETS and HTTP_TARGETS are checked and reported by target."""
    url = await world.start("a")
    address = random_address()
    environ = world.environ(address) | {
        "HOSTS_TO_RESOLVE": "localhost",
        "TCP_TARGETS": f"{url.removeprefix('http://')} {address}:1",
        "HTTP_TARGETS": f"{url}/healthz {url}/nothing",
    }
    checks = Checks(Settings.read(["goldpinger"], environ), environ, metrics=Metrics("x"))
    # This instance has no server of its own, so its address need not be bound.
    await checks.open()
    try:
        results = (await checks.check())["probeResults"]
    finally:
        await checks.close()
    assert [result["protocol"] for result in results["localhost"]] == ["dns"]
    assert "error" not in results[url.removeprefix("http://")][0]
    assert "error" in results[f"{address}:1"][0]
    assert "error" not in results[f"{url}/healthz"][0]
    assert results[f"{url}/nothing"][0]["error"] == "answered 404"


async def test_page_stands_alone(world: World, session: aiohttp.ClientSession) -> None:
    """The page needs nothing from elsewhere and never turns names into markup."""
    async with session.get(await world.start("a")) as answer:
        page = await answer.text()
    assert answer.content_type == "text/html"
    for forbidden in ("innerHTML", "document.write", 'src="', "//cdn", "@import"):
        assert forbidden not in page
    assert {link.split('"')[0] for link in page.split('href="')[1:]} == {
        "check_all",
        "check",
        "cluster_health",
        "heatmap.png",
        "metrics",
    }


async def test_heatmap(world: World, session: aiohttp.ClientSession) -> None:
    """The heatmap is a PNG that shows fast calls green and failed ones dark."""
    url = await world.start("a")
    await world.start("b")
    async with session.get(f"{url}/check"):
        pass
    await world.kill("b")
    async with session.get(f"{url}/heatmap.png?t0=1000&t1=2000&t2=3000") as answer:
        assert answer.content_type == "image/png"
        picture = Image.open(io.BytesIO(await answer.read())).convert("RGB")
    colours = {colour for _, colour in picture.getcolors(maxcolors=1 << 20)}
    assert {(52, 168, 83), (58, 28, 36)} <= colours


@pytest.mark.parametrize(
    ("query", "limits"),
    [({}, (1, 10, 100)), ({"t0": "50", "t2": "400"}, (10, 50, 400)), ({"t1": "-3", "t2": "x"}, (1, 10, 100))],
)
def test_heatmap_thresholds(query: dict[str, str], limits: tuple[int, int, int]) -> None:
    """Limits come from the query, in ascending order; nonsense is ignored."""
    assert thresholds(query) == limits


def test_heatmap_colours_run_from_green_to_red() -> None:
    """Faster than the first limit is green, slower than the last is red, equal limits don't fail."""
    assert colour(0, (1, 10, 100)) == colour(1, (1, 10, 100)) == (52, 168, 83)
    assert colour(10, (1, 10, 100)) == (244, 190, 60)
    assert colour(100, (1, 10, 100)) == colour(5000, (1, 10, 100)) == (206, 62, 54)
    assert colour(6, (5, 5, 5)) == (206, 62, 54)


@pytest.mark.parametrize(
    ("environ", "argv", "seconds"),
    [
        ({}, [], 0.3),
        ({"PING_TIMEOUT": "1m30s"}, [], 90),
        ({"PING_TIMEOUT_MS": "250"}, [], 0.25),
        ({"PING_TIMEOUT": "2s"}, ["--ping-timeout", "50ms"], 0.05),
    ],
)
def test_ping_timeout(environ: dict[str, str], argv: list[str], seconds: float) -> None:
    """Durations are Go's; a flag wins over a variable, a variable over the default; the old name in ms works."""
    assert Settings.read(["goldpinger", *argv], environ).ping_timeout_seconds == seconds


@pytest.mark.parametrize(
    "argv", [["--ping-timeout", "soon"], ["--refresh-interval", "x"], ["--nonsense", "1"], ["--port"], ["x"]]
)
def test_wrong_settings(argv: list[str]) -> None:
    """What can't be understood is an error, not a default."""
    with pytest.raises(SettingError):
        Settings.read(["goldpinger", *argv], {})


def test_choose_is_stable_and_even() -> None:
    """PING_NUMBER picks that many peers, the same ones each time, and every peer is picked by somebody."""
    peers = [Peer(f"pod-{number}", "127.0.0.1", "10.0.0.1") for number in range(20)]
    picks = [choose(peers, pod_name=peer.pod_name, number=8) for peer in peers]
    assert picks == [choose(list(reversed(peers)), pod_name=peer.pod_name, number=8) for peer in peers]
    assert {len(pick) for pick in picks} == {8}
    assert {peer for pick in picks for peer in pick} == set(peers)
    assert choose(peers, pod_name="x", number=0) == peers


def test_metrics_escape_label_values() -> None:
    """Quotes, backslashes and line ends in a label can't break the exposition format."""
    metrics = Metrics('a"b\\c\nd')
    metrics.count("goldpinger_errors_total", type="ping")
    assert (
        'goldpinger_errors_total{goldpinger_instance="a\\"b\\\\c\\nd",type="ping"} 1' in metrics.render().splitlines()
    )


async def test_program_serves_and_ends(
    containers: Containers, pod_ip: str, get: Callable[[str], Awaitable[Any]]
) -> None:
    """The program itself listens where it was told, says so, and ends on SIGTERM with exit code 0."""
    environ = {"SEATRIAL_POD_IP": pod_ip, "HOST": "0.0.0.0", "PORT": "8080", "REFRESH_INTERVAL": "1"}
    process = containers.start("bloomberg/goldpinger:v3.10.0", "goldpinger", environ=environ)
    url = await listening(pod_ip, 8080)
    health = await get(f"{url}/healthz")
    assert (health["OK"], sorted(health)) == (True, ["OK", "duration-ns", "generated-at"])
    assert json.dumps(await get(f"{url}/check")) == '{"podResults": {}, "probeResults": {}}'
    assert process.stdout is not None
    assert f"http://{pod_ip}:8080" in process.stdout.readline()
    assert await asyncio.to_thread(containers.stop, process) == 0


def test_program_with_wrong_settings(containers: Containers) -> None:
    """A setting that makes no sense ends it with a message, not with a traceback."""
    code, _, err = containers.run("bloomberg/goldpinger", "goldpinger", environ={"PING_TIMEOUT": "soon"})
    assert (code, err) == (1, "goldpinger: invalid duration 'soon'\n")
