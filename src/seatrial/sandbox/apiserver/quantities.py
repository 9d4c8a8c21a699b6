"""Amounts such as `500m` and `1Gi`: their exact value, and the form in which Kubernetes writes them back."""

import re
from decimal import Decimal

_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1), "k": Decimal(10**3),
    "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}  # fmt: skip
_FORM = re.compile(r"^([+-]?[0-9.]+)((?:[eE][+-]?\d+)|[numkKMGTPE]i?|)$")


def value_of(text: str) -> Decimal:
    """The exact value; ValueError when the text is no quantity."""
    match = _FORM.match(text)
    if match is None:
        raise ValueError(text)
    number, suffix = Decimal(match.group(1)), match.group(2)
    if suffix[:1] in ("e", "E") and len(suffix) > 1:
        return number * Decimal(10) ** int(suffix[1:])
    return number * _SUFFIXES[suffix]


def canonical(text: str) -> str:
    """The text with the largest suffix that leaves a whole number, keeping its family (decimal or binary)."""
    match = _FORM.match(text)
    if match is None or match.group(2)[:1] == "e":
        return text
    value = value_of(text)
    if value == 0:
        return "0"
    suffix = match.group(2)
    binary = suffix.endswith("i")
    family = ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki", "") if binary else ("E", "P", "T", "G", "M", "k", "", "m", "u", "n")
    for candidate in family:
        scaled = value / _SUFFIXES[candidate]
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}{candidate}"
    return text
