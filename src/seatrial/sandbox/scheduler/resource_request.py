"""What a pod asks of a node, in whole numbers: millicores, bytes, pieces; and its host ports."""

from dataclasses import dataclass
from typing import Final

from seatrial.kube.quantity import Quantity
from seatrial.sandbox.api import Object
from seatrial.sandbox.rules.pod_resources import amounts_of, pod_amounts

PODS: Final = "pods"
_MILLI: Final = 1000
# What a container that asks for nothing is taken to use when nodes are compared.
_ASSUMED: Final = {"cpu": 100, "memory": 200 * 1024 * 1024}
_EVERYWHERE: Final = frozenset({"", "0.0.0.0"})

HostPort = tuple[str, str, int]
Sums = dict[str, int]


@dataclass(frozen=True, slots=True)
class ResourceRequest:
    """What one pod asks of a node.

    Args:
        amounts: resource -> how much of it, `pods` included.
        assumed: cpu and memory as they count when nodes are compared.
        host_ports: address, protocol and number of the node's ports that it wants.
    """

    amounts: Sums
    assumed: Sums
    host_ports: frozenset[HostPort]


def whole(name: str, amount: Quantity) -> int:
    """An amount in its resource's unit, rounded up."""
    value = amount.value * _MILLI if name == "cpu" else amount.value
    return int(value.to_integral_value(rounding="ROUND_CEILING"))


def request_of(pod: Object) -> ResourceRequest:
    """What a pod asks for."""
    spec = pod["spec"]
    amounts = {name: whole(name, amount) for name, amount in pod_amounts(spec, "requests").items()}
    assumed = {name: amounts.get(name, 0) + _unstated(spec, name) for name in _ASSUMED}
    sidecars = [item for item in spec.get("initContainers") or () if item.get("restartPolicy") == "Always"]
    ports = frozenset(
        (port.get("hostIP", ""), port.get("protocol", "TCP"), int(port["hostPort"]))
        for container in (*spec["containers"], *sidecars)
        for port in container.get("ports") or ()
        if port.get("hostPort")
    )
    return ResourceRequest({**amounts, PODS: 1}, assumed, ports)


def _unstated(spec: Object, name: str) -> int:
    if name in ((spec.get("resources") or {}).get("requests") or {}):
        return 0
    stated = (((item.get("resources") or {}).get("requests") or {}) for item in spec["containers"])
    return _ASSUMED[name] * sum(name not in requests for requests in stated)


def allocatable_of(node: Object) -> Sums:
    """What a node has to give."""
    amounts = amounts_of((node.get("status") or {}).get("allocatable"))
    return {name: whole(name, amount) for name, amount in amounts.items()}


def collide(one: HostPort, other: HostPort) -> bool:
    """Both can't be had on one node."""
    same_address = one[0] == other[0] or one[0] in _EVERYWHERE or other[0] in _EVERYWHERE
    return same_address and one[1:] == other[1:]
