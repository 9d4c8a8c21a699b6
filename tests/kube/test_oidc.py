"""OpenID Connect: an id token that is kept, refreshed, and written back."""

import base64
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml

from seatrial.kube import errors
from seatrial.kube.client import Client, connect
from tests.kube.conftest import WriteKubeconfig
from tests.kube.fake_apiserver import FakeApiServer, answer

_VERSION = {"gitVersion": "v1.36.2"}


def _token(seconds: float, name: str = "me") -> str:
    parts = ({"alg": "none"}, {"sub": name, "exp": int(time.time() + seconds)})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "signature"])


@pytest.fixture
def provider(server: FakeApiServer) -> FakeApiServer:
    """The same server plays the identity provider under /issuer."""
    server.on("GET", "/version", _VERSION)
    server.on("GET", "/issuer/.well-known/openid-configuration", {"token_endpoint": f"{server.url}/issuer/token"})
    return server


def _user(provider: FakeApiServer, **config: str) -> dict[str, Any]:
    basics = {
        "idp-issuer-url": f"{provider.url}/issuer",
        "client-id": "kubernetes",
        "idp-certificate-authority-data": base64.b64encode(provider.authority_pem).decode(),
    }
    return {"auth-provider": {"name": "oidc", "config": {**basics, **config}}}


async def _connected(path: Path) -> Client:
    return await connect(kubeconfig=path, timeout_seconds=10)


async def test_a_valid_id_token_is_used_as_it_is(provider: FakeApiServer, write_kubeconfig: WriteKubeconfig) -> None:
    """No question to the provider as long as the token lasts."""
    token = _token(3600)
    path = write_kubeconfig(provider, user=_user(provider, **{"id-token": token, "refresh-token": "r1"}))
    async with await _connected(path) as client:
        await client.version()
    assert [sent.path for sent in provider.sent] == ["/version"]
    assert provider.sent[0].headers["Authorization"] == f"Bearer {token}"


async def test_an_expired_id_token_is_refreshed_and_saved(
    provider: FakeApiServer, write_kubeconfig: WriteKubeconfig
) -> None:
    """The provider may rotate the refresh token: without saving it the user would be locked out."""
    fresh = _token(3600)
    provider.on("POST", "/issuer/token", {"id_token": fresh, "refresh_token": "r2"})
    secrets = {"id-token": _token(-10), "refresh-token": "r1", "client-secret": "s"}
    path = write_kubeconfig(provider, user=_user(provider, **secrets))
    path.chmod(0o600)
    async with await _connected(path) as client:
        await client.version()
        await client.version()
    [asked] = provider.seen("POST", "/issuer/token")
    assert parse_qs(asked.body.decode()) == {"grant_type": ["refresh_token"], "refresh_token": ["r1"]}
    assert asked.headers["Authorization"] == "Basic " + base64.b64encode(b"kubernetes:s").decode()
    assert provider.sent[-1].headers["Authorization"] == f"Bearer {fresh}"
    saved = yaml.safe_load(path.read_text())["users"][0]["user"]["auth-provider"]["config"]
    assert (saved["id-token"], saved["refresh-token"], saved["client-id"]) == (fresh, "r2", "kubernetes")
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_provider_that_wants_the_secret_in_the_form_gets_it(
    provider: FakeApiServer, write_kubeconfig: WriteKubeconfig
) -> None:
    """Not every provider takes the header."""
    provider.on("POST", "/issuer/token", answer({"error": "invalid_client"}, code=401), {"id_token": _token(3600)})
    path = write_kubeconfig(provider, user=_user(provider, **{"refresh-token": "r1", "client-secret": "s"}))
    async with await _connected(path) as client:
        await client.version()
    second = parse_qs(provider.seen("POST", "/issuer/token")[1].body.decode())
    assert (second["client_id"], second["client_secret"]) == (["kubernetes"], ["s"])


async def test_a_refused_id_token_is_refreshed(provider: FakeApiServer, write_kubeconfig: WriteKubeconfig) -> None:
    """The server may know better than the token's own date."""
    provider.on("GET", "/version", answer({"kind": "Status", "code": 401}), _VERSION)
    provider.on("POST", "/issuer/token", {"id_token": _token(3600, "other")})
    path = write_kubeconfig(provider, user=_user(provider, **{"id-token": _token(3600), "refresh-token": "r1"}))
    async with await _connected(path) as client:
        assert await client.version() == "v1.36.2"


@pytest.mark.parametrize(
    ("config", "given", "message"),
    [
        ({"id-token": "rubbish"}, answer({}), "there is no refresh token"),
        ({"refresh-token": "r"}, answer({"error": "invalid_grant"}, code=400), "answered 400"),
        ({"refresh-token": "r"}, answer({}), "gave no id token"),
        ({"refresh-token": "r"}, answer({"id_token": 5}), "can't be read"),
    ],
)
async def test_a_login_that_has_ended_is_said(
    provider: FakeApiServer, write_kubeconfig: WriteKubeconfig, config: dict[str, str], given: Any, message: str
) -> None:
    """The user has to log in again, and is told so, without any token in the message."""
    provider.on("POST", "/issuer/token", given)
    async with await _connected(write_kubeconfig(provider, user=_user(provider, **config))) as client:
        with pytest.raises(errors.CredentialsError, match=message):
            await client.version()
    assert provider.seen("GET", "/version") == []


async def test_a_provider_that_can_t_be_trusted_gets_nothing(
    provider: FakeApiServer, write_kubeconfig: WriteKubeconfig
) -> None:
    """Its certificate is checked like the cluster's."""
    user = _user(provider, **{"refresh-token": "r"})
    del user["auth-provider"]["config"]["idp-certificate-authority-data"]
    async with await _connected(write_kubeconfig(provider, user=user)) as client:
        with pytest.raises(errors.CredentialsError, match="can't reach the identity provider"):
            await client.version()
    assert provider.sent == []
