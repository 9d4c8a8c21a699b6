"""Credentials that are replaced while they are in use: a real API server says who it takes us for."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from seatrial.kube.client import Client, connect
from seatrial.kube.errors import Forbidden
from seatrial.kube.resources import PODS
from seatrial.kube.rotation import FollowedCredentials
from seatrial.sandbox.apiserver.kubeconfig import write_kubeconfig
from seatrial.sandbox.pki import Credential
from tests.conftest import Control
from tests.kube.conftest import WriteKubeconfig
from tests.kube.fake_apiserver import FakeApiServer


@pytest.fixture(autouse=True)
def _looks_at_each_request(monkeypatch):
    """The files are looked at once a second at most; here nobody wants to wait for that."""
    monkeypatch.setattr("seatrial.kube.rotation._SECONDS_BETWEEN_LOOKS", 0.0)


class Files:
    """A kubeconfig that names files, as kubeadm's and minikube's do; an administrator, or somebody who may nothing."""

    def __init__(self, control: Control, directory: Path) -> None:
        self.kubeconfig = directory / "kubeconfig-of-files"
        self.certificate, self.key, self.authority = (directory / name for name in ("my.crt", "my.key", "my-ca.crt"))
        self.admin = control.authority.issue_client("rotated-admin", ["system:masters"])
        self.nobody = control.authority.issue_client("nobody")
        self.use(self.nobody)
        shutil.copy(control.authority.ca_file, self.authority)
        user = {"client-certificate": "my.crt", "client-key": "my.key"}
        cluster = {"server": control.server.url, "certificate-authority": "my-ca.crt"}
        document = {
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        self.kubeconfig.write_text(json.dumps(document))

    def use(self, credential: Credential) -> None:
        shutil.copy(credential.cert_file, self.certificate)
        shutil.copy(credential.key_file, self.key)


@pytest.fixture
def files(control, tmp_path):
    return Files(control, tmp_path)


async def may_list(client: Client) -> bool:
    try:
        await client.list(PODS, namespace="default")
    except Forbidden:
        return False
    return True


async def test_a_certificate_that_was_replaced_is_used_from_the_next_request_on(files):
    """Nobody has to begin anew when a client certificate is renewed."""
    async with await connect(kubeconfig=files.kubeconfig) as client:
        assert not await may_list(client)
        files.use(files.admin)
        assert await may_list(client)


async def test_half_of_a_pair_is_waited_out(files, caplog):
    """A certificate without its key, in the middle of a renewal: what is in hand goes on, and that is said once."""
    async with await connect(kubeconfig=files.kubeconfig) as client:
        shutil.copy(files.admin.cert_file, files.certificate)
        assert not await may_list(client)
        assert not await may_list(client)
        shutil.copy(files.admin.key_file, files.key)
        assert await may_list(client)
    [said] = [each.getMessage() for each in caplog.records]
    assert "don't belong together; going on as before" in said


async def test_a_file_that_is_gone_for_a_moment_does_no_harm(files):
    """As while somebody replaces it by hand."""
    files.use(files.admin)
    async with await connect(kubeconfig=files.kubeconfig) as client:
        files.certificate.unlink()
        files.kubeconfig.rename(files.kubeconfig.with_suffix(".old"))
        assert await may_list(client)


async def test_a_kubeconfig_that_was_written_anew_is_read_again(control, tmp_path):
    """As clouds' commands and `kubeadm certs renew` do it, with the certificate in the file itself."""
    path = tmp_path / "written"
    admin = control.authority.issue_client("written-admin", ["system:masters"])
    said: dict[str, Any] = {"server": control.server.url, "authority": control.authority}
    write_kubeconfig(path, credential=control.authority.issue_client("nobody"), **said)
    async with await connect(kubeconfig=path) as client:
        assert not await may_list(client)
        path.write_text("clusters: [")
        assert not await may_list(client)
        write_kubeconfig(path, credential=admin, **said)
        assert await may_list(client)


async def test_a_kubeconfig_that_leads_elsewhere_is_not_followed(control, tmp_path, caplog):
    """An experiment never moves to another cluster: neither by another context, nor by another server."""
    path = tmp_path / "written"
    admin = control.authority.issue_client("written-admin", ["system:masters"])
    said: dict[str, Any] = {"authority": control.authority, "credential": admin}
    write_kubeconfig(path, server=control.server.url, **said)
    async with await connect(kubeconfig=path) as client:
        document = json.loads(path.read_text())
        other = {"name": "other", "cluster": {"server": "https://127.0.0.1:1"}}
        context = {"name": "other", "context": {"cluster": "other", "user": "seatrial-sandbox"}}
        document["clusters"].append(other)
        document["contexts"].append(context)
        path.write_text(json.dumps({**document, "current-context": "other"}))
        assert await may_list(client)
        write_kubeconfig(path, server="https://127.0.0.1:1", **said)
        assert await may_list(client)
    assert "leads to https://127.0.0.1:1 now; going on as before" in caplog.text


async def test_another_authority_is_trusted_once_its_file_says_so(files, control, tmp_path):
    """The file that a pod finds its cluster's authority in changes when the cluster gets another one."""
    files.use(files.admin)
    right = files.authority.read_bytes()
    async with await connect(kubeconfig=files.kubeconfig) as client:
        before = await client._transport._credentials.tls()
        assert await may_list(client)
        files.authority.write_bytes(b"# written anew\n" + right)
        assert await may_list(client)
        assert await client._transport._credentials.tls() is not before


async def test_a_login_program_does_not_run_again_for_another_certificate(
    server: FakeApiServer, write_kubeconfig: WriteKubeconfig, tmp_path: Path
):
    """Its token is good until it expires, whatever else of the kubeconfig was written anew."""
    counter = tmp_path / "counter"
    program = tmp_path / "login"
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "abc"}}
    program.write_text(f"#!/bin/sh\necho x >> {counter}\ncat <<'EOF'\n{json.dumps(credential)}\nEOF\n")
    program.chmod(0o700)
    config = {"apiVersion": credential["apiVersion"], "command": str(program), "interactiveMode": "Never"}
    path = write_kubeconfig(server, user={"exec": config})
    server.on("GET", "/version", {"gitVersion": "v1.36.2"})
    async with await connect(kubeconfig=path) as client:
        await client.version()
        path.write_text(path.read_text() + "\n# written anew\n")
        await client.version()
    assert counter.read_text().split() == ["x"]
    assert [sent.headers["Authorization"] for sent in server.sent] == ["Bearer abc"] * 2


async def test_the_files_are_looked_at_once_a_second(files, monkeypatch):
    """A flood of requests doesn't become a flood of looks; who is refused looks at once."""
    monkeypatch.setattr("seatrial.kube.rotation._SECONDS_BETWEEN_LOOKS", 1.0)
    from seatrial.kube.access import find_access

    now = [0.0]
    access = find_access(kubeconfig=files.kubeconfig)
    followed = FollowedCredentials(
        access,
        find=lambda: find_access(kubeconfig=files.kubeconfig, context="x"),
        files=[files.kubeconfig],
        monotonic=lambda: now[0],
    )
    before = await followed.tls()
    files.use(files.admin)
    assert await followed.tls() is before
    now[0] = 1.1
    changed = await followed.tls()
    assert changed is not before
    files.use(files.nobody)
    assert followed.renew()
    assert await followed.tls() is not changed
