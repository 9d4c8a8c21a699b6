"""Amounts that containers are told of through the downward API."""

import pytest

from seatrial.sandbox.kubelet.resource_field import resource_field

CONTAINER = {"resources": {"limits": {"cpu": "250m"}, "requests": {"cpu": "125m", "memory": "32Mi"}}}
NODE = {"cpu": "2", "memory": "8Gi"}


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


def test_what_is_no_resource_is_refused() -> None:
    """A reference has to name limits or requests of something."""
    with pytest.raises(ValueError, match="Unsupported container resource: cpu"):
        resource_field(CONTAINER, {"resource": "cpu"}, allocatable=NODE)
