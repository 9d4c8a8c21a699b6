"""`metrics.k8s.io/v1beta1`: what pods and nodes use, for `kubectl top` and autoscalers.

A real cluster runs metrics-server for this; the sandbox's API server asks the kubelets itself, when it is asked. A
kubelet that doesn't answer leaves its node and pods out, as metrics-server does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import aiohttp
import structlog
from aiohttp import web

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.negotiation import encode, negotiate
from seatrial.sandbox.apiserver.operations import Operations
from seatrial.sandbox.apiserver.request_info import RequestInfo
from seatrial.sandbox.apiserver.selectors import Selector

GROUP: Final = "metrics.k8s.io"
_API_VERSION: Final = f"{GROUP}/v1beta1"
_NANO: Final = 1_000_000_000
_KIBIBYTE: Final = 1024
_SUMMARY: Final = "/stats/summary"
_SHORTEST_WINDOW: Final = "10s"
_log = structlog.get_logger(__name__)

AskKubelet = Callable[[str, str], Awaitable[Any]]
"""Answers the JSON that a node's kubelet has at a path."""


class MetricsApi:
    """Answers requests for metrics.

    Args:
        operations: knows pods and nodes.
        ask: asks a kubelet.
    """

    def __init__(self, operations: Operations, ask: AskKubelet) -> None:
        self._operations = operations
        self._ask = ask

    async def handle(self, request: web.BaseRequest, info: RequestInfo) -> web.Response:
        """Answer a request for a resource of the group."""
        if info.resource not in {"pods", "nodes"} or info.subresource:
            raise statuses.no_such_resource()
        if info.verb not in {"get", "list"}:
            raise statuses.method_not_allowed()
        body = await (self._pods(request, info) if info.resource == "pods" else self._nodes(request, info))
        form = negotiate(request.headers.get("Accept", ""))
        headers = {"Content-Type": form.content_type, "Cache-Control": "no-cache, private"}
        return web.Response(body=encode(body, form), headers=headers)

    async def _pods(self, request: web.BaseRequest, info: RequestInfo) -> Object:
        pods = self._select("pods", request, info)
        summaries = await self._summaries({pod["spec"]["nodeName"] for pod in pods if pod["spec"].get("nodeName")})
        stats = {entry["podRef"]["uid"]: entry for summary in summaries.values() for entry in summary["pods"]}
        found = [_pod_metrics(pod, stats[pod["metadata"]["uid"]]) for pod in pods if _has_usage(pod, stats)]
        if not info.name:
            return _list("PodMetricsList", found)
        if not found:
            raise _not_found("podmetrics", f"{info.namespace}/{info.name}")
        return {"kind": "PodMetrics", "apiVersion": _API_VERSION, **found[0]}

    async def _nodes(self, request: web.BaseRequest, info: RequestInfo) -> Object:
        nodes = self._select("nodes", request, info)
        summaries = await self._summaries({node["metadata"]["name"] for node in nodes})
        found = [
            _node_metrics(node, summaries[node["metadata"]["name"]]["node"])
            for node in nodes
            if node["metadata"]["name"] in summaries
        ]
        if not info.name:
            return _list("NodeMetricsList", found)
        if not found:
            raise _not_found("nodemetrics", info.name)
        return {"kind": "NodeMetrics", "apiVersion": _API_VERSION, **found[0]}

    def _select(self, key: str, request: web.BaseRequest, info: RequestInfo) -> list[Object]:
        resource = self._operations.registry.of(key)
        labels, fields = (request.query.get(name, "") for name in ("labelSelector", "fieldSelector"))
        selector = Selector(labels, fields, group=resource.group, plural=resource.plural)
        records = self._operations.store.list(resource.table, info.namespace or None)
        objects = (record.object for record in records)
        return [obj for obj in objects if info.name in {"", obj["metadata"]["name"]} and selector.matches(obj)]

    async def _summaries(self, nodes: Iterable[str]) -> dict[str, Object]:
        names = sorted(nodes)
        answers = await asyncio.gather(*(self._summary(name) for name in names))
        return {name: answer for name, answer in zip(names, answers, strict=True) if answer is not None}

    async def _summary(self, node: str) -> Object | None:
        try:
            summary: Object = await self._ask(node, _SUMMARY)
        except (ApiError, aiohttp.ClientError, OSError, ValueError) as error:
            _log.info("node has no metrics", node=node, error=str(error))
            return None
        return summary


def _has_usage(pod: Object, stats: Mapping[str, Object]) -> bool:
    return bool((stats.get(pod["metadata"]["uid"]) or {}).get("containers"))


def _pod_metrics(pod: Object, stats: Object) -> Object:
    containers = [{"name": entry["name"], "usage": _usage(entry)} for entry in stats["containers"]]
    return {**_head(pod, stats["containers"][0]["cpu"]["time"]), "containers": containers}


def _node_metrics(node: Object, stats: Object) -> Object:
    return {**_head(node, stats["cpu"]["time"]), "usage": _usage(stats)}


def _head(obj: Object, stamp: str) -> Object:
    metadata = obj["metadata"]
    kept: Object = {"name": metadata["name"]}
    if metadata.get("namespace"):
        kept["namespace"] = metadata["namespace"]
    kept["creationTimestamp"] = stamp
    if metadata.get("labels"):
        kept["labels"] = metadata["labels"]
    return {"metadata": kept, "timestamp": stamp, "window": _SHORTEST_WINDOW}


def _usage(stats: Object) -> Object:
    cores, memory = stats["cpu"]["usageNanoCores"], stats["memory"]["workingSetBytes"]
    return {"cpu": f"{cores}n" if cores else "0", "memory": f"{memory // _KIBIBYTE}Ki"}


def _list(kind: str, items: list[Object]) -> Object:
    return {"kind": kind, "apiVersion": _API_VERSION, "metadata": {}, "items": items}


def _not_found(resource: str, name: str) -> ApiError:
    return statuses.not_found(GROUP, resource, name)
