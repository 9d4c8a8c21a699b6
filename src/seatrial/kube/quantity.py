"""Resource quantities (`100m`, `1.5Gi`, `2e3`): read exactly, written in canonical form.

CPU, memory and storage amounts are texts in the API. Rules: Kubernetes documentation, "Quantity" in the API
reference: the canonical form has no fraction, the largest suffix that keeps the number whole, and keeps the
family of suffixes it was written in; amounts below a nano are rounded up, beyond 2^63-1 capped.
"""

import re
from decimal import ROUND_UP, Context, Decimal
from typing import Literal

import msgspec

from seatrial.errors import UsageError

Format = Literal["DecimalSI", "BinarySI", "DecimalExponent"]
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_SUFFIXES = {power: suffix for suffix, power in _BINARY.items()}
_DECIMAL_SUFFIXES = {power: suffix for suffix, power in _DECIMAL.items()}
_QUANTITY_RE = re.compile(
    r"\A(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))(?:(?P<binary>[KMGTPE]i)|[eE](?P<exponent>[+-]?\d{1,4})|(?P<decimal>[numkMGTPE]?))\Z",
    re.ASCII,
)
_MOST = Decimal(2**63 - 1)
_LEAST_PLACE = Decimal("1e-9")
_MOST_DIGITS = 400
# 400 digits and an exponent of four digits stay exact; the process-wide context would round at 28.
_EXACT = Context(prec=1000, Emax=20_000, Emin=-20_000)


class QuantityError(UsageError, ValueError):
    """A text that isn't a quantity; the message is the API server's."""


class Quantity(msgspec.Struct, frozen=True):
    """An amount, and the family of suffixes in which it is written."""

    value: Decimal
    format: Format = "DecimalSI"

    def __str__(self) -> str:
        """The canonical form, as the API server writes it."""
        if self.value == 0:
            return "0"
        if self.format == "BinarySI" and abs(self.value) >= 1024 and self.value == int(self.value):
            return _binary_text(int(self.value))
        number, power = _whole_number(self.value)
        if self.format == "DecimalExponent":
            return f"{number}e{power}" if power else str(number)
        return f"{number}{_DECIMAL_SUFFIXES[power]}"


def parse_quantity(text: str | float) -> Quantity:
    """Read a quantity; a JSON number is taken as its text.

    Raises:
        QuantityError: the text isn't a quantity.
    """
    found = _QUANTITY_RE.match(str(text)) if len(str(text)) <= _MOST_DIGITS else None
    if not found:
        raise QuantityError(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    number = _EXACT.create_decimal(found["number"])
    if found["binary"]:
        return Quantity(_bounded(_EXACT.multiply(number, 1024 ** _BINARY[found["binary"]])), "BinarySI")
    if found["exponent"]:
        return Quantity(_bounded(number.scaleb(int(found["exponent"]), _EXACT)), "DecimalExponent")
    return Quantity(_bounded(number.scaleb(_DECIMAL[found["decimal"]], _EXACT)), "DecimalSI")


def _bounded(value: Decimal) -> Decimal:
    if abs(value) >= _MOST:
        return _MOST.copy_sign(value)
    if value and abs(value) < _LEAST_PLACE:
        return _LEAST_PLACE.copy_sign(value)
    rounded = value.quantize(_LEAST_PLACE, rounding=ROUND_UP, context=_EXACT)
    return rounded.normalize(_EXACT)


def _binary_text(value: int) -> str:
    power = 0
    while value % 1024 == 0 and power < max(_BINARY_SUFFIXES):
        value //= 1024
        power += 1
    return f"{value}{_BINARY_SUFFIXES.get(power, '')}"


def _whole_number(value: Decimal) -> tuple[int, int]:
    """The value as (number, power of ten), the power a multiple of three and as large as it can be."""
    power = 18
    while power > -9 and value.scaleb(-power, _EXACT) % 1:
        power -= 3
    return int(value.scaleb(-power, _EXACT)), power
