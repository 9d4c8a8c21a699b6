"""The kubelet's pages about usage: `/stats/summary` for programs, `/metrics/resource` for Prometheus."""

import time
from collections.abc import Callable, Iterable

from aiohttp import web

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.runtime_client import RuntimeClient
from seatrial.sandbox.kubelet.usage import UsageMeter, resource_metrics


class UsageRoutes:
    """Answers them.

    Args:
        meter: measures.
        runtime: knows the containers.
        pods: the pods of the node.
    """

    def __init__(self, meter: UsageMeter, *, runtime: RuntimeClient, pods: Callable[[], Iterable[Object]]) -> None:
        self._meter = meter
        self._runtime = runtime
        self._pods = pods

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Take the paths."""
        router.add_get("/stats/summary", self._summary)
        router.add_get("/metrics/resource", self._metrics)

    async def _measure(self) -> Object:
        records = await self._runtime.list()
        return self._meter.summary(records, {pod["metadata"]["uid"]: pod for pod in self._pods()})

    async def _summary(self, _: web.Request) -> web.Response:
        return web.json_response(await self._measure())

    async def _metrics(self, _: web.Request) -> web.Response:
        text = resource_metrics(await self._measure(), now=time.time())
        return web.Response(text=text, content_type="text/plain")
