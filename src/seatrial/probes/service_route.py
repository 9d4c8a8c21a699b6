"""Which way an HTTP request takes to a Service: the one that the policy names, or the first that works.

Cluster IP, API server, port-forward, in this order: the first is how other pods see the Service, the last leaves out
what is between them.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp

from seatrial.kube.client import Client
from seatrial.kube.resources import SERVICES
from seatrial.probes.http_route import (
    ApiserverRoute,
    DirectRoute,
    PortForwardRoute,
    Route,
    Via,
    passes_apiserver,
    server_name,
)
from seatrial.probes.service_endpoints import ServiceAddress, ServiceEndpoints

_CONNECT_SECONDS = 1.0
PROXY_VERBS = {"get": "get", "head": "get", "post": "create", "put": "update", "patch": "patch", "delete": "delete"}
"""The verb that the API server asks for, by the method of a request through its service proxy."""


@dataclass(frozen=True, slots=True)
class Requests:
    """What will be sent, as far as it matters to the way."""

    method: str = "get"
    headers: Mapping[str, str] = field(default_factory=dict)


_PLAIN = Requests()


async def route_to_service(
    cluster: Client,
    session: aiohttp.ClientSession,
    service: ServiceAddress,
    *,
    via: Via | None = None,
    insecure: bool = False,
    proxy: str = "",
    is_inside: bool = False,
    requests: Requests = _PLAIN,
) -> Route:
    """The way to a Service's port; `is_inside` says that this process runs in the cluster.

    Without `via` it is the cluster IP where that connects, or leads there by `proxy` or from inside; else the API
    server where its proxy is allowed and lets the headers through; else a port-forward.

    Raises:
        ClusterError: there is no such Service or port, or the API server did not answer.
    """
    endpoints = await ServiceEndpoints.find(cluster, service)
    scheme, port = service.scheme, service.port
    if via is None:
        is_direct = is_inside and bool(endpoints.cluster_ip)
        via = "clusterIP" if proxy or is_direct else await _first_way(cluster, endpoints, scheme, requests)
    if via == "apiserver":
        return ApiserverRoute(cluster, namespace=service.namespace, name=service.name, port=port, scheme=scheme)
    if via == "portForward":
        return PortForwardRoute(cluster, session, endpoints, scheme=scheme, insecure=insecure)
    address = endpoints.demand_cluster_ip()
    host = f"[{address}]" if ":" in address else address
    return DirectRoute(
        session,
        f"{scheme}://{host}:{port}",
        via="clusterIP",
        proxy=proxy,
        insecure=insecure,
        server_name=server_name(endpoints) if scheme == "https" else "",
    )


async def _first_way(cluster: Client, endpoints: ServiceEndpoints, scheme: str, requests: Requests) -> Via:
    if endpoints.cluster_ip and await connects(endpoints.cluster_ip, endpoints.port):
        return "clusterIP"
    is_allowed = passes_apiserver(requests.headers) and await cluster.can_i(
        PROXY_VERBS[requests.method],
        SERVICES,
        namespace=endpoints.namespace,
        name=f"{scheme}:{endpoints.name}:{endpoints.port}",
        subresource="proxy",
    )
    return "apiserver" if is_allowed else "portForward"


async def connects(address: str, port: int) -> bool:
    """Whether a connection can be made, within a second."""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(address, port)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return True
