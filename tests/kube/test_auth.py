"""Who we are: each way of a kubeconfig to say it, seen from the server."""

import base64
import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from seatrial.errors import ConfigurationError
from seatrial.kube import errors
from seatrial.kube.access import IN_CLUSTER_DIRECTORY, in_cluster_access
from seatrial.kube.client import connect
from tests.kube.conftest import WriteKubeconfig
from tests.kube.fake_apiserver import FakeApiServer, answer, serving, status

_VERSION = {"gitVersion": "v1.36.2"}


async def _authorization(server: FakeApiServer, kubeconfig: Path) -> str | None:
    server.on("GET", "/version", _VERSION)
    async with await connect(kubeconfig=kubeconfig) as client:
        assert await client.version() == "v1.36.2"
    return server.sent[-1].headers.get("Authorization")


async def test_a_token_is_sent(server: FakeApiServer, write_kubeconfig: WriteKubeconfig) -> None:
    """As a bearer token."""
    assert await _authorization(server, write_kubeconfig(server, user={"token": "abc"})) == "Bearer abc"


async def test_a_name_and_password_are_sent(server: FakeApiServer, write_kubeconfig: WriteKubeconfig) -> None:
    """As basic authentication."""
    path = write_kubeconfig(server, user={"username": "me", "password": "pä:ss"})
    assert await _authorization(server, path) == "Basic " + base64.b64encode("me:pä:ss".encode()).decode()


async def test_nothing_is_sent_where_there_is_nothing(server: FakeApiServer, write_kubeconfig: WriteKubeconfig) -> None:
    """An anonymous user has no header."""
    assert await _authorization(server, write_kubeconfig(server, user={})) is None


async def test_another_user_is_impersonated(server: FakeApiServer, write_kubeconfig: WriteKubeconfig) -> None:
    """`as`, its groups and extras go along as headers, repeated where there are several."""
    received: list[web.Request] = []

    async def version(request: web.Request) -> web.StreamResponse:
        received.append(request)
        return answer(_VERSION)

    server.on("GET", "/version", version)
    user = {"token": "abc", "as": "bob", "as-uid": "7", "as-groups": ["a", "b"], "as-user-extra": {"a/b": ["x"]}}
    async with await connect(kubeconfig=write_kubeconfig(server, user=user)) as client:
        await client.version()
    headers = received[0].headers
    assert (headers["Impersonate-User"], headers["Impersonate-Uid"]) == ("bob", "7")
    assert headers.getall("Impersonate-Group") == ["a", "b"]
    assert headers["Impersonate-Extra-a%2Fb"] == "x"


async def test_a_rotated_token_file_is_read_again(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, tmp_path: Path
) -> None:
    """Kubernetes replaces a pod's token by another file about each hour; a file gone for a moment does no harm."""
    token = tmp_path / "token"
    token.write_text("first\n")
    server.on("GET", "/version", _VERSION)
    async with await connect(kubeconfig=write_kubeconfig(server, user={"tokenFile": str(token)})) as client:
        await client.version()
        token.unlink()
        await client.version()
        (tmp_path / "new").write_text("second")
        (tmp_path / "new").rename(token)
        await client.version()
    assert [sent.headers["Authorization"] for sent in server.sent] == ["Bearer first"] * 2 + ["Bearer second"]


async def test_a_refused_token_file_is_read_once_more(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, tmp_path: Path
) -> None:
    """When a token ends just as it is replaced, the call goes on with the other one."""
    token = tmp_path / "token"
    token.write_text("old")

    async def version(request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] == "Bearer new":
            return answer(_VERSION)
        before = token.stat()
        token.write_text("new")
        os.utime(token, ns=(before.st_atime_ns, before.st_mtime_ns))
        return answer(status(401, "Unauthorized"))

    server.on("GET", "/version", version)
    async with await connect(kubeconfig=write_kubeconfig(server, user={"tokenFile": str(token)})) as client:
        assert await client.version() == "v1.36.2"


async def test_a_refused_token_is_an_error_at_once(server: FakeApiServer, write_kubeconfig: WriteKubeconfig) -> None:
    """A token that stands in the kubeconfig won't get better by asking again; and it isn't shown."""
    server.on("GET", "/version", status(401, "Unauthorized", "Unauthorized"))
    async with await connect(kubeconfig=write_kubeconfig(server, user={"token": "abc-secret"})) as client:
        with pytest.raises(errors.Unauthorized) as refused:
            await client.version()
        assert "abc-secret" not in repr(client) + repr(vars(client)) + repr(refused.value)
    assert len(server.sent) == 1
    assert "log in again" in refused.value.hint


async def test_a_missing_token_file_is_said(server: FakeApiServer, write_kubeconfig: WriteKubeconfig) -> None:
    """The message names the file."""
    async with await connect(kubeconfig=write_kubeconfig(server, user={"tokenFile": "no/such"})) as client:
        with pytest.raises(errors.CredentialsError, match="no/such"):
            await client.version()


async def test_a_pod_s_account_is_used_inside_a_cluster(server: FakeApiServer, tmp_path: Path) -> None:
    """Address from the environment; token, authority and namespace from the mounted files."""
    for name, content in (("token", b"pod-token"), ("ca.crt", server.authority_pem), ("namespace", b"chaos\n")):
        (tmp_path / name).write_bytes(content)
    environ = {"KUBERNETES_SERVICE_HOST": server.address, "KUBERNETES_SERVICE_PORT": str(server.port)}
    access = in_cluster_access(environ, tmp_path)
    assert access is not None
    assert (access.namespace, access.cluster.server) == ("chaos", server.url)
    assert access.user.token_file == str(tmp_path / "token")


@pytest.mark.parametrize("environ", [{}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}])
def test_outside_of_a_pod_there_is_no_account(environ: dict[str, str], tmp_path: Path) -> None:
    """Both the environment and the token are needed."""
    assert in_cluster_access(environ, tmp_path) is None


def test_an_ipv6_address_is_put_in_brackets(tmp_path: Path) -> None:
    """The URL of a cluster with IPv6 addresses is a valid one."""
    (tmp_path / "token").write_text("x")
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    access = in_cluster_access(environ, tmp_path)
    assert access is not None
    assert access.cluster.server == "https://[fd00::1]:443"
    assert IN_CLUSTER_DIRECTORY.is_absolute()


async def test_a_client_certificate_is_shown(tmp_path: Path, write_kubeconfig: WriteKubeconfig) -> None:
    """From files or from data; the server asks for it in the TLS handshake."""
    async with serving(client_certificates=True) as server:
        me = server.authority.issue_cert("me@example.org")
        (tmp_path / "me.crt").write_bytes(me.cert_chain_pems[0].bytes())
        (tmp_path / "me.key").write_bytes(me.private_key_pem.bytes())
        in_data = {
            "client-certificate-data": base64.b64encode(me.cert_chain_pems[0].bytes()).decode(),
            "client-key-data": base64.b64encode(me.private_key_pem.bytes()).decode(),
        }
        for user in ({"client-certificate": "me.crt", "client-key": "me.key"}, in_data):
            assert await _authorization(server, write_kubeconfig(server, user=user)) is None
        assert len(server.sent) == 2


async def test_without_the_certificate_the_server_asks_for_the_reason_is_said(
    write_kubeconfig: WriteKubeconfig,
) -> None:
    """The connection fails in the handshake, which is told as such."""
    async with serving(client_certificates=True) as server:
        async with await connect(kubeconfig=write_kubeconfig(server, user={})) as client:
            with pytest.raises(errors.Unreachable):
                await client.version()
        assert server.sent == []


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ({"client-certificate-data": "AAAA"}, "without key"),
        ({"client-certificate-data": "!", "client-key-data": "AAAA"}, "not base64"),
        ({"client-certificate-data": "AAAA", "client-key-data": "AAAA"}, "not PEM"),
        ({"client-certificate": "no.crt", "client-key": "no.key"}, r"can't read .*no\.crt"),
        ({"auth-provider": {"name": "gcp"}}, "'gcp' is no longer part of Kubernetes"),
        ({"auth-provider": {"name": "oidc"}}, "has no idp-issuer-url"),
        ({"exec": {"apiVersion": "client.authentication.k8s.io/v1"}}, "has no command"),
        ({"exec": {"apiVersion": "client.authentication.k8s.io/v1alpha1", "command": "x"}}, "speaks .*v1alpha1"),
    ],
)
async def test_a_user_that_can_t_work_is_refused(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, user: dict[str, Any], message: str
) -> None:
    """The message says what is wrong with the entry, before anything is sent."""
    with pytest.raises(ConfigurationError, match=message):
        async with await connect(kubeconfig=write_kubeconfig(server, user=user)) as client:
            await client.version()
    assert server.sent == []


async def test_no_key_is_left_in_temporary_files(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key given as data goes through a file; it lives no longer than the call that reads it."""
    me = server.authority.issue_cert("me@example.org")
    user = {
        "client-certificate-data": base64.b64encode(me.cert_chain_pems[0].bytes()).decode(),
        "client-key-data": base64.b64encode(me.private_key_pem.bytes()).decode(),
    }
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with contextlib.ExitStack() as stack:
        monkeypatch.setattr("tempfile.tempdir", str(temporary))
        stack.callback(monkeypatch.setattr, "tempfile.tempdir", None)
        await _authorization(server, write_kubeconfig(server, user=user))
    assert list(temporary.iterdir()) == []
