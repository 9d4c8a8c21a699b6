"""What a pod has been given as a whole: the sums of its containers' requests and limits.

Kubernetes, "Sidecar Containers", resource sharing: init containers need what the greatest of them needs, sidecars
count beside the containers. A limit of the pod is known only where every container has one.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.quantity import format_quantity, parse_quantity


def pod_resources(spec: Object) -> Object:
    """The fields `resources` and `allocatedResources` of a pod's status."""
    own = spec.get("resources") or {}
    requests = {**_effective(spec, "requests"), **(own.get("requests") or {})}
    limits = {**_effective(spec, "limits"), **(own.get("limits") or {})}
    resources = {kind: amounts for kind, amounts in (("limits", limits), ("requests", requests)) if amounts}
    return {"resources": resources, **({"allocatedResources": requests} if requests else {})}


def _effective(spec: Object, kind: str) -> dict[str, str]:
    inits = spec.get("initContainers") or ()
    steady = [*spec["containers"], *(c for c in inits if c.get("restartPolicy") == "Always")]
    total = _sum([_amounts(container, kind) for container in steady])
    everywhere = set.intersection(*({*_amounts(container, kind)} for container in steady))
    running: list[Mapping[str, str]] = []
    for container in inits:
        if container.get("restartPolicy") == "Always":
            running.append(_amounts(container, kind))
            continue
        for name, amount in _sum([*running, _amounts(container, kind)]).items():
            if parse_quantity(amount) > parse_quantity(total.get(name, "0")):
                total[name] = amount
    return {name: amount for name, amount in total.items() if kind == "requests" or name in everywhere}


def _amounts(container: Object, kind: str) -> Mapping[str, str]:
    amounts: Mapping[str, str] = (container.get("resources") or {}).get(kind) or {}
    return amounts


def _sum(amounts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    total: dict[str, str] = {}
    for each in amounts:
        for name, amount in each.items():
            before = total.get(name)
            total[name] = amount if before is None else format_quantity(_add(before, amount), like=amount)
    return total


def _add(first: str, second: str) -> Decimal:
    return parse_quantity(first) + parse_quantity(second)
