"""What a pod has been given as a whole, as its status tells it.

The sums are those that the scheduler counts with (`sandbox.pod_resources`), without overhead. A limit of the pod is
known only where every container has one, or where it is set for the pod itself.
"""

from seatrial.sandbox.api import Object
from seatrial.sandbox.rules.pod_resources import Side, pod_amounts


def pod_resources(spec: Object) -> Object:
    """The fields `resources` and `allocatedResources` of a pod's status."""
    own = spec.get("resources") or {}
    limited = _limited_everywhere(spec) | {*(own.get("limits") or ())}
    limits = {name: amount for name, amount in _given(spec, "limits").items() if name in limited}
    requests = _given(spec, "requests")
    resources = {kind: amounts for kind, amounts in (("limits", limits), ("requests", requests)) if amounts}
    return {"resources": resources, **({"allocatedResources": requests} if requests else {})}


def _given(spec: Object, side: Side) -> dict[str, str]:
    return {name: str(amount) for name, amount in pod_amounts({**spec, "overhead": None}, side).items()}


def _limited_everywhere(spec: Object) -> set[str]:
    """The resources of which every container that runs beside others has a limit."""
    sidecars = (c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always")
    limits = ((container.get("resources") or {}).get("limits") or () for container in (*spec["containers"], *sidecars))
    return set.intersection(*map(set, limits))
