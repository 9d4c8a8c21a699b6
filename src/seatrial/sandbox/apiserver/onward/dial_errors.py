"""What the API server says when it can't reach somebody: the words of Go's network library, which clients show."""

import errno
import ssl

import aiohttp

_WORDS = {
    errno.ECONNREFUSED: "connect: connection refused",
    errno.EHOSTUNREACH: "connect: no route to host",
    errno.ENETUNREACH: "connect: network is unreachable",
    errno.ECONNRESET: "read: connection reset by peer",
}


def dial_failure(error: BaseException, host: str, port: int) -> str:
    """Why a connection to an address could not be made."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"tls: failed to verify certificate: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorSSLError | ssl.SSLError):
        return f"tls: {error}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(inner, TimeoutError):
        return f"dial tcp {host}:{port}: i/o timeout"
    if isinstance(inner, OSError) and inner.errno is not None:
        words = _WORDS.get(inner.errno) or f"connect: {(inner.strerror or str(inner)).lower()}"
        if inner.errno == errno.ECONNRESET:
            return words
        return f"dial tcp {host}:{port}: {words}"
    return str(inner) or type(inner).__name__
