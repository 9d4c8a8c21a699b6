"""Which pods stand behind a Service, at which ports: what Endpoints and EndpointSlices have in common.

A pod takes part as soon as it has an address and as long as it hasn't finished. Named target ports are looked up in
each pod, so pods of one Service may answer at different ports. Behaviour: Kubernetes documentation, "Service" and
"EndpointSlices".
"""

from collections.abc import Iterable, Iterator
from typing import Final

from seatrial.kube.selectors import LabelSelector
from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.objects import (
    BY_LABEL,
    by_label,
    condition,
    is_finished,
    label_key,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from seatrial.sandbox.informer import Informer, Key, SharedInformers
from seatrial.sandbox.timestamps import from_time, to_time

TRIGGER_TIME: Final = "endpoints.kubernetes.io/last-change-trigger-time"
HEADLESS: Final = "service.kubernetes.io/headless"
_BY_SELECTOR: Final = "selector"

Ports = tuple[tuple[str, str, int], ...]


def _by_selector(service: Object) -> Iterable[str]:
    """Index: one pair of the Service's selector; a pod that matches has this label, among others."""
    selector = service["spec"].get("selector")
    if not selector:
        return ()
    key, value = min(selector.items())
    return (label_key(namespace_of(service), key, value),)


class ServicePods:
    """Finds the pods of a Service and the Services of a pod, by index."""

    def __init__(self, informers: SharedInformers) -> None:
        self.services: Informer = informers.of("services")
        self.pods: Informer = informers.of("pods")
        self.services.add_index(_BY_SELECTOR, _by_selector)
        self.pods.add_index(BY_LABEL, by_label)

    async def wait_synced(self) -> None:
        """Wait for the first lists."""
        await self.services.wait_synced()
        await self.pods.wait_synced()

    def pods_of(self, service: Object) -> list[Object]:
        """The pods that the Service selects, by name."""
        selector = service["spec"].get("selector") or {}
        matcher = LabelSelector.from_labels(selector)
        candidates = (pod for entry in _by_selector(service) for pod in self.pods.indexed(BY_LABEL, entry))
        return sorted((pod for pod in candidates if matcher.matches(labels_of(pod))), key=name_of)

    def services_of(self, pod: Object) -> Iterator[Object]:
        """The Services that select the pod."""
        labels = labels_of(pod)
        for entry in by_label(pod):
            for service in self.services.indexed(_BY_SELECTOR, entry):
                if service["spec"]["selector"].items() <= labels.items():
                    yield service


def address_of(pod: Object) -> str | None:
    """The pod's address, if it may stand behind a Service."""
    address: str | None = None if is_finished(pod) else pod.get("status", {}).get("podIP")
    return address


def endpoint_of(pod: Object) -> Object:
    """What differs in a pod when Services have to know: compared to see whether a change matters."""
    ready = condition(pod, "Ready")
    return {
        "address": address_of(pod),
        "ready": ready is not None and ready["status"] == "True",
        "terminating": "deletionTimestamp" in pod["metadata"],
        "labels": labels_of(pod),
        "node": pod["spec"].get("nodeName"),
        "hostname": pod["spec"].get("hostname"),
        "subdomain": pod["spec"].get("subdomain"),
    }


def target_of(pod: Object) -> Object:
    """The reference by which an endpoint names its pod."""
    return {"kind": "Pod", "namespace": namespace_of(pod), "name": name_of(pod), "uid": uid_of(pod)}


def ports_of(service: Object, pod: Object) -> Ports:
    """(name, protocol, number) of each port at which the pod answers for the Service."""
    found = []
    for port in service["spec"].get("ports") or ():
        protocol = port.get("protocol", "TCP")
        number = _target_port(port, protocol, pod)
        if number is not None:
            found.append((port.get("name", ""), protocol, number))
    return tuple(found)


def _target_port(port: Object, protocol: str, pod: Object) -> int | None:
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target or int(port["port"])
    containers = [*pod["spec"]["containers"], *_sidecars(pod)]
    for container in containers:
        for entry in container.get("ports") or ():
            if entry.get("name") == target and entry.get("protocol", "TCP") == protocol:
                return int(entry["containerPort"])
    return None


def _sidecars(pod: Object) -> list[Object]:
    containers = pod["spec"].get("initContainers") or ()
    return [container for container in containers if container.get("restartPolicy") == "Always"]


class TriggerTimes:
    """When the change happened that a Service's endpoints are being written for.

    Clients measure with it how long a change takes to reach them. A pod's change counts from its Ready condition; a
    change that has no time of its own, such as a pod's end, gives none.
    """

    def __init__(self) -> None:
        self._seen: dict[Key, dict[str, tuple[str, str]]] = {}

    def of(self, key: Key, service: Object, pods: Iterable[Object]) -> str | None:
        """The earliest change since the last call for this Service."""
        before = self._seen.get(key)
        now = {uid_of(pod): moment for pod in pods if (moment := _changed_at(pod)) is not None}
        created = service["metadata"].get("creationTimestamp")
        if created:
            now["service"] = (created, "")
        self._seen[key] = now
        # Two changes of one second have the same time, but not the same outcome.
        fresh = [change[0] for what, change in now.items() if before is None or change != before.get(what)]
        return to_time(from_time(min(fresh))) if fresh else None

    def forget(self, key: Key) -> None:
        """The Service is gone."""
        self._seen.pop(key, None)


def _changed_at(pod: Object) -> tuple[str, str] | None:
    """When a pod became ready or stopped being so, and which."""
    ready = condition(pod, "Ready")
    return (ready["lastTransitionTime"], ready["status"]) if ready is not None else None
