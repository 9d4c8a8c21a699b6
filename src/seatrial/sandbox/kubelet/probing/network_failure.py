"""What went wrong on a connection, in the words of Go's `net` and `net/http`, which a kubelet passes on.

`checks` tells them as the output of a probe; people and their tools look for these texts in events.
"""

import re
import ssl
from contextvars import ContextVar
from typing import Final

import aiohttp
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

_UNREADABLE: Final = "net/http: HTTP/1.x transport connection broken: malformed HTTP response"
_TLS_TO_PLAIN: Final = "http: server gave HTTP response to HTTPS client"
# The beginning of what came, as aiohttp quotes it.
_QUOTED: Final = re.compile(r"b(['\"])(?P<line>.*?)(\\r|\\n|\1)")
_local_address: ContextVar[str] = ContextVar("local_address", default="")


class RememberingConnector(aiohttp.TCPConnector):
    """Remembers, for the task that asks, which address of this side its last connection had."""

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout) -> Connection:  # noqa: ASYNC109 -- aiohttp's
        """Connect as always."""
        connection = await super().connect(req, traces, timeout)
        host, port = connection.transport.get_extra_info("sockname")[:2] if connection.transport else ("", 0)
        _local_address.set(f"{host}:{port}")
        return connection


def is_refused(error: OSError) -> bool:
    """Whether nobody listens there."""
    return isinstance(error, ConnectionRefusedError)


def dial_failure(host: str, port: int, error: OSError) -> str:
    """Why no connection came about."""
    if isinstance(error, ssl.SSLError):
        return _TLS_TO_PLAIN if error.reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"} else f"tls: {error}"
    what = "connection refused" if is_refused(error) else (error.strerror or str(error)).lower()
    return f"dial tcp {host}:{port}: connect: {what}"


def exchange_failure(host: str, port: int, error: Exception) -> str:
    """Why there was no answer on a connection of a `RememberingConnector`."""
    ends = f"{_local_address.get()}->{host}:{port}"
    match error:
        case ConnectionResetError() if not isinstance(error, aiohttp.ServerDisconnectedError):
            return f"read tcp {ends}: read: connection reset by peer"
        case BrokenPipeError():
            return f"write tcp {ends}: write: broken pipe"
        case aiohttp.ServerDisconnectedError():
            return "EOF"
        case aiohttp.ClientResponseError():
            found = _QUOTED.search(error.message)
            return f'{_UNREADABLE} "{found["line"]}"' if found else _UNREADABLE
        case OSError(strerror=str(reason)):
            return f"read tcp {ends}: read: {reason.lower()}"
        case _:
            return str(error) or "EOF"
