"""`resourceFieldRef` of the downward API: what a container asks for, told to the container itself."""

from decimal import ROUND_CEILING

from seatrial.sandbox.api import Object
from seatrial.sandbox.rules.pod_resources import quantity


def resource_field(container: Object, reference: Object, *, allocatable: Object) -> str:
    """The value of a `resourceFieldRef`, divided and rounded up; a missing limit is what the node has.

    Raises:
        ValueError: it names no resource.
    """
    kind, _, name = reference["resource"].partition(".")
    if kind not in {"limits", "requests"} or not name:
        raise ValueError(f"Unsupported container resource: {reference['resource']}")
    amounts = (container.get("resources") or {}).get(kind) or {}
    fallback = allocatable.get(name, "0") if kind == "limits" else "0"
    amount = quantity(str(amounts.get(name, fallback))).value
    divisor = quantity(str(reference.get("divisor") or "1")).value or 1
    return str(int((amount / divisor).to_integral_value(rounding=ROUND_CEILING)))
