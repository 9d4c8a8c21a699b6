"""TLS as a kubeconfig configures it, and what is said when a certificate isn't trusted."""

import base64
import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from aiohttp import web

from seatrial.errors import ConfigurationError
from seatrial.kube import errors
from seatrial.kube.client import connect
from seatrial.kube.kubeconfig import Cluster
from seatrial.kube.tls import tls_context
from tests.kube.conftest import WriteKubeconfig
from tests.kube.fake_apiserver import FakeApiServer, serving

_VERSION = {"gitVersion": "v1.36.2"}


async def test_an_authority_that_isn_t_the_cluster_s_is_refused(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig
) -> None:
    """Nothing is sent to a server that can't be trusted, and it is said why."""
    other = base64.b64encode(trustme.CA().cert_pem.bytes()).decode()
    path = write_kubeconfig(server, cluster={"certificate-authority-data": other})
    async with await connect(kubeconfig=path) as client:
        with pytest.raises(errors.CertificateRejected) as refused:
            await client.version()
    assert "is not trusted" in refused.value.message
    assert server.url in refused.value.message
    assert "certificate-authority" in refused.value.hint
    assert server.sent == []


async def test_a_certificate_for_another_name_is_refused(write_kubeconfig: WriteKubeconfig) -> None:
    """The hint names the setting that helps when the address is right."""
    async with serving("kubernetes.example") as server:
        async with await connect(kubeconfig=write_kubeconfig(server)) as client:
            with pytest.raises(errors.CertificateRejected) as refused:
                await client.version()
        assert "tls-server-name" in refused.value.hint


async def test_tls_server_name_is_the_name_to_check(write_kubeconfig: WriteKubeconfig) -> None:
    """A cluster may be reached by an address that its certificate doesn't bear."""
    async with serving("kubernetes.example") as server:
        server.on("GET", "/version", _VERSION)
        path = write_kubeconfig(server, cluster={"tls-server-name": "kubernetes.example"})
        async with await connect(kubeconfig=path) as client:
            assert await client.version() == "v1.36.2"


async def test_checking_can_be_switched_off(server: FakeApiServer, write_kubeconfig: WriteKubeconfig) -> None:
    """`insecure-skip-tls-verify` does what it says."""
    server.on("GET", "/version", _VERSION)
    cluster = {"certificate-authority-data": None, "insecure-skip-tls-verify": True}
    async with await connect(kubeconfig=write_kubeconfig(server, cluster=cluster)) as client:
        assert await client.version() == "v1.36.2"


async def test_an_intermediate_authority_may_be_the_one_that_is_trusted(write_kubeconfig: WriteKubeconfig) -> None:
    """As with other Kubernetes clients; comments around the certificate don't matter."""
    async with serving() as server:
        root, server.authority = server.authority, server.authority.create_child_ca()
        await server.stop()
        await server.start()
        server.on("GET", "/version", _VERSION)
        assert root.cert_pem.bytes() != server.authority_pem
        bundle = "# die Behörde\n".encode() + server.authority_pem
        path = write_kubeconfig(server, cluster={"certificate-authority-data": base64.b64encode(bundle).decode()})
        async with await connect(kubeconfig=path) as client:
            assert await client.version() == "v1.36.2"


def test_authorities_without_key_identifiers_are_taken() -> None:
    """Python 3.13 refuses them by default, Go does not, and clusters have them."""
    authority = base64.b64encode(trustme.CA().cert_pem.bytes()).decode()
    context = tls_context(Cluster(certificate_authority_data=authority), None)
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


async def test_an_expired_certificate_is_said_to_be_expired(write_kubeconfig: WriteKubeconfig) -> None:
    """The reason and a hint that fits it."""
    server = FakeApiServer()
    expired = server.authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) - timedelta(days=1))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    expired.configure_cert(context)
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    server.port = runner.addresses[0][1]
    try:
        async with await connect(kubeconfig=write_kubeconfig(server)) as client:
            with pytest.raises(errors.CertificateRejected, match="expired") as refused:
                await client.version()
    finally:
        await runner.cleanup()
    assert "renewed" in refused.value.hint


async def test_https_to_a_plain_port_is_said(write_kubeconfig: WriteKubeconfig) -> None:
    """Something that doesn't speak TLS at all is a TLS problem, not a mystery."""
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        path = write_kubeconfig(f"https://127.0.0.1:{runner.addresses[0][1]}")
        async with await connect(kubeconfig=path) as client:
            with pytest.raises(errors.CertificateRejected, match="no TLS connection"):
                await client.version()
    finally:
        await runner.cleanup()


async def test_an_authority_that_is_no_certificate_is_refused(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig
) -> None:
    """A mistake in the kubeconfig is told as one."""
    path = write_kubeconfig(server, cluster={"certificate-authority-data": "AAAA"})
    async with await connect(kubeconfig=path) as client:
        with pytest.raises(ConfigurationError, match="not a PEM certificate"):
            await client.version()
