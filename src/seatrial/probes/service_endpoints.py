"""A Service as a probe needs it: its cluster IP and port, and the Ready pods behind it.

A Service's `targetPort` may be a name that means another number in each pod; EndpointSlices hold the numbers
(Kubernetes documentation, "EndpointSlices").
"""

from dataclasses import dataclass
from typing import Self

from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.objects import EndpointSlice, Service, ServicePort
from seatrial.kube.resources import ENDPOINTSLICES, PODS, SERVICES
from seatrial.targets.permissions import Permission

# A WebSocket begins with a GET; from Kubernetes 1.35 on the API server asks for `create` besides.
PORT_FORWARD_PERMISSIONS = (
    Permission("list", ENDPOINTSLICES),
    Permission("get", PODS, "portforward"),
    Permission("create", PODS, "portforward"),
)
"""What a port-forward to a Service's pods needs beside reading the Service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAddress:
    """One port of a Service, and how to speak to it."""

    namespace: str
    name: str
    port: int
    scheme: str = "http"


class NoEndpoint(Exception):  # noqa: N818 -- it says what there is
    """No pod behind the Service is Ready."""


class ServiceEndpoints:
    """One port of a Service.

    Raises:
        ClusterError: from all methods: there is no such Service or port, or the API server did not answer.
    """

    def __init__(self, cluster: Client, service: Service, port: ServicePort) -> None:
        self.name = service.metadata.name
        self.namespace = service.metadata.namespace
        self.port = port.port
        self._cluster = cluster
        self._service = service
        self._port_name = port.name
        self._asked = 0

    @classmethod
    async def find(cls, cluster: Client, address: ServiceAddress) -> Self:
        """The Service's port."""
        namespace, name, port = address.namespace, address.name, address.port
        service = await cluster.get(SERVICES, name, namespace=namespace, type=Service)
        found = next((each for each in service.spec.ports if each.port == port and each.protocol == "TCP"), None)
        if found is None:
            ports = ", ".join(str(each.port) for each in service.spec.ports) or "none"
            raise ClusterError(f"Service {namespace}/{name} has no port {port} (it has: {ports})")
        return cls(cluster, service, found)

    @property
    def cluster_ip(self) -> str:
        """Its address; empty for a headless Service."""
        address = self._service.spec.cluster_ip
        return "" if address == "None" else address

    def demand_cluster_ip(self) -> str:
        """Its address.

        Raises:
            ClusterError: it is headless.
        """
        if not self.cluster_ip:
            raise ClusterError(
                f"Service {self.namespace}/{self.name} has no cluster IP",
                hint="leave out 'via: clusterIP' and 'proxy', or use 'via: portForward'",
            )
        return self.cluster_ip

    async def next_pod(self) -> tuple[str, int]:
        """The next of its Ready pods, in turn, and the port's number there.

        Raises:
            NoEndpoint: there is none at the moment.
        """
        slices = await self._cluster.list(
            ENDPOINTSLICES,
            namespace=self.namespace,
            label_selector=f"kubernetes.io/service-name={self.name}",
            type=EndpointSlice,
        )
        pods = sorted({pod for each in slices.items for pod in self._pods_of(each)})
        if not pods:
            raise NoEndpoint(f"no pod behind Service {self.namespace}/{self.name} is Ready")
        self._asked += 1
        return pods[(self._asked - 1) % len(pods)]

    def _pods_of(self, piece: EndpointSlice) -> list[tuple[str, int]]:
        port = next((each.port for each in piece.ports or () if (each.name or "") == self._port_name), None)
        if port is None:
            return []
        return [
            (endpoint.target_ref.name, port)
            for endpoint in piece.endpoints or ()
            if endpoint.conditions.ready is not False
            and endpoint.target_ref is not None
            and endpoint.target_ref.kind == "Pod"
        ]
