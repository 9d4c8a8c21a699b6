"""The addresses of a node's pods: each pod has one of the node's range for itself."""

import ipaddress
from collections.abc import Iterable


class NoAddressLeftError(Exception):
    """Every address of the node's range is taken."""


class PodAddresses:
    """Hands out addresses, the one that was free longest first, so that a dead pod's is not met again soon.

    Args:
        cidr: the node's range, such as `127.20.1.0/24`.
    """

    def __init__(self, cidr: str) -> None:
        hosts = ipaddress.ip_network(cidr).hosts()
        self._free = {str(host): None for host in hosts}

    def take(self) -> str:
        """A free address.

        Raises:
            NoAddressLeftError: there is none.
        """
        for address in self._free:
            del self._free[address]
            return address
        raise NoAddressLeftError("no address left in the node's range")

    def reserve(self, addresses: Iterable[str]) -> None:
        """Take these, which pods have from an earlier life of the kubelet."""
        for address in addresses:
            self._free.pop(address, None)

    def release(self, address: str) -> None:
        """Give one back."""
        if address:
            self._free[address] = None
