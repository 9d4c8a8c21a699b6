"""Watches over HTTP: clients that lag."""

import asyncio
import contextlib
import ssl

import pytest
from yarl import URL

from seatrial.sandbox.apiserver import watch_stream
from tests.sandbox.apiserver.conftest import ADMIN_TOKEN, Served

_CHANGES = 64
_CHANGE_BYTES = 500_000


async def test_a_client_that_stops_reading_is_cut_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watcher that reads nothing loses its connection; the server doesn't hold what it missed."""
    monkeypatch.setattr(watch_stream, "WRITE_PATIENCE_SECONDS", 0.2)
    url = URL(served.server.url)
    tls = ssl.create_default_context(cafile=str(served.authority.ca_file))
    reader, writer = await asyncio.open_connection(url.host, url.port, ssl=tls, limit=1024)
    head = f"GET /api/v1/configmaps?watch=1 HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n\r\n"
    writer.write(head.encode())
    assert (await reader.readline()).split()[1] == b"200"
    [subscription] = served.server._store._table("configmaps").subscriptions
    await served.api.create("configmaps", {"metadata": {"name": "large"}}, "default")
    for number in range(_CHANGES):
        data = {"data": {"text": f"{number:03}" + "x" * _CHANGE_BYTES}}
        await served.api.patch("configmaps", "large", "default", data)
    async with asyncio.timeout(20):
        while await subscription.next():
            pass
    assert subscription.closed
    writer.close()
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()
