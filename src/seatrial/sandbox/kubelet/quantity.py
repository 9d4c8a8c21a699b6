"""The resource amounts that containers may ask for through `resourceFieldRef`."""

from decimal import ROUND_CEILING, Decimal
from typing import Final

from seatrial.sandbox.api import Object

_SUFFIXES: Final = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(1000),
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
    "Ei": Decimal(2) ** 60,
}


def parse_quantity(text: str) -> Decimal:
    """The number that a quantity such as `250m` or `64Mi` stands for."""
    number = text.rstrip("numkKMGTPEi")
    # The E of 1E3 is a power of ten, that of 1E is exa: what follows tells them apart, and rstrip does that.
    return Decimal(number) * _SUFFIXES[text[len(number) :]]


def resource_field(container: Object, reference: Object, *, allocatable: Object) -> str:
    """The value of a `resourceFieldRef`, divided and rounded up; a missing limit is what the node has.

    Raises:
        ValueError: it names no resource.
    """
    kind, _, name = reference["resource"].partition(".")
    if kind not in {"limits", "requests"} or not name:
        raise ValueError(f"Unsupported container resource: {reference['resource']}")
    resources = container.get("resources") or {}
    amounts = resources.get(kind) or {}
    fallback = allocatable.get(name, "0") if kind == "limits" else "0"
    amount = parse_quantity(str(amounts.get(name, fallback)))
    divisor = parse_quantity(str(reference.get("divisor") or "1")) or Decimal(1)
    return str((amount / divisor).to_integral_value(rounding=ROUND_CEILING))


def format_quantity(amount: Decimal, *, like: str) -> str:
    """A number as a quantity, in the way of another one: with powers of two where that one has them."""
    if like.endswith("i"):
        for suffix in ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki"):
            if amount and amount % _SUFFIXES[suffix] == 0:
                return f"{int(amount / _SUFFIXES[suffix])}{suffix}"
    if amount == amount.to_integral_value():
        return str(int(amount))
    return f"{int((amount * 1000).to_integral_value(rounding=ROUND_CEILING))}m"
