"""What the pods of a node have asked for, and what is left: the scheduler's book-keeping.

Amounts are kept in integers (millicores, bytes), worked out once per pod, since every placement asks every node.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Final

from seatrial.kube.quantity import parse_quantity
from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.objects import uid_of

_MILLI: Final = 1000
_PODS: Final = "pods"

HostPort = tuple[str, str, int]


@lru_cache(maxsize=1024)
def _amount(resource: str, text: str) -> int:
    value: Decimal = parse_quantity(text).value
    return int((value * _MILLI if resource == "cpu" else value).to_integral_value(rounding="ROUND_CEILING"))


@dataclass(frozen=True)
class Request:
    """What one pod asks of a node."""

    amounts: dict[str, int]
    host_ports: frozenset[HostPort]


def _requested(container: Object) -> dict[str, int]:
    resources = container.get("resources") or {}
    requests = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: _amount(name, str(text)) for name, text in requests.items()}


def request_of(pod: Object) -> Request:
    """Containers and sidecars together, or the largest init container where that is more, and the overhead."""
    spec = pod["spec"]
    together: dict[str, int] = {}
    largest: dict[str, int] = {}
    sidecars = [item for item in spec.get("initContainers") or () if item.get("restartPolicy") == "Always"]
    for container in [*spec["containers"], *sidecars]:
        for name, amount in _requested(container).items():
            together[name] = together.get(name, 0) + amount
    for container in spec.get("initContainers") or ():
        for name, amount in _requested(container).items():
            largest[name] = max(largest.get(name, 0), amount)
    amounts = {name: max(together.get(name, 0), largest.get(name, 0)) for name in together | largest}
    for name, text in (spec.get("overhead") or {}).items():
        amounts[name] = amounts.get(name, 0) + _amount(name, str(text))
    amounts[_PODS] = 1
    ports = frozenset(
        (port.get("hostIP", ""), port.get("protocol", "TCP"), int(port["hostPort"]))
        for container in [*spec["containers"], *sidecars]
        for port in container.get("ports") or ()
        if port.get("hostPort")
    )
    return Request(amounts, ports)


def allocatable(node: Object) -> dict[str, int]:
    """What a node has to give."""
    amounts = node.get("status", {}).get("allocatable") or {}
    return {name: _amount(name, str(text)) for name, text in amounts.items()}


@dataclass
class NodeRoom:
    """The pods on one node and the sum of what they asked for."""

    pods: dict[str, tuple[Object, Request]] = field(default_factory=dict)
    amounts: dict[str, int] = field(default_factory=dict)
    # Those that keep others away: few, and asked about at each placement.
    guarded: dict[str, Object] = field(default_factory=dict)

    def put(self, pod: Object) -> None:
        """Count a pod, or take its changed object."""
        self.remove(uid_of(pod))
        request = request_of(pod)
        self.pods[uid_of(pod)] = (pod, request)
        if (pod["spec"].get("affinity") or {}).get("podAntiAffinity"):
            self.guarded[uid_of(pod)] = pod
        for name, amount in request.amounts.items():
            self.amounts[name] = self.amounts.get(name, 0) + amount

    def remove(self, uid: str) -> bool:
        """Count a pod no longer; return whether it was counted."""
        known = self.pods.pop(uid, None)
        self.guarded.pop(uid, None)
        if known is None:
            return False
        for name, amount in known[1].amounts.items():
            self.amounts[name] -= amount
        return True

    def lacking(self, node: Object, request: Request) -> list[str]:
        """The resources of which too little is left."""
        have = allocatable(node)
        return [
            name
            for name, amount in request.amounts.items()
            if amount and (name in have or name != _PODS) and self.amounts.get(name, 0) + amount > have.get(name, 0)
        ]

    def ports_taken(self, request: Request) -> bool:
        """A host port that the pod wants is in use."""
        return any(
            _collide(wanted, taken)
            for wanted in request.host_ports
            for _, other in self.pods.values()
            for taken in other.host_ports
        )

    def load(self, node: Object, request: Request) -> float:
        """How full the node would be with the pod: the mean of its processors' and its memory's share."""
        have = allocatable(node)
        shares = [
            (self.amounts.get(name, 0) + request.amounts.get(name, 0)) / have[name]
            for name in ("cpu", "memory")
            if have.get(name)
        ]
        return sum(shares) / len(shares) if shares else 0.0


def _collide(one: HostPort, other: HostPort) -> bool:
    everywhere = {"", "0.0.0.0"}
    same_address = one[0] == other[0] or one[0] in everywhere or other[0] in everywhere
    return same_address and one[1:] == other[1:]
