"""Ports below 1024, for a sandbox that runs as an ordinary user.

A pod may listen on port 80 and a Service usually does, but a stock Linux lets only privileged processes bind such a
port (`net.ipv4.ip_unprivileged_port_start`, see ip(7)). Where it is not allowed, everything in the sandbox agrees on
another one: port + 20000, so port 80 of a pod is found at 20080. Whoever listens and whoever connects asks here.
"""

import functools
import os
from pathlib import Path

SHIFT = 20000
_FIRST_UNPRIVILEGED_PORT_FILE = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_CAP_NET_BIND_SERVICE = 10  # bit number, capabilities(7)


def bindable(port: int) -> int:
    """The port to bind, or to connect to, for a port that a pod or a Service names."""
    return port if port == 0 or port >= first_bindable_port() else port + SHIFT


@functools.cache
def first_bindable_port() -> int:
    """The lowest port that this process may bind."""
    if _holds_net_bind_service():
        return 1
    try:
        return int(_FIRST_UNPRIVILEGED_PORT_FILE.read_text())
    except (OSError, ValueError):
        return 1024


def _holds_net_bind_service() -> bool:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return os.geteuid() == 0
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> _CAP_NET_BIND_SERVICE & 1)
