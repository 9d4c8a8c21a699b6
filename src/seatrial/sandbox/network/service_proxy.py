"""The service proxy: cluster IPs that answer, as kube-proxy makes them.

Every Service's cluster IP and TCP port is listened on, and each connection is carried to one of the Service's
endpoints, chosen at random as the iptables mode does (or by client address, where the Service asks for that). A Service
without endpoints isn't listened on, so connecting is refused. An endpoint that doesn't answer costs the client its
connection (a reset): there is no second try that would hide a fault. Changes count for new connections; those that
stand stay where they are. The endpoint sees the client's own address. Between zones that are parted, connections
fall silent (`control.partitions`).

What `run` has set up stays when it is cancelled, as the kernel's rules stay when kube-proxy dies: routes then go stale
until it runs again. `close` takes them down.

Without privileges, ports below 1024 are shifted on both sides (`low_ports.py`). NodePorts and UDP are not carried.
Behaviour: Kubernetes documentation, "Virtual IPs and Service Proxies".
"""

import asyncio
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import structlog

from seatrial.sandbox.api import Api, Object
from seatrial.sandbox.control.partitions import Partitions
from seatrial.sandbox.controllers.endpoint_slices import BY_SERVICE, SERVICE_NAME, by_service
from seatrial.sandbox.controllers.objects import labels_of, namespace_of
from seatrial.sandbox.informer import Informer, Key, key_of
from seatrial.sandbox.network.listener import Listener
from seatrial.sandbox.network.low_ports import bindable
from seatrial.sandbox.network.relay import ClientSide
from seatrial.sandbox.work_queue import WorkQueue

Address = tuple[str, int]

_AFFINITY_SECONDS: Final = 10800.0
_BIND_AGAIN_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


@dataclass
class _Balancer:
    """Where the connections of one Service port go."""

    endpoints: list[Address] = field(default_factory=list)
    affinity_seconds: float | None = None
    _stuck_to: dict[str, tuple[Address, float]] = field(default_factory=dict)
    _random: random.Random = field(default_factory=random.Random)

    def choose(self, client: str, now: float) -> Address | None:
        """An endpoint for a client's new connection."""
        if not self.endpoints:
            return None
        if self.affinity_seconds is None:
            return self._random.choice(self.endpoints)
        endpoint, last = self._stuck_to.get(client, (None, 0.0))
        if endpoint not in self.endpoints or now - last > self.affinity_seconds:
            endpoint = self._random.choice(self.endpoints)
        if endpoint is not None:
            self._stuck_to[client] = (endpoint, now)
        return endpoint

    def update(self, endpoints: list[Address], affinity_seconds: float | None) -> None:
        """Take the Service's newest endpoints and affinity."""
        self.endpoints = endpoints
        self.affinity_seconds = affinity_seconds
        self._stuck_to = {
            client: (endpoint, last)
            for client, (endpoint, last) in self._stuck_to.items()
            if affinity_seconds is not None and endpoint in endpoints
        }


class _Port(NamedTuple):
    listener: Listener
    balancer: _Balancer


class ServiceProxy:
    """Listens for every Service.

    Args:
        api: the API server.
        partitions: which zones can't reach each other.
    """

    def __init__(self, api: Api, *, partitions: Partitions) -> None:
        self._api = api
        self._partitions = partitions
        self._ports: dict[Key, dict[Address, _Port]] = {}
        self._clients: set[ClientSide] = set()
        self._read_anew()
        partitions.on_change(self._hold_what_is_cut)

    def _read_anew(self) -> None:
        self._services = Informer(self._api, "services")
        self._slices = Informer(self._api, "endpointslices.discovery.k8s.io", indexers={BY_SERVICE: by_service})
        self._queue: WorkQueue[Key] = WorkQueue("service-proxy")
        self._services.add_handler(self._service_changed)
        self._slices.add_handler(self._slice_changed)

    async def run(self) -> None:
        """Follow Services and endpoints until cancelled; connections are carried from then on, too."""
        self._read_anew()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._services.run())
            group.create_task(self._slices.run())
            await self._services.wait_synced()
            await self._slices.wait_synced()
            for key in self._ports:
                # What went while nobody looked.
                self._queue.add(key)
            group.create_task(self._queue.work(self._sync))

    def close(self) -> None:
        """Listen no more and end every connection."""
        for key in list(self._ports):
            self._close(key, self._ports[key])
        for client in list(self._clients):
            client.abort()

    def _hold_what_is_cut(self) -> None:
        for client in self._clients:
            if client.ends is None:
                continue
            if self._partitions.is_cut_between(*client.ends):
                client.hold_both()
            else:
                client.release_both()

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        item = new or old
        if item is not None:
            self._queue.add(key_of(item))

    def _slice_changed(self, old: Object | None, new: Object | None) -> None:
        for item in (old, new):
            service = labels_of(item).get(SERVICE_NAME) if item is not None else None
            if item is not None and service:
                self._queue.add((namespace_of(item), service))

    async def _sync(self, key: Key) -> None:
        service = self._services.get(*key)
        wanted = dict(self._wanted(key, service)) if service is not None else {}
        present = self._ports.setdefault(key, {})
        self._close(key, {address: present[address] for address in present if address not in wanted})
        affinity_seconds = _affinity_seconds(service) if service is not None else None
        for address, endpoints in wanted.items():
            port = present.get(address) or self._listen(key, address)
            if port is not None:
                present[address] = port
                port.balancer.update(endpoints, affinity_seconds)
        if not present:
            del self._ports[key]

    def _wanted(self, key: Key, service: Object) -> Iterator[tuple[Address, list[Address]]]:
        """Each address to listen on, with the endpoints behind it."""
        cluster_ip = service["spec"].get("clusterIP")
        if not cluster_ip or cluster_ip == "None" or service["spec"].get("type") == "ExternalName":
            return
        slices = self._slices.indexed(BY_SERVICE, f"{key[0]}/{key[1]}")
        for port in service["spec"].get("ports") or ():
            if port.get("protocol", "TCP") != "TCP":
                continue
            endpoints = _endpoints(slices, port.get("name", ""))
            if endpoints:
                yield (cluster_ip, bindable(port["port"])), endpoints

    def _listen(self, key: Key, address: Address) -> _Port | None:
        balancer = _Balancer()
        loop = asyncio.get_running_loop()

        def accept() -> ClientSide:
            return ClientSide(
                choose=lambda client: balancer.choose(client, loop.time()),
                passage=self._partitions.passage_between,
                open_sides=self._clients,
            )

        try:
            return _Port(Listener(address, accept=accept), balancer)
        except OSError as error:
            _log.warning("a Service can't be listened on", service="/".join(key), address=address, error=str(error))
            self._queue.add_after(key, _BIND_AGAIN_SECONDS)
            return None

    def _close(self, key: Key, ports: dict[Address, _Port]) -> None:
        for address, port in list(ports.items()):
            port.listener.close()
            # Whoever was accepted a moment ago is turned away as well.
            port.balancer.update([], None)
            self._ports[key].pop(address, None)


def _endpoints(slices: Iterable[Object], port_name: str) -> list[Address]:
    """The addresses that take connections: ready ones, or, if all are on their way out, those that still serve."""
    ready: list[Address] = []
    leaving: list[Address] = []
    for item in slices:
        numbers = [
            port["port"]
            for port in item.get("ports") or ()
            if (port.get("name") or "") == port_name and port.get("protocol", "TCP") == "TCP"
        ]
        for endpoint in item.get("endpoints") or ():
            conditions = endpoint.get("conditions") or {}
            addresses = [(endpoint["addresses"][0], bindable(number)) for number in numbers]
            if conditions.get("ready", True):
                ready.extend(addresses)
            elif conditions.get("serving") and conditions.get("terminating"):
                leaving.extend(addresses)
    return sorted(set(ready or leaving))


def _affinity_seconds(service: Object) -> float | None:
    if service["spec"].get("sessionAffinity") != "ClientIP":
        return None
    config = (service["spec"].get("sessionAffinityConfig") or {}).get("clientIP") or {}
    return float(config.get("timeoutSeconds", _AFFINITY_SECONDS))
