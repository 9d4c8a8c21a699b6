"""The addresses of one sandbox: a /16 block of the loopback range.

Linux answers on the whole of 127.0.0.0/8 without any set-up, so every node, pod and Service of a sandbox has an
address of its own. Several sandboxes live side by side because each takes another block:

    127.N.0.1          the API server (whoever binds its port 6443 owns the block)
    127.N.0.11 ...     node 1 and on (kubelet)
    127.N.1.0/24 ...   the pods of node 1 and on
    127.N.128.0/17     cluster IPs of Services
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

API_SERVER_PORT = 6443
MAX_NODES = 126
_FIRST_BLOCK, _LAST_BLOCK = 16, 250
_NODE_OFFSET = 10


@dataclass(frozen=True)
class AddressBlock:
    """The block 127.`number`.0.0/16 and what lies where in it; nodes are counted from 1."""

    number: int

    @property
    def api_server(self) -> str:
        """The API server's address."""
        return f"127.{self.number}.0.1"

    @property
    def service_cidr(self) -> str:
        """The range of cluster IPs."""
        return f"127.{self.number}.128.0/17"

    def node(self, index: int) -> str:
        """The InternalIP of a node."""
        return f"127.{self.number}.0.{_NODE_OFFSET + _checked(index)}"

    def pod_cidr(self, index: int) -> str:
        """The range of addresses of a node's pods."""
        return f"127.{self.number}.{_checked(index)}.0/24"


def blocks(randomness: random.Random) -> Iterator[AddressBlock]:
    """All blocks in random order: sandboxes started at the same time rarely want the same one."""
    numbers = list(range(_FIRST_BLOCK, _LAST_BLOCK + 1))
    randomness.shuffle(numbers)
    return map(AddressBlock, numbers)


def _checked(index: int) -> int:
    if not 1 <= index <= MAX_NODES:
        raise ValueError(f"a sandbox has nodes 1 to {MAX_NODES}, not {index}")
    return index


def first_node_beside(address: str) -> str:
    """The address of the first node in the block that an address belongs to; the address itself outside of a block."""
    parts = address.split(".")
    return f"127.{parts[1]}.0.{_NODE_OFFSET + 1}" if len(parts) == 4 and parts[0] == "127" else address


def node_index_of(address: str) -> int:
    """The number of the node that an address belongs to, its own or a pod's; 0 for any other address."""
    parts = address.split(".")
    if len(parts) != 4 or parts[0] != "127" or not all(part.isdigit() for part in parts):
        return 0
    third, last = int(parts[2]), int(parts[3])
    index = last - _NODE_OFFSET if third == 0 else third
    return index if 1 <= index <= MAX_NODES else 0
