"""What pods ask for in all: containers, init containers, sidecars, overhead, amounts for the whole pod."""

from typing import Any

import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.rules.pod_resources import pod_amounts


def container(cpu: str, **more: Any) -> Object:
    """A container that asks for so much CPU."""
    return {"name": "c", "resources": {"requests": {"cpu": cpu}, "limits": {"cpu": cpu}}, **more}


def sidecar(cpu: str) -> Object:
    """An init container that stays."""
    return container(cpu, restartPolicy="Always")


@pytest.mark.parametrize(
    ("spec", "total"),
    [
        ({"containers": [container("100m"), container("200m")]}, "300m"),
        ({"containers": [container("100m")], "initContainers": [container("500m")]}, "500m"),
        ({"containers": [container("400m")], "initContainers": [container("300m"), container("200m")]}, "400m"),
        ({"containers": [container("100m")], "initContainers": [sidecar("300m")]}, "400m"),
        ({"containers": [container("100m")], "initContainers": [sidecar("300m"), container("200m")]}, "500m"),
        ({"containers": [container("100m")], "initContainers": [container("200m"), sidecar("300m")]}, "400m"),
        ({"containers": [container("100m")], "overhead": {"cpu": "50m"}}, "150m"),
        ({"containers": [container("100m")], "resources": {"requests": {"cpu": "1"}}}, "1"),
    ],
)
def test_requests_add_up(spec: Object, total: str) -> None:
    """As they are needed at the same time."""
    assert str(pod_amounts(spec, "requests")["cpu"]) == total


def test_overhead_makes_no_limit() -> None:
    """It raises limits that are set, and sets none."""
    spec = {"containers": [container("100m")], "overhead": {"cpu": "50m", "memory": "1Mi"}}
    assert {name: str(amount) for name, amount in pod_amounts(spec, "limits").items()} == {"cpu": "150m"}


def test_sums_keep_their_family() -> None:
    """Binary amounts stay binary."""
    containers = [{"name": name, "resources": {"requests": {"memory": "64Mi"}}} for name in ("a", "b")]
    assert str(pod_amounts({"containers": containers}, "requests")["memory"]) == "128Mi"
