"""Servers, kubeconfigs and clients for the tests of the client."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from seatrial.kube.client import Client, connect
from tests.kube.fake_apiserver import FakeApiServer, serving

WriteKubeconfig = Callable[..., Path]


@pytest.fixture(autouse=True)
def _no_kubeconfig_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reaches a real cluster or proxy of the person who runs it."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    """An API server on loopback with TLS."""
    async with serving() as running:
        yield running


@pytest.fixture
def write_kubeconfig(tmp_path: Path) -> WriteKubeconfig:
    """Writes a kubeconfig for a server; `user` and `cluster` add to the entries."""

    def write(
        of: FakeApiServer | str, *, user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None
    ) -> Path:
        entry = {"server": of} if isinstance(of, str) else {"server": of.url, **_authority(of)}
        merged = {key: value for key, value in {**entry, **(cluster or {})}.items() if value is not None}
        content = {
            "current-context": "test",
            "clusters": [{"name": "c", "cluster": merged}],
            "users": [{"name": "u", "user": {"token": "the-token"} if user is None else user}],
            "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u", "namespace": "team"}}],
        }
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(content))
        return path

    return write


def _authority(server: FakeApiServer) -> dict[str, str]:
    return {"certificate-authority-data": base64.b64encode(server.authority_pem).decode()}


@pytest.fixture
async def client(server: FakeApiServer, write_kubeconfig: WriteKubeconfig) -> AsyncIterator[Client]:
    """A client of the server."""
    async with await connect(kubeconfig=write_kubeconfig(server), timeout_seconds=10) as connected:
        yield connected
