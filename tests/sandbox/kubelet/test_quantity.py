"""Amounts that containers ask for through the downward API."""

from decimal import Decimal

import pytest

from seatrial.sandbox.kubelet.quantity import parse_quantity, resource_field

CONTAINER = {"resources": {"limits": {"cpu": "250m"}, "requests": {"cpu": "125m", "memory": "32Mi"}}}
NODE = {"cpu": "2", "memory": "8Gi"}


@pytest.mark.parametrize(
    ("text", "value"),
    [("250m", Decimal("0.25")), ("1Ki", Decimal(1024)), ("2k", Decimal(2000)), ("1e3", Decimal(1000))],
)
def test_suffixes_are_understood(text: str, value: Decimal) -> None:
    """Decimal and binary ones, and exponents."""
    assert parse_quantity(text) == value


@pytest.mark.parametrize(
    ("resource", "divisor", "value"),
    [
        ("limits.cpu", "1", "1"),
        ("limits.cpu", "1m", "250"),
        ("requests.memory", "1Mi", "32"),
        ("limits.memory", "1Gi", "8"),
        ("requests.cpu", None, "1"),
    ],
)
def test_values_are_divided_and_rounded_up(resource: str, divisor: str | None, value: str) -> None:
    """A missing limit is what the node has."""
    assert resource_field(CONTAINER, {"resource": resource, "divisor": divisor}, allocatable=NODE) == value
