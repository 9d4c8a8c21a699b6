"""Plain HTTPS to a sandbox, as its kubeconfig says: requests are sent and answers kept as they are."""

import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from yarl import URL

from seatrial.sandbox.timing import REALISTIC
from seatrial.testing import sandbox_cluster


@dataclass(frozen=True)
class Access:
    """An administrator's access to a cluster."""

    url: str
    token: str
    kubeconfig: Path
    tls: ssl.SSLContext
    session: aiohttp.ClientSession

    def at(self, path: str) -> URL:
        """The whole address of a path, with its escapes as they are."""
        return URL(self.url + path, encoded=True)

    async def call(self, method: str, path: str, body: Any = None, *, content: str = "application/json") -> Any:
        """The parsed answer of a request; None where there is no such thing."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": content}
        data = None if body is None else json.dumps(body).encode()
        async with self.session.request(
            method, self.at(path), headers=headers, data=data, skip_auto_headers=("User-Agent",)
        ) as answer:
            if answer.status == 404:
                return None
            return await answer.json(content_type=None)


@asynccontextmanager
async def access(kubeconfig: Path) -> AsyncIterator[Access]:
    """A session with the server that a kubeconfig names."""
    document = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    cluster = document["clusters"][0]["cluster"]
    tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls, limit=0)) as session:
        yield Access(cluster["server"], document["users"][0]["user"]["token"], kubeconfig, tls, session)


@asynccontextmanager
async def recorded_cluster() -> AsyncIterator[Access]:
    """Access to a fresh sandbox of the recordings' size and pace: node1, node2, node3, as slow as a real cluster."""
    async with sandbox_cluster(nodes=3, timing=REALISTIC) as cluster, access(cluster.kubeconfig) as made:
        yield made
