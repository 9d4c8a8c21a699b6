"""aiohttp's TLS contexts: they cost nothing at import, and trust what they always trusted."""

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from aiohttp import ClientConnectorCertificateError, ClientSession, web
from aiohttp.test_utils import TestServer

from seatrial.kube.late_certificates import LateContext

_LOOK = """
import json, ssl, sys
from seatrial.kube.late_certificates import LateContext, aiohttp
late = [each for each in vars(aiohttp.connector).values() if isinstance(each, ssl.SSLContext)]
assert late and all(isinstance(each, LateContext) for each in late)
unread = [ssl.SSLContext.cert_store_stats(each)["x509_ca"] for each in late]
read = [each.cert_store_stats()["x509_ca"] for each in late]
another = ssl.create_default_context()
print(json.dumps([unread, read, type(another).__name__, another.cert_store_stats()["x509_ca"]]))
"""


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, Path]:
    authority = trustme.CA()
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return authority, file


def test_authorities_are_read_when_they_are_needed(authority):
    """Both of aiohttp's contexts are empty after the import, and full when asked; others' contexts are as ever."""
    done = subprocess.run(
        [sys.executable, "-c", _LOOK], env={**os.environ, "SSL_CERT_FILE": str(authority[1]), "SSL_CERT_DIR": ""},
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    unread, read, others, their_own = json.loads(done.stdout)
    assert (set(unread), set(read)) == ({0}, {1})
    assert (others, their_own) == ("SSLContext", 1)


@pytest.mark.parametrize("is_trusted", [True, False])
async def test_a_context_trusts_the_systems_authorities(authority, monkeypatch, tmp_path, is_trusted):
    """And nobody else: a server is verified by them, as by a context of Python's own."""
    ca, file = authority
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv("SSL_CERT_FILE", str(file if is_trusted else other))
    monkeypatch.setenv("SSL_CERT_DIR", "")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.__class__ = LateContext
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(tls)

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="fine")

    application = web.Application()
    application.router.add_get("/", answer)
    server = TestServer(application, scheme="https", host="localhost")
    await server.start_server(ssl=tls)
    try:
        async with ClientSession() as session:
            if is_trusted:
                async with session.get(server.make_url("/"), ssl=context) as response:
                    assert await response.text() == "fine"
            else:
                with pytest.raises(ClientConnectorCertificateError):
                    await session.get(server.make_url("/"), ssl=context)
    finally:
        await server.close()
