"""Smaller buffers for TLS connections: a sandbox has dozens of them, most of them idle watches.

asyncio gives each TLS connection a receive buffer of 256 KiB and writes zeros to all of it, ten megabytes in a sandbox
of four nodes, although a TLS record has 16 KiB at most (RFC 8446, section 5.1). asyncio has no setting for this, only
the class attribute that is set here; where a Python has none, nothing changes.
"""

from asyncio import sslproto
from typing import Final

_BYTES: Final = 17 * 1024


def shrink_tls_buffers() -> None:
    """Let TLS connections of this process, and of those that it forks, have a buffer of one record."""
    if hasattr(sslproto.SSLProtocol, "max_size"):
        sslproto.SSLProtocol.max_size = _BYTES
