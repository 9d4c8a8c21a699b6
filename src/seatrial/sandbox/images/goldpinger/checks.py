"""The calls between instances: `/ping` of each peer, `/check` of each, and what the whole graph says.

The list of peers is refreshed every REFRESH_INTERVAL, as in the real one, so a pod that was just killed is still
called and shown failed until then. Other than the real one, `/check` calls the peers when it is asked instead of
answering from the last round: a failure shows at once.
"""

import asyncio
import datetime as dt
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from seatrial.sandbox.images.goldpinger.metrics import Metrics
from seatrial.sandbox.images.goldpinger.peers import Peer, PeerFinder, PeersUnknownError, choose
from seatrial.sandbox.images.goldpinger.settings import Settings
from seatrial.sandbox.images.goldpinger.targets import probe_targets
from seatrial.sandbox.images.serving import complain, say
from seatrial.sandbox.network.low_ports import bindable

if TYPE_CHECKING:
    import aiohttp

Json = dict[str, Any]


def timestamp(moment: dt.datetime | None = None) -> str:
    """A time as the real one writes it (RFC 3339, milliseconds, UTC)."""
    moment = moment or dt.datetime.now(dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


class Checks:
    """One instance's view of the others."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], *, metrics: Metrics) -> None:
        self._settings = settings
        self._finder = PeerFinder(settings, environ)
        self._metrics = metrics
        self._peers: list[Peer] = []
        self._session: aiohttp.ClientSession | None = None
        self._troubled: set[str] = set()

    async def open(self) -> None:
        """Make ready to call; calls leave from the pod's own address."""
        import aiohttp  # noqa: PLC0415 -- heavy: loaded when an instance runs

        local = (self._settings.pod_ip, 0) if self._settings.pod_ip else None
        connector = aiohttp.TCPConnector(local_addr=local, limit=0)
        self._session = aiohttp.ClientSession(connector=connector, trust_env=False)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def keep_refreshing(self) -> None:
        """Refresh the list of peers and ping them every REFRESH_INTERVAL; 0 or less: never."""
        interval = self._settings.refresh_interval_seconds
        while interval > 0:
            await self.refresh()
            self._report_trouble(await self._ping_all())
            await asyncio.sleep(interval)

    async def refresh(self) -> list[Peer]:
        """Ask the API server who the peers are; on failure the last answer stands."""
        started = time.monotonic()
        try:
            self._peers = await self._finder.find(self._open_session())
        except PeersUnknownError as error:
            self._metrics.count("goldpinger_errors_total", type="kubernetes_api")
            complain(f"can't refresh the list of peers: {error}")
        else:
            self._metrics.observe("goldpinger_kube_master_response_time_s", time.monotonic() - started)
            self._metrics.forget_peers(keep={peer.pod_ip for peer in self._peers})
        return self._peers

    async def check(self) -> Json:
        """`CheckResults`: every peer pinged."""
        if not self._peers:
            await self.refresh()
        pods, targets = await asyncio.gather(
            self._ping_all(), probe_targets(self._settings, self._open_session(), metrics=self._metrics)
        )
        return {"podResults": pods, "probeResults": targets}

    async def check_all(self) -> Json:
        """`CheckAllResults`: every peer asked for its own check."""
        peers = await self._finder_or_last()
        async with asyncio.timeout(self._settings.check_all_timeout_seconds):
            answers = await asyncio.gather(*(self._check_of(peer) for peer in peers))
        responses = dict(zip((peer.pod_name for peer in peers), answers, strict=True))
        healthy = sum(_sees_all(answer) for answer in answers)
        return {
            "OK": bool(answers) and healthy == len(answers),
            "hosts-healthy": healthy,
            "hosts-number": len(answers),
            "hosts": [{"podName": peer.pod_name, "hostIP": peer.host_ip, "podIP": peer.pod_ip} for peer in peers],
            "responses": responses,
            "probeResults": _by_host(responses),
        }

    async def cluster_health(self) -> Json:
        """`ClusterHealthResults`: OK when every instance answers, sees all the others, and all of them answer it."""
        started = time.monotonic()
        result = await self.check_all()
        expected = sorted(host["hostIP"] for host in result["hosts"])
        healthy: list[str] = []
        unhealthy: list[str] = []
        same = True
        for answer in result["responses"].values():
            (healthy if answer["OK"] else unhealthy).append(answer["HostIP"])
            seen = answer.get("response", {}).get("podResults", {}).values()
            same = same and sorted(peer["HostIP"] for peer in seen) == expected
        ok = bool(result["OK"]) and (same or self._settings.ping_number > 0)
        self._metrics.gauge("goldpinger_cluster_health_total", float(ok))
        return {
            "OK": ok,
            "nodesHealthy": sorted(healthy),
            "nodesUnhealthy": sorted(unhealthy),
            "nodesTotal": len(expected),
            "generated-at": timestamp(),
            "duration-ns": int((time.monotonic() - started) * 1e9),
        }

    def display_names(self) -> dict[str, str]:
        """What the page calls each pod: its name, or its node's with DISPLAY_NODENAME."""
        return {
            peer.pod_name: (self._settings.display_node_name and peer.node_name) or peer.pod_name
            for peer in self._peers
        }

    async def _finder_or_last(self) -> list[Peer]:
        try:
            return await self._finder.find(self._open_session())
        except PeersUnknownError as error:
            self._metrics.count("goldpinger_errors_total", type="kubernetes_api")
            complain(f"can't list the peers: {error}")
            return self._peers

    async def _ping_all(self) -> Json:
        number = self._settings.ping_number
        peers = choose(self._peers, pod_name=self._settings.pod_name, number=number)
        answers = await asyncio.gather(*(self._ping(peer) for peer in peers))
        healthy = sum(answer["OK"] for answer in answers)
        self._metrics.gauge("goldpinger_nodes_health_total", healthy, status="healthy")
        self._metrics.gauge("goldpinger_nodes_health_total", len(answers) - healthy, status="unhealthy")
        return dict(zip((peer.pod_name for peer in peers), answers, strict=True))

    async def _ping(self, peer: Peer) -> Json:
        began = timestamp()
        answer, seconds = await self._call(peer, "ping", self._settings.ping_timeout_seconds)
        failed = "error" in answer
        result: Json = {
            "OK": not failed,
            "PingTime": began,
            "PodIP": peer.pod_ip,
            "HostIP": peer.host_ip,
            "response-time-ms": int(seconds * 1000),
            "status-code": 504 if failed else 200,
        }
        return result | answer

    async def _check_of(self, peer: Peer) -> Json:
        answer, _ = await self._call(peer, "check", self._settings.check_timeout_seconds)
        failed = "error" in answer
        result: Json = {"OK": not failed, "PodIP": peer.pod_ip, "HostIP": peer.host_ip}
        return result | {"status-code": 504 if failed else 200} | answer

    async def _call(self, peer: Peer, action: str, timeout_seconds: float) -> tuple[Json, float]:
        """`{"response": ...}` or `{"error": ...}`, and how long it took."""
        self._metrics.count("goldpinger_stats_total", group="made", action=action)
        address = peer.host_ip if self._settings.use_host_ip else peer.pod_ip
        url = f"http://{address}:{bindable(self._settings.peer_port)}/{action}"
        started = time.monotonic()
        answer = await _answer_or_error(lambda: self._get_json(url, timeout_seconds), timeout_seconds)
        seconds = time.monotonic() - started
        labels = {"call_type": action, "host_ip": peer.host_ip, "pod_ip": peer.pod_ip}
        self._metrics.observe("goldpinger_peers_response_time_s", seconds, **labels)
        if "error" in answer:
            self._metrics.count("goldpinger_errors_total", type="checkAll" if action == "check" else action)
        return answer, seconds

    async def _get_json(self, url: str, timeout_seconds: float) -> Json:
        async with asyncio.timeout(timeout_seconds), self._open_session().get(url) as answer:
            if answer.status != 200:
                return {"error": f"{url}: answered {answer.status}"}
            return {"response": await answer.json()}

    def _open_session(self) -> "aiohttp.ClientSession":
        if self._session is None:
            raise RuntimeError("open() was not called")
        return self._session

    def _report_trouble(self, results: Json) -> None:
        """Say which peers fail when that changes, not at every round."""
        troubled = {name for name, result in results.items() if not result["OK"]}
        for name in sorted(troubled - self._troubled):
            complain(f"peer {name} ({results[name]['PodIP']}) fails: {results[name]['error']}")
        for name in sorted((self._troubled - troubled) & results.keys()):
            say(f"peer {name} answers again")
        self._troubled = troubled


async def _answer_or_error(call: Callable[[], Awaitable[Json]], timeout_seconds: float) -> Json:
    import aiohttp  # noqa: PLC0415 -- heavy: loaded when an instance runs

    try:
        return await call()
    except TimeoutError:
        return {"error": f"context deadline exceeded: no answer within {timeout_seconds * 1000:.0f} ms"}
    except aiohttp.ClientConnectorError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        return {"error": f"dial tcp {error.host}:{error.port}: connect: {reason}"}
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return {"error": str(error) or type(error).__name__}


def _sees_all(answer: Json) -> bool:
    """Whether an instance answered and reached all its peers."""
    return answer["OK"] and all(peer["OK"] for peer in answer["response"].get("podResults", {}).values())


def _by_host(responses: Mapping[str, Json]) -> Json:
    """Probe results, host first, pod second."""
    results: Json = {}
    for pod_name, answer in responses.items():
        for host, result in (answer.get("response", {}).get("probeResults") or {}).items():
            results.setdefault(host, {})[pod_name] = result
    return results
