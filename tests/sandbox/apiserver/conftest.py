"""A served API server, a local API, and clients for both."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from seatrial.sandbox.apiserver.local import LocalApi, local_api
from seatrial.sandbox.apiserver.server import ApiServer, ApiServerConfig, write_kubeconfig
from seatrial.sandbox.pki import Authority

ADMIN_TOKEN = "administrator"


@dataclass
class Served:
    """A server and how to reach it."""

    server: ApiServer
    authority: Authority
    session: aiohttp.ClientSession

    @property
    def api(self) -> LocalApi:
        """The server's own API, without HTTP."""
        return self.server.api


@pytest.fixture
def api() -> LocalApi:
    """An API that nobody serves."""
    return local_api()


@pytest.fixture
async def served(authority: Authority) -> AsyncIterator[Served]:
    """A server on a free port, and a client with the administrator's token."""
    config = ApiServerConfig("127.0.0.1", 0, authority.directory, "127.3.128.0/17", ADMIN_TOKEN)
    server = ApiServer(config, authority)
    await server.start()
    tls = ssl.create_default_context(cafile=str(authority.ca_file))
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    connector = aiohttp.TCPConnector(ssl=tls)
    try:
        async with aiohttp.ClientSession(server.url, connector=connector, headers=headers) as session:
            yield Served(server, authority, session)
    finally:
        await server.stop()


@pytest.fixture
def kubeconfig(served: Served, tmp_path: Path) -> Path:
    """A kubeconfig of an administrator with a client certificate."""
    path = tmp_path / "kubeconfig"
    credential = served.authority.issue_client("kubernetes-admin", ["system:masters"])
    write_kubeconfig(path, server=served.server.url, authority=served.authority, credential=credential)
    return path
