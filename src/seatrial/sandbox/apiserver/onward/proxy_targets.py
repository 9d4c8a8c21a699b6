"""Where HTTP through a `proxy` subresource goes: a pod's address, one of a service's ready endpoints, a kubelet.

A name may have a scheme before it and a port after it: `https:web:443`.
"""

import random
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.operations import Operations

KUBELET_PORT: Final = 10250
_MOST_DIGITS: Final = 10


@dataclass(frozen=True)
class ProxyTarget:
    """Where to connect; `is_kubelet`: with the API server's own certificate."""

    scheme: str
    host: str
    port: int
    is_kubelet: bool = False


class ProxyTargets:
    """Finds targets."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def find(self, resource: str, namespace: str, name: str) -> ProxyTarget:
        """The target of `pods`, `services` or `nodes`.

        Raises:
            ApiError: 400, 404 or 503.
        """
        scheme, name, port = _split(resource, name)
        if resource == "nodes":
            return self._node(scheme, name, port)
        if resource == "services":
            return ProxyTarget(scheme, *self._service(namespace, name, port))
        return ProxyTarget(scheme, *self._pod(namespace, name, port, scheme=scheme))

    def node_address(self, name: str) -> str:
        """Where a node's kubelet listens.

        Raises:
            ApiError: 404, 500.
        """
        node = self._operations.record(self._operations.registry.of("nodes"), None, name).object
        addresses = (node.get("status") or {}).get("addresses") or ()
        found = next((entry["address"] for entry in addresses if entry["type"] == "InternalIP"), None)
        if found is None:
            shown = " ".join(f"{{{entry['type']} {entry['address']}}}" for entry in addresses)
            raise statuses.failure(500, "", f"no preferred addresses found; known addresses: [{shown}]")
        return str(found)

    def _node(self, scheme: str, name: str, port: str) -> ProxyTarget:
        address = self.node_address(name)
        if port in ("", str(KUBELET_PORT)):
            return ProxyTarget("https", address, KUBELET_PORT, is_kubelet=True)
        return ProxyTarget(scheme, address, _number(port))

    def _pod(self, namespace: str, name: str, port: str, *, scheme: str) -> tuple[str, int]:
        pod = self._operations.record(self._operations.registry.of("pods"), namespace, name).object
        containers = pod["spec"].get("containers") or ()
        if not port:
            ports = [entry["containerPort"] for container in containers for entry in (container.get("ports") or ())[:1]]
            port = str(ports[0]) if ports else ("443" if scheme == "https" else "80")
        address = (pod.get("status") or {}).get("podIP")
        if not address or ip_address(address).is_multicast:
            raise statuses.bad_request("address not allowed")
        return str(address), _number(port)

    def _service(self, namespace: str, name: str, port: str) -> tuple[str, int]:
        service = self._operations.record(self._operations.registry.of("services"), namespace, name).object
        if _is_number(port):
            ports = service["spec"].get("ports") or ()
            found = next((entry for entry in ports if entry["port"] == int(port)), None)
            if found is None:
                text = f'no service port {port} found for service "{name}"'
                raise statuses.failure(503, "ServiceUnavailable", text)
            port = found.get("name", "")
        choices = self._endpoints(namespace, name, port)
        if not choices:
            text = f'no endpoints available for service "{name}"'
            raise statuses.failure(503, "ServiceUnavailable", text)
        return random.choice(choices)  # noqa: S311 -- load balancing

    def _endpoints(self, namespace: str, service: str, port_name: str) -> list[tuple[str, int]]:
        found = []
        for piece in self._operations.objects("endpointslices.discovery.k8s.io", namespace):
            if (piece["metadata"].get("labels") or {}).get("kubernetes.io/service-name") != service:
                continue
            ports = piece.get("ports") or ()
            numbers = [p["port"] for p in ports if (p.get("name") or "") == port_name and p.get("port")]
            for endpoint in piece.get("endpoints") or ():
                if (endpoint.get("conditions") or {}).get("ready", True):
                    found += [(endpoint["addresses"][0], number) for number in numbers]
        return found


def _split(resource: str, name: str) -> tuple[str, str, str]:
    """`[scheme:]name[:port]`; 400."""
    parts = name.split(":")
    scheme, port = "", ""
    if len(parts) == 3:
        scheme, found, port = parts
    elif len(parts) == 2:
        found, port = parts
    else:
        found = parts[0]
    if len(parts) > 3 or not found or scheme not in ("", "http", "https"):
        raise statuses.bad_request(f'invalid {resource.removesuffix("s")} request "{name}"')
    return scheme or "http", found, port


def _is_number(port: str) -> bool:
    return port.isascii() and port.isdigit() and len(port) <= _MOST_DIGITS


def _number(port: str) -> int:
    """A port by number, or by the name that the system knows it under; 503."""
    if _is_number(port) and 0 < int(port) < 65536:
        return int(port)
    try:
        return socket.getservbyname(port, "tcp")
    except (OSError, ValueError) as error:
        text = f"error trying to reach service: dial tcp: lookup tcp/{port}: unknown port"
        raise statuses.failure(503, "ServiceUnavailable", text) from error
