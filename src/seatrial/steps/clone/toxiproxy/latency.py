"""How long a pod of the copy takes to answer from outside, with and without its toxics.

The request goes through the API server's proxy of pods, hence over the pod's network and through the sidecar; it is
the one that the kubelet sends as a probe, where the pod has such a probe: an endpoint made to be asked.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.errors import RequestTimeout, status_of

_PATIENCE_SECONDS = 5.0
_PROBES = ("readinessProbe", "livenessProbe", "startupProbe")


@dataclass(frozen=True, slots=True)
class AskedEndpoint:
    """Where a pod is asked."""

    port: int
    path: str
    scheme: str

    def __str__(self) -> str:
        return f"GET :{self.port}{self.path}"


def endpoint_to_ask(pod_spec: Mapping[str, Any], ports: set[int]) -> AskedEndpoint | None:
    """An endpoint on one of these ports that the kubelet probes by HTTP; None where there is none."""
    for container in pod_spec.get("containers") or ():
        named = {port.get("name"): int(port["containerPort"]) for port in container.get("ports") or ()}
        for probe in (container.get(key) or {} for key in _PROBES):
            asked = probe.get("httpGet") or {}
            wanted = asked.get("port")
            port = wanted if isinstance(wanted, int) else named.get(wanted, 0)
            if port in ports:
                path = "/" + str(asked.get("path") or "/").lstrip("/")
                return AskedEndpoint(port, path, str(asked.get("scheme") or "HTTP").lower())
    return None


async def time_answer(cluster: Client, endpoint: AskedEndpoint, *, namespace: str, pod: str) -> str:
    """How long an answer took, in words; empty where we may not ask, or the API server can't."""
    named = f"https:{quote(pod)}:{endpoint.port}" if endpoint.scheme == "https" else f"{quote(pod)}:{endpoint.port}"
    path = f"/api/v1/namespaces/{quote(namespace)}/pods/{named}/proxy{quote(endpoint.path, safe='/?&=%')}"
    loop = asyncio.get_running_loop()
    begun = loop.time()
    try:
        answer = await cluster.request("GET", path, timeout_seconds=_PATIENCE_SECONDS)
    except RequestTimeout:
        return f"no answer within {_PATIENCE_SECONDS:g} s"
    except ClusterError:
        return ""
    took = f"{(loop.time() - begun) * 1000:.0f} ms"
    if answer.status < 400:
        return took
    # The API server's own refusal says nothing of the pod; its 502 and 503 say that the pod did not answer.
    if answer.status in {401, 403, 404} and status_of(answer.body, code=answer.status).status == "Failure":
        return ""
    return f"status {answer.status} after {took}"
