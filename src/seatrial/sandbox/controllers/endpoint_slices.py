"""The EndpointSlice controller: who answers for a Service, in portions of at most a hundred.

Each slice holds endpoints that answer at the same ports. A change rewrites only the slices it touches, so one pod among
thousands costs one portion. A Service without a selector is left alone: whoever made it writes its slices.
The slices of a deleted Service go with it, by their owner reference.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.objects import (
    annotations_of,
    controller_reference,
    is_ready,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
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

_RESOURCE: Final = "endpointslices.discovery.k8s.io"
_MANAGED_BY: Final = "endpointslice.kubernetes.io/managed-by"
_CONTROLLER: Final = "endpointslice-controller.k8s.io"
SERVICE_NAME: Final = "kubernetes.io/service-name"
BY_SERVICE: Final = "service"
_PORTION: Final = 100
# Many pods change together, as in a rollout: the larger a Service, the longer it waits for more changes to go with one.
_LARGE: Final = 50
_PAUSE_SECONDS_PER_POD: Final = 0.0005
_LONGEST_PAUSE_SECONDS: Final = 0.5
_WORKERS: Final = 5


def by_service(item: Object) -> Iterable[str]:
    """Index: the Service whose endpoints a slice holds."""
    service = labels_of(item).get(SERVICE_NAME)
    return (f"{namespace_of(item)}/{service}",) if service else ()


class EndpointSliceController:
    """Keeps the EndpointSlices of every Service with a selector."""

    name = "endpointslice-controller"

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._queue: WorkQueue[Key] = WorkQueue(self.name)
        self._found = ServicePods(context.informers)
        self._slices = context.informers.of(_RESOURCE)
        self._nodes = context.informers.of("nodes")
        self._slices.add_index(BY_SERVICE, by_service)
        self._times = TriggerTimes()
        self._sizes: dict[Key, int] = {}
        # What was written and not yet seen back: acting on an older picture would write endpoints twice.
        self._written: dict[Key, dict[str, Object | None]] = defaultdict(dict)
        self._found.services.add_handler(self._service_changed)
        self._found.pods.add_handler(self._pod_changed)
        self._slices.add_handler(self._slice_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._found.wait_synced()
        await self._slices.wait_synced()
        await self._nodes.wait_synced()
        await self._queue.work(self._sync, workers=_WORKERS)

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        item = new or old
        if item is not None:
            self._queue.add(key_of(item))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and endpoint_of(old) == endpoint_of(new):
            return
        for pod in (old, new):
            if pod is not None:
                for service in self._found.services_of(pod):
                    self._ask_for(service)

    def _ask_for(self, service: Object) -> None:
        key = key_of(service)
        size = self._sizes.get(key, 0)
        pause_seconds = min(size * _PAUSE_SECONDS_PER_POD, _LONGEST_PAUSE_SECONDS) if size > _LARGE else 0
        self._queue.add_after(key, pause_seconds)

    def _slice_changed(self, old: Object | None, new: Object | None) -> None:
        item = new or old
        if item is None or labels_of(item).get(_MANAGED_BY) != _CONTROLLER:
            return
        key = (namespace_of(item), labels_of(item).get(SERVICE_NAME, ""))
        written = self._written.get(key, {})
        name = name_of(item)
        if name in written:
            expected = written[name]
            if expected is None and new is not None:
                return  # an older state than the deletion
            behind = _version(item) - _version(expected) if expected is not None else 0
            # One that is gone is told, after a new list, in the last state known here, however old that is.
            if behind < 0 and new is not None:
                return  # an older state than the one written
            del written[name]
            if not written:
                del self._written[key]
            if not behind:
                return  # what was written
        self._queue.add(key)

    async def _sync(self, key: Key) -> None:
        service = self._found.services.get(*key)
        if service is None:
            self._times.forget(key)
            self._written.pop(key, None)
            self._sizes.pop(key, None)
            return
        if not service["spec"].get("selector") or service["spec"].get("type") == "ExternalName":
            return
        pods = [pod for pod in self._found.pods_of(service) if address_of(pod)]
        self._sizes[key] = len(pods)
        wanted: dict[Ports, list[Object]] = defaultdict(list)
        for pod in pods:
            wanted[ports_of(service, pod)].append(self._endpoint(service, pod))
        plan = _Plan(self._existing(key))
        plan.fill(wanted)
        trigger = self._times.of(key, service, pods)
        await self._carry_out(key, service, plan, trigger)

    def _existing(self, key: Key) -> list[Object]:
        cached = {
            name_of(item): item
            for item in self._slices.indexed(BY_SERVICE, f"{key[0]}/{key[1]}")
            if labels_of(item).get(_MANAGED_BY) == _CONTROLLER
        }
        merged: dict[str, Object | None] = {**cached, **self._written.get(key, {})}
        return [item for item in merged.values() if item is not None and not is_terminating(item)]

    def _endpoint(self, service: Object, pod: Object) -> Object:
        ready, terminating = is_ready(pod), is_terminating(pod)
        published = bool(service["spec"].get("publishNotReadyAddresses"))
        endpoint: Object = {
            "addresses": [address_of(pod)],
            "conditions": {
                "ready": published or (ready and not terminating),
                "serving": ready,
                "terminating": terminating,
            },
            "targetRef": target_of(pod),
        }
        hostname, subdomain = pod["spec"].get("hostname"), pod["spec"].get("subdomain")
        if hostname and subdomain == name_of(service):
            endpoint["hostname"] = hostname
        node_name = pod["spec"].get("nodeName")
        if node_name:
            endpoint["nodeName"] = node_name
            node = self._nodes.get(None, node_name)
            zone = labels_of(node).get("topology.kubernetes.io/zone") if node is not None else None
            if zone:
                endpoint["zone"] = zone
        return endpoint

    async def _carry_out(self, key: Key, service: Object, plan: "_Plan", trigger: str | None) -> None:
        labels = _labels(service)
        for portion in plan.portions:
            if portion.existing is None:
                created = await self._api.create(_RESOURCE, _new_slice(service, labels, portion, trigger), key[0])
                self._remember(key, created)
            elif portion.changed or labels_of(portion.existing) != labels:
                body = _filled(portion.existing, portion, trigger)
                body = with_value(body, ("metadata", "labels"), labels)
                self._remember(key, await self._api.replace(_RESOURCE, body))
        for item in plan.superfluous:
            self._written[key][name_of(item)] = None
            try:
                await self._api.delete(_RESOURCE, name_of(item), key[0], uid=uid_of(item))
            except BaseException:
                self._written[key].pop(name_of(item), None)
                raise

    def _remember(self, key: Key, written: Object) -> None:
        cached = self._slices.get(key[0], name_of(written))
        if cached is None or _version(cached) < _version(written):
            self._written[key][name_of(written)] = written


def _version(item: Object) -> int:
    # Kubernetes allows resourceVersions of one resource to be compared as numbers since 1.35.
    return int(item["metadata"]["resourceVersion"])


class _Portion:
    """One slice as it should become."""

    def __init__(self, existing: Object | None, ports: Ports, endpoints: list[Object]) -> None:
        self.existing = existing
        self.ports = ports
        self.endpoints = endpoints
        self.changed = existing is None


class _Plan:
    """Fits wanted endpoints into existing slices with as few changes as can be."""

    def __init__(self, existing: list[Object]) -> None:
        self.portions: list[_Portion] = []
        self.superfluous: list[Object] = []
        self._unused = existing

    def fill(self, wanted: dict[Ports, list[Object]]) -> None:
        """Work out the slices for these endpoints; an empty Service keeps one empty slice."""
        for ports, endpoints in wanted.items():
            self._fill_ports(ports, endpoints)
        if not self.portions:
            kept = self._take_any()
            portion = _Portion(kept, (), [])
            portion.changed = kept is None or bool(kept.get("endpoints"))
            self.portions.append(portion)
        self.superfluous = self._unused

    def _fill_ports(self, ports: Ports, endpoints: list[Object]) -> None:
        waiting = {endpoint["targetRef"]["uid"]: endpoint for endpoint in endpoints}
        mine = [item for item in self._unused if _ports_in(item) == ports]
        portions = [self._refreshed(item, ports, waiting) for item in mine]
        self._unused = [item for item in self._unused if item not in mine]
        rest = list(waiting.values())
        for portion in portions:
            room = _PORTION - len(portion.endpoints)
            taken, rest = rest[:room], rest[room:]
            portion.endpoints.extend(taken)
            portion.changed = portion.changed or bool(taken)
        while rest:
            portion = _Portion(self._take_empty(), ports, rest[:_PORTION])
            portion.changed = True
            portions.append(portion)
            rest = rest[_PORTION:]
        self.portions.extend(portion for portion in portions if portion.endpoints)
        self._unused.extend(
            portion.existing for portion in portions if not portion.endpoints and portion.existing is not None
        )

    @staticmethod
    def _refreshed(item: Object, ports: Ports, waiting: dict[str, Object]) -> _Portion:
        """The slice with what is left of its endpoints, each in its newest form."""
        old = item.get("endpoints") or []
        kept = [
            found
            for endpoint in old
            if (found := waiting.pop((endpoint.get("targetRef") or {}).get("uid", ""), None)) is not None
        ]
        portion = _Portion(item, ports, kept)
        portion.changed = kept != old
        return portion

    def _take_empty(self) -> Object | None:
        for item in self._unused:
            if not item.get("endpoints"):
                self._unused.remove(item)
                return item
        return None

    def _take_any(self) -> Object | None:
        return self._unused.pop(0) if self._unused else None


def _ports_in(item: Object) -> Ports:
    return tuple((port.get("name", ""), port.get("protocol", "TCP"), port["port"]) for port in item.get("ports") or ())


def _filled(item: Object, portion: _Portion, trigger: str | None) -> Object:
    ports = [{"name": name, "protocol": protocol, "port": number} for name, protocol, number in portion.ports]
    annotations = {**annotations_of(item)}
    annotations.pop(TRIGGER_TIME, None)
    if trigger is not None:
        annotations[TRIGGER_TIME] = trigger
    filled = with_value(item, ("metadata", "annotations"), annotations or None)
    return {**filled, "endpoints": portion.endpoints or None, "ports": ports if portion.endpoints else None}


def _labels(service: Object) -> dict[str, str]:
    labels = {
        **labels_of(service),
        _MANAGED_BY: _CONTROLLER,
        SERVICE_NAME: name_of(service),
    }
    if service["spec"].get("clusterIP") == "None":
        labels[HEADLESS] = ""
    return labels


def _new_slice(service: Object, labels: dict[str, str], portion: _Portion, trigger: str | None) -> Object:
    body = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{name_of(service)}-",
            "namespace": namespace_of(service),
            "labels": labels,
            "ownerReferences": [controller_reference(service, api_version="v1", kind="Service")],
        },
        "addressType": "IPv4",
    }
    return _filled(body, portion, trigger)
