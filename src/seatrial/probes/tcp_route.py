"""How a TCP connection reaches what it probes: an address, a Service's cluster IP, or one of its pods.

Through a port-forward success can't be seen: the protocol only tells of failure. A connection that is neither refused
nor closed for a while counts as one that stands.
"""

import asyncio
from typing import Literal, Protocol

from seatrial.kube.client import Client
from seatrial.kube.errors import PortUnreachable
from seatrial.probes.sampling import Look
from seatrial.probes.service_endpoints import NoEndpoint, ServiceAddress, ServiceEndpoints
from seatrial.probes.service_route import connects

TcpVia = Literal["clusterIP", "portForward"]

_QUIET_SECONDS = 0.5


class TcpRoute(Protocol):
    """A way to one target; `via` names it ("tcp", "clusterIP", "portForward")."""

    via: str
    target: str

    async def look(self, *, timeout_seconds: float) -> Look:
        """Connect once and hang up.

        Raises:
            ClusterError: the API server did not let it through.
        """
        ...


class DirectTcpRoute:
    """Connections from this process to an address or a name."""

    def __init__(self, host: str, port: int, *, via: str = "tcp", target: str = "") -> None:
        self.via = via
        self.target = target or (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        self._host = host
        self._port = port

    async def look(self, *, timeout_seconds: float) -> Look:
        """Connect once and hang up; looking up the name counts into the time."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            async with asyncio.timeout(timeout_seconds):
                _, writer = await asyncio.open_connection(self._host, self._port)
        except TimeoutError:
            return Look(problem=f"no connection within {timeout_seconds * 1000:g} ms")
        except (OSError, UnicodeError) as error:  # UnicodeError: a label of the name is too long or empty
            return Look(problem=connection_problem(error))
        elapsed_ms = (loop.time() - begun) * 1000
        writer.close()
        return Look(answer="connected", latency_ms=elapsed_ms, connect_ms=elapsed_ms)


class ForwardedTcpRoute:
    """Connections to a Service's Ready pods in turn, each by a port-forward of its own."""

    via = "portForward"

    def __init__(self, cluster: Client, endpoints: ServiceEndpoints) -> None:
        self.target = service_target(endpoints)
        self._cluster = cluster
        self._endpoints = endpoints

    async def look(self, *, timeout_seconds: float) -> Look:
        """Connect once, and see whether the pod's port refuses within half a second or half the timeout."""
        try:
            pod, port = await self._endpoints.next_pod()
        except NoEndpoint as error:
            return Look(problem=str(error))
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._cluster.try_port(
                    pod,
                    namespace=self._endpoints.namespace,
                    port=port,
                    quiet_seconds=min(_QUIET_SECONDS, timeout_seconds / 2),
                )
        except TimeoutError:
            return Look(problem=f"no port-forward within {timeout_seconds * 1000:g} ms")
        except PortUnreachable as error:
            return Look(problem=f"port {port} of pod {pod}: {error.message}")
        return Look(answer="not refused")


async def tcp_route_to_service(
    cluster: Client, service: ServiceAddress, *, via: TcpVia | None, is_inside: bool
) -> TcpRoute:
    """The way to a Service's port; without `via` a port-forward where the cluster IP doesn't connect from outside.

    Raises:
        ClusterError: there is no such Service or port, or the API server did not answer.
    """
    endpoints = await ServiceEndpoints.find(cluster, service)
    address, port = endpoints.cluster_ip, service.port
    if via is None:
        is_direct = bool(address) and (is_inside or await connects(address, port))
        via = "clusterIP" if is_direct else "portForward"
    if via == "portForward":
        return ForwardedTcpRoute(cluster, endpoints)
    return DirectTcpRoute(endpoints.demand_cluster_ip(), port, via="clusterIP", target=service_target(endpoints))


def service_target(endpoints: ServiceEndpoints) -> str:
    """A Service's port as events name it."""
    return f"{endpoints.name}.{endpoints.namespace}:{endpoints.port}"


def connection_problem(error: OSError | UnicodeError) -> str:
    """Why there is no connection, in a few words."""
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    reason = error.strerror if isinstance(error, OSError) else ""
    return reason or str(error) or type(error).__name__
