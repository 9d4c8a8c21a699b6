"""Which endpoint of a pod is asked to see its latency."""

import pytest

from seatrial.steps.clone.toxiproxy.latency import endpoint_to_ask
from tests.steps.clone.conftest import container


def probe(**http):
    return {"httpGet": {"port": 8080, "path": "/healthz", **http}}


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"readinessProbe": probe()}, "GET :8080/healthz"),
        ({"livenessProbe": probe(port="http")}, "GET :8080/healthz"),
        ({"startupProbe": probe(path="ready?full=1")}, "GET :8080/ready?full=1"),
        ({"readinessProbe": probe(port=9090), "livenessProbe": probe()}, "GET :8080/healthz"),
        ({"readinessProbe": probe(port="nobody")}, None),
        ({"readinessProbe": {"tcpSocket": {"port": 8080}}}, None),
        ({}, None),
    ],
)
def test_it_is_one_that_the_kubelet_asks(fields, asked):
    """By HTTP, on a port that has toxics: an endpoint that is made to be asked, and no other."""
    found = endpoint_to_ask({"containers": [container(**fields)]}, {8080})
    assert (None if found is None else str(found)) == asked


def test_a_probe_over_tls_is_asked_over_tls():
    """As the kubelet does."""
    found = endpoint_to_ask({"containers": [container(readinessProbe=probe(scheme="HTTPS"))]}, {8080})
    assert found.scheme == "https"
