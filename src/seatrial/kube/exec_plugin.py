"""Login programs: exec plugins of a kubeconfig (`aws eks get-token`, `gke-gcloud-auth-plugin`, ...).

The program gets an ExecCredential in KUBERNETES_EXEC_INFO and prints one with a token or a client certificate, which is
kept until it expires or the server refuses it. Source: Kubernetes documentation, "Authenticating", "client-go
credential plugins", and the reference of client.authentication.k8s.io v1 and v1beta1.
"""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import field

from seatrial.environment import users_environment
from seatrial.errors import ConfigurationError
from seatrial.kube.errors import CredentialsError
from seatrial.kube.kubeconfig import Access, Cluster, ExecConfig
from seatrial.kube.login import Identity
from seatrial.kube.tls import ClientCertificate, authority_pem

_GROUP = "client.authentication.k8s.io"
_VERSIONS = frozenset({f"{_GROUP}/v1", f"{_GROUP}/v1beta1"})
# A credential that ends while the request is under way would be refused.
_LEEWAY = timedelta(seconds=10)
_EXTENSION = f"{_GROUP}/exec"


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: datetime | None = None

    def __repr__(self) -> str:
        return "_Status(...)"


class _ExecCredential(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str = ""
    kind: str = ""
    status: _Status = field(default_factory=_Status)


class ExecLogin:
    """Runs the program when there is no credential, it has expired, or it was refused."""

    def __init__(self, access: Access) -> None:
        config = access.user.exec
        if config is None or not config.command:
            raise ConfigurationError(f"the exec plugin of user {access.user_name!r} has no command")
        if config.api_version not in _VERSIONS:
            raise ConfigurationError(
                f"the exec plugin {config.command} speaks {config.api_version or 'no version'}",
                hint=f"update the plugin and write the kubeconfig again; supported: {', '.join(sorted(_VERSIONS))}",
            )
        self._config = config
        self._cluster = access.cluster
        self._identity: Identity | None = None
        self._expires: datetime | None = None
        self._running = asyncio.Lock()

    async def identity(self) -> Identity:
        """See `auth.Login`."""
        async with self._running:
            if self._identity is None or (self._expires is not None and datetime.now(UTC) >= self._expires):
                await self._log_in()
            if self._identity is None:
                raise CredentialsError(f"{self._config.command} gave no credentials")
            return self._identity

    def renew(self) -> bool:
        """See `auth.Login`."""
        self._identity = None
        return True

    async def _log_in(self) -> None:
        status = self._read(await self._run())
        certificate = None
        if status.client_certificate_data and status.client_key_data:
            certificate = ClientCertificate(status.client_certificate_data.encode(), status.client_key_data.encode())
        if not status.token and certificate is None:
            raise CredentialsError(f"{self._config.command} printed neither a token nor a certificate with its key")
        self._identity = Identity(f"Bearer {status.token}" if status.token else "", certificate)
        self._expires = status.expiration_timestamp - _LEEWAY if status.expiration_timestamp else None

    async def _run(self) -> bytes:
        config = self._config
        interactive = config.may_ask
        if config.interactive_mode == "Always" and not interactive:
            raise CredentialsError(
                f"{config.command} wants to ask on a terminal, and there is none", hint="run this from a terminal"
            )
        info = self._info(interactive=interactive)
        try:
            process = await asyncio.create_subprocess_exec(
                config.command,
                *(config.args or ()),
                env={**users_environment(), **_variables(config), "KUBERNETES_EXEC_INFO": info},
                stdin=None if interactive else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            hint = " ".join(config.install_hint.split()) or "the kubeconfig needs this program to log in: install it"
            raise CredentialsError(f"can't run {config.command}: {error.strerror}", hint=hint) from error
        try:
            output, complaints = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            last = complaints.decode(errors="replace").strip().rpartition("\n")[2][:200]
            raise CredentialsError(
                f"{config.command} ended with exit code {process.returncode}{': ' if last else ''}{last}",
                hint="run it by hand to see why: you may have to log in again",
            )
        return output

    def _read(self, output: bytes) -> _Status:
        try:
            credential = msgspec.json.decode(output, type=_ExecCredential)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # What it printed may hold secrets: not shown.
            raise CredentialsError(f"{self._config.command} printed no ExecCredential") from None
        if credential.kind != "ExecCredential" or credential.api_version != self._config.api_version:
            raise CredentialsError(
                f"{self._config.command} printed {credential.kind} of {credential.api_version}, "
                f"where the kubeconfig says ExecCredential of {self._config.api_version}"
            )
        return credential.status

    def _info(self, *, interactive: bool) -> str:
        spec: dict[str, Any] = {"interactive": interactive}
        if self._config.provide_cluster_info:
            spec["cluster"] = _cluster_info(self._cluster)
        info = {"apiVersion": self._config.api_version, "kind": "ExecCredential", "spec": spec}
        return msgspec.json.encode(info).decode()


def _variables(config: ExecConfig) -> dict[str, str]:
    return {variable.name: variable.value for variable in config.env or ()}


def _cluster_info(cluster: Cluster) -> dict[str, Any]:
    authorities = authority_pem(cluster)
    info = {
        "server": cluster.server,
        "tls-server-name": cluster.tls_server_name,
        "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
        "certificate-authority-data": base64.b64encode(authorities).decode(),
        "proxy-url": cluster.proxy_url,
        "config": next((e.get("extension") for e in cluster.extensions or () if e.get("name") == _EXTENSION), None),
    }
    return {key: value for key, value in info.items() if value}
