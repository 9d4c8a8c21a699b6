"""Addresses of a node's pods."""

import pytest

from seatrial.sandbox.kubelet.pod_addresses import NoAddressLeftError, PodAddresses


def test_each_pod_gets_another_address() -> None:
    """Until there is none left."""
    addresses = PodAddresses("127.20.1.0/29")
    taken = {addresses.take() for _ in range(6)}
    assert len(taken) == 6
    with pytest.raises(NoAddressLeftError):
        addresses.take()


def test_an_address_rests_before_it_is_used_again() -> None:
    """The one that was free longest comes first."""
    addresses = PodAddresses("127.20.1.0/29")
    first = addresses.take()
    addresses.release(first)
    assert addresses.take() != first


def test_addresses_of_an_earlier_life_are_not_handed_out() -> None:
    """Pods that a new kubelet finds keep theirs."""
    addresses = PodAddresses("127.20.1.0/30")
    addresses.reserve(["127.20.1.1"])
    assert addresses.take() == "127.20.1.2"
