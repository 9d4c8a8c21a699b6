"""Where a pod's program listens."""

import pytest

from seatrial.sandbox.images.serving import listen_address, pod_address


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "[::]", "*"])
def test_everywhere_is_the_pods_own_address(host: str) -> None:
    """A program that wants to listen everywhere listens on its pod's address only: others have the same ports."""
    assert listen_address(host, {"SEATRIAL_POD_IP": "127.20.1.3"}) == "127.20.1.3"


def test_a_named_address_stays() -> None:
    """Who asks for an address gets that one."""
    assert listen_address("localhost", {"SEATRIAL_POD_IP": "127.20.1.3"}) == "localhost"


def test_outside_of_a_pod() -> None:
    """Without a pod it is the loopback address: never all of the machine's."""
    assert pod_address({}) == "127.0.0.1"
