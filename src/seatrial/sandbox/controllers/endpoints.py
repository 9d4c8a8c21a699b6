"""The Endpoints controller: a Service's addresses in the older form, one object of the Service's name.

Endpoints are deprecated in favour of EndpointSlices, and many clients still read them. Terminating pods are left out
here, unless the Service publishes addresses that aren't ready.
"""

from collections import defaultdict
from http import HTTPStatus
from typing import Final

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.objects import (
    annotations_of,
    is_ready,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    with_value,
)
from seatrial.sandbox.controllers.service_pods import (
    HEADLESS,
    TRIGGER_TIME,
    Ports,
    ServicePods,
    TriggerTimes,
    address_of,
    endpoint_of,
    ports_of,
    target_of,
)
from seatrial.sandbox.informer import Key, key_of
from seatrial.sandbox.work_queue import WorkQueue

_MANAGED_BY: Final = "endpoints.kubernetes.io/managed-by"
_OVER_CAPACITY: Final = "endpoints.kubernetes.io/over-capacity"
_MOST_ADDRESSES: Final = 1000
# One object holds all addresses: the larger it is, the longer it waits for more changes to be written with.
_LARGE: Final = 20
_PAUSE_SECONDS_PER_POD: Final = 0.001
_LONGEST_PAUSE_SECONDS: Final = 1.0
_WORKERS: Final = 5


class EndpointsController:
    """Keeps the Endpoints of every Service with a selector."""

    name = "endpoints-controller"

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._queue: WorkQueue[Key] = WorkQueue(self.name)
        self._found = ServicePods(context.informers)
        self._endpoints = context.informers.of("endpoints")
        self._times = TriggerTimes()
        self._sizes: dict[Key, int] = {}
        self._written: dict[Key, str] = {}
        self._found.services.add_handler(self._service_changed)
        self._found.pods.add_handler(self._pod_changed)
        self._endpoints.add_handler(self._endpoints_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._found.wait_synced()
        await self._endpoints.wait_synced()
        await self._queue.work(self._sync, workers=_WORKERS)

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        item = new or old
        if item is not None:
            self._queue.add(key_of(item))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and endpoint_of(old) == endpoint_of(new):
            return
        for pod in (old, new):
            for service in self._found.services_of(pod) if pod is not None else ():
                self._ask_for(key_of(service))

    def _ask_for(self, key: Key) -> None:
        size = self._sizes.get(key, 0)
        pause_seconds = min(size * _PAUSE_SECONDS_PER_POD, _LONGEST_PAUSE_SECONDS) if size > _LARGE else 0
        self._queue.add_after(key, pause_seconds)

    def _endpoints_changed(self, old: Object | None, new: Object | None) -> None:
        # Someone deleted or changed it: what it should be is worked out again.
        item = new or old
        if item is None or old is None or not labels_of(item).get(_MANAGED_BY):
            return
        if new is None or self._written.get(key_of(new)) != new["metadata"]["resourceVersion"]:
            self._ask_for(key_of(item))

    async def _sync(self, key: Key) -> None:
        service = self._found.services.get(*key)
        if service is None:
            await self._remove(key)
            return
        if not service["spec"].get("selector") or service["spec"].get("type") == "ExternalName":
            return
        pods = [pod for pod in self._found.pods_of(service) if address_of(pod)]
        self._sizes[key] = len(pods)
        await self._write(key, service, _subsets(service, pods), self._times.of(key, service, pods))

    async def _remove(self, key: Key) -> None:
        self._times.forget(key)
        self._sizes.pop(key, None)
        self._written.pop(key, None)
        known = self._endpoints.get(*key)
        if known is None or not labels_of(known).get(_MANAGED_BY):
            return
        try:
            await self._api.delete("endpoints", key[1], key[0])
        except ApiError as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise

    async def _write(self, key: Key, service: Object, subsets: list[Object], trigger: str | None) -> None:
        known = self._endpoints.get(*key)
        labels = {**labels_of(service), _MANAGED_BY: "endpoint-controller"}
        if service["spec"].get("clusterIP") == "None":
            labels[HEADLESS] = ""
        if known is not None and (known.get("subsets") or []) == subsets and labels_of(known) == labels:
            return
        body = known or {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": key[1], "namespace": key[0]}}
        annotations = {**annotations_of(body)}
        annotations.pop(TRIGGER_TIME, None)
        annotations.pop(_OVER_CAPACITY, None)
        if trigger is not None:
            annotations[TRIGGER_TIME] = trigger
        if self._sizes[key] > _MOST_ADDRESSES:
            annotations[_OVER_CAPACITY] = "truncated"
        body = with_value(body, ("metadata", "labels"), labels)
        body = with_value(body, ("metadata", "annotations"), annotations or None)
        body = with_value(body, ("subsets",), subsets or None)
        if known is None:
            written = await self._api.create("endpoints", body, key[0])
        else:
            written = await self._api.replace("endpoints", body)
        self._written[key] = written["metadata"]["resourceVersion"]


def _subsets(service: Object, pods: list[Object]) -> list[Object]:
    """Addresses grouped by the ports at which they answer, ready ones apart."""
    published = bool(service["spec"].get("publishNotReadyAddresses"))
    groups: dict[Ports, dict[str, list[Object]]] = defaultdict(lambda: defaultdict(list))
    for pod in pods[:_MOST_ADDRESSES]:
        if is_terminating(pod) and not published:
            continue
        field = "addresses" if published or is_ready(pod) else "notReadyAddresses"
        groups[ports_of(service, pod)][field].append(_address(service, pod))
    return [_subset(ports, groups[ports]) for ports in sorted(groups)]


def _subset(ports: Ports, addresses: dict[str, list[Object]]) -> Object:
    subset: Object = {
        field: sorted(addresses[field], key=lambda address: str(address["ip"]))
        for field in ("addresses", "notReadyAddresses")
        if addresses[field]
    }
    if ports:
        subset["ports"] = [
            {**({"name": name} if name else {}), "port": number, "protocol": protocol}
            for name, protocol, number in ports
        ]
    return subset


def _address(service: Object, pod: Object) -> Object:
    address: Object = {"ip": address_of(pod)}
    hostname = pod["spec"].get("hostname")
    if hostname and pod["spec"].get("subdomain") == name_of(service) and namespace_of(pod) == namespace_of(service):
        address["hostname"] = hostname
    if pod["spec"].get("nodeName"):
        address["nodeName"] = pod["spec"]["nodeName"]
    address["targetRef"] = target_of(pod)
    return address
