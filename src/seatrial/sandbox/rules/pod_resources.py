"""What a pod asks for in all, by the arithmetic of the Kubernetes documentation ("Sidecar Containers").

Containers and sidecars run side by side and add up; an ordinary init container runs alone, beside the sidecars
started before it, and counts where it asks for more than all of them; overhead comes on top; amounts given for the
pod as a whole replace the sum. The scheduler, quotas and limit ranges count with the same figures.
"""

from functools import lru_cache
from typing import Final, Literal

from seatrial.kube.quantity import Quantity, parse_quantity
from seatrial.sandbox.api import Object

Amounts = dict[str, Quantity]
Side = Literal["requests", "limits"]
_POD_LEVEL: Final = ("cpu", "memory", "hugepages-")


@lru_cache(maxsize=4096)
def quantity(text: str) -> Quantity:
    """A quantity; read once, since thousands of pods write the same few."""
    return parse_quantity(text)


def amounts_of(given: Object | None) -> Amounts:
    """A resource list as amounts."""
    return {name: quantity(str(text)) for name, text in (given or {}).items()}


def add(one: Quantity, other: Quantity) -> Quantity:
    """The sum, written in the family of the first that isn't zero."""
    return Quantity(one.value + other.value, one.format if one.value else other.format)


def subtract(one: Quantity, other: Quantity) -> Quantity:
    """The difference."""
    return Quantity(one.value - other.value, one.format if one.value else other.format)


def plus(one: Amounts, other: Amounts) -> Amounts:
    """The sum of two lists; what stands in one of them only is taken over."""
    total = dict(one)
    for name, amount in other.items():
        total[name] = add(total[name], amount) if name in total else amount
    return total


def at_least(one: Amounts, other: Amounts) -> Amounts:
    """The larger of each."""
    largest = dict(one)
    for name, amount in other.items():
        if name not in largest or largest[name].value < amount.value:
            largest[name] = amount
    return largest


def pod_amounts(spec: Object, side: Side) -> Amounts:
    """What a pod requests, or is limited to, in all."""
    running: Amounts = {}
    for container in spec.get("containers") or ():
        running = plus(running, _of_container(container, side))
    sidecars: Amounts = {}
    starting: Amounts = {}
    for container in spec.get("initContainers") or ():
        own = _of_container(container, side)
        if container.get("restartPolicy") == "Always":
            running = plus(running, own)
            sidecars = plus(sidecars, own)
            starting = at_least(starting, sidecars)
        else:
            starting = at_least(starting, plus(own, sidecars))
    total = at_least(running, starting) if starting else running
    whole = amounts_of((spec.get("resources") or {}).get(side))
    total |= {name: amount for name, amount in whole.items() if name.startswith(_POD_LEVEL)}
    return _with_overhead(total, spec, side)


def _of_container(container: Object, side: Side) -> Amounts:
    resources = container.get("resources")
    return amounts_of(resources.get(side)) if resources else {}


def _with_overhead(total: Amounts, spec: Object, side: Side) -> Amounts:
    overhead = spec.get("overhead")
    if not overhead:
        return total
    amounts = amounts_of(overhead)
    if side == "limits":
        # A limit that nobody set is no limit; overhead doesn't make one.
        amounts = {name: amount for name, amount in amounts.items() if name in total}
    return plus(total, amounts)
