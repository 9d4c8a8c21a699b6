"""OpenID Connect logins of a kubeconfig (`auth-provider: oidc`): the id token, refreshed before it ends.

The identity provider's token endpoint is found by OpenID Connect Discovery 1.0 (4) and asked with a refresh token
(RFC 6749, 6). What it answers is written back to the kubeconfig, as kubectl does: a provider that rotates refresh
tokens would lock the user out otherwise.
"""

import asyncio
import base64
import contextlib
import os
import ssl
import tempfile
import time
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from seatrial.errors import ConfigurationError
from seatrial.kube.errors import CredentialsError
from seatrial.kube.kubeconfig import Access, decoded_data
from seatrial.kube.login import Identity

_LEEWAY_SECONDS = 10
_LOG_IN_AGAIN = "log in at the identity provider again (as when the kubeconfig was made)"


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str = ""
    refresh_token: str = ""

    def __repr__(self) -> str:
        return "_Tokens(...)"


class _Provider(msgspec.Struct, frozen=True):
    token_endpoint: str


class _Claims(msgspec.Struct, frozen=True):
    exp: float = 0


class OidcLogin:
    """Holds the id token; asks the provider for another when it is about to end or was refused."""

    def __init__(self, access: Access) -> None:
        provider = access.user.auth_provider
        self._config = dict((provider.config if provider else None) or {})
        self._user_name = access.user_name
        self._file = access.user_file
        self._refused = False
        self._refreshing = asyncio.Lock()
        for key in ("idp-issuer-url", "client-id"):
            if not self._config.get(key):
                raise ConfigurationError(f"the oidc auth-provider of user {access.user_name!r} has no {key}")

    async def identity(self) -> Identity:
        """See `auth.Login`."""
        async with self._refreshing:
            token = self._config.get("id-token", "")
            if not token or self._refused or _expiry(token) <= time.time() + _LEEWAY_SECONDS:
                await self._refresh()
            return Identity(f"Bearer {self._config['id-token']}")

    def renew(self) -> bool:
        """See `auth.Login`."""
        self._refused = bool(self._config.get("refresh-token"))
        return self._refused

    async def _refresh(self) -> None:
        refresh_token = self._config.get("refresh-token")
        if not refresh_token:
            raise CredentialsError("the id token has expired, and there is no refresh token", hint=_LOG_IN_AGAIN)
        try:
            tokens = await self._ask_provider(refresh_token)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            issuer = self._config["idp-issuer-url"]
            raise CredentialsError(f"can't reach the identity provider {issuer}: {type(error).__name__}") from error
        if not tokens.id_token:
            raise CredentialsError("the identity provider gave no id token", hint=_LOG_IN_AGAIN)
        self._config["id-token"] = tokens.id_token
        if tokens.refresh_token:
            self._config["refresh-token"] = tokens.refresh_token
        self._refused = False
        if self._file is not None:
            await asyncio.to_thread(_save, self._file, self._user_name, self._config)

    async def _ask_provider(self, refresh_token: str) -> _Tokens:
        connector = aiohttp.TCPConnector(ssl=self._tls())
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        async with aiohttp.ClientSession(connector=connector, trust_env=True) as session:
            issuer = self._config["idp-issuer-url"].rstrip("/")
            async with session.get(f"{issuer}/.well-known/openid-configuration") as response:
                provider = _read(await response.read(), _Provider, status=response.status)
            client_id, secret = self._config["client-id"], self._config.get("client-secret", "")
            # RFC 6749, 2.3.1: the header is what every provider must take; a public client names itself in the form.
            headers = {"Authorization": _basic(client_id, secret)} if secret else {}
            body = form if secret else {**form, "client_id": client_id}
            async with session.post(provider.token_endpoint, data=body, headers=headers) as response:
                if response.status != 401 or not secret:
                    return _read(await response.read(), _Tokens, status=response.status)
            body = {**form, "client_id": client_id, "client_secret": secret}
            async with session.post(provider.token_endpoint, data=body) as response:
                return _read(await response.read(), _Tokens, status=response.status)

    def _tls(self) -> ssl.SSLContext:
        data = self._config.get("idp-certificate-authority-data", "")
        path = self._config.get("idp-certificate-authority", "")
        try:
            cadata = decoded_data(data, name="idp-certificate-authority-data").decode("ascii") if data else None
            return ssl.create_default_context(cafile=path or None, cadata=cadata)
        except (OSError, ValueError) as error:
            raise ConfigurationError("the oidc auth-provider's certificate authority can't be read") from error


_T = TypeVar("_T")


def _read(body: bytes, kind: type[_T], *, status: int) -> _T:
    if status >= 400:
        raise CredentialsError(f"the identity provider answered {status}", hint=_LOG_IN_AGAIN)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise CredentialsError("the identity provider gave an answer that can't be read") from None


def _basic(client_id: str, secret: str) -> str:
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _expiry(token: str) -> float:
    """When a token ends, in seconds since the epoch; it is the server's business to check its signature."""
    try:
        payload = token.split(".")[1]
        padded = payload + "=" * (-len(payload) % 4)
        return msgspec.json.decode(base64.urlsafe_b64decode(padded), type=_Claims).exp
    except (IndexError, ValueError, msgspec.DecodeError):
        return 0


def _save(path: Path, user_name: str, config: dict[str, str]) -> None:
    """Write the tokens back into the user's entry; a kubeconfig that can't be written is left as it is."""
    import yaml  # noqa: PLC0415 -- only where tokens were refreshed

    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for entry in content.get("users") or ():
        if entry.get("name") == user_name:
            entry["user"]["auth-provider"]["config"] = config
    with contextlib.suppress(OSError):
        _replace(path.resolve(), yaml.safe_dump(content, sort_keys=False))


def _replace(path: Path, text: str) -> None:
    """All or nothing: a reader never sees half a file, and the permissions stay."""
    mode = path.stat().st_mode & 0o777
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
