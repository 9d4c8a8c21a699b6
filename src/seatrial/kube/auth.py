"""Who we are to a cluster: what the kubeconfig's user entry means for each request.

Chooses the `login` that the entry asks for; programs and identity providers have files of their own (`exec_plugin`,
`oidc`). `ClusterCredentials` puts a login, impersonation and TLS together for `transport`. Source: Kubernetes
documentation, "Authenticating".
"""

import asyncio
import base64
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

from seatrial.errors import ConfigurationError
from seatrial.kube.errors import CredentialsError
from seatrial.kube.kubeconfig import Access, Cluster, User
from seatrial.kube.login import Identity, Login
from seatrial.kube.tls import ClientCertificate, client_certificate, tls_context
from seatrial.kube.transport import Credentials

_LOGIN_SECONDS = 300.0


class FixedLogin:
    """A token, a name and password, or nothing: always the same."""

    def __init__(self, authorization: str = "") -> None:
        self._identity = Identity(authorization)

    async def identity(self) -> Identity:
        """See `Login`."""
        return self._identity

    def renew(self) -> bool:
        """See `Login`."""
        return False


class TokenFileLogin:
    """A token in a file that somebody else rotates: read again whenever the file is another one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int, int] | None = None
        self._identity = Identity()

    async def identity(self) -> Identity:
        """See `Login`."""
        self._read_if_changed()
        return self._identity

    def renew(self) -> bool:
        """See `Login`; there may be another token if the file has changed by now, or can't be told apart."""
        before = self._identity
        self._version = None
        self._read_if_changed()
        return self._identity != before

    def _read_if_changed(self) -> None:
        try:
            found = self._path.stat()
            version = (found.st_ino, found.st_mtime_ns, found.st_size)
            if version != self._version:
                token = self._path.read_text(encoding="ascii").strip()
                self._identity, self._version = Identity(f"Bearer {token}"), version
        except OSError as error:
            # In the middle of a rotation the file may be gone: the token in hand is good for a while.
            if not self._identity.authorization:
                raise CredentialsError(f"can't read the token file {self._path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise CredentialsError(f"the token file {self._path} holds no token") from error


class ClusterCredentials:
    """A login together with the cluster's TLS settings: what `transport.Credentials` asks for."""

    def __init__(self, cluster: Cluster, user: User, login: Login) -> None:
        self._cluster = cluster
        self._uses_tls = cluster.server.startswith("https://")
        self._login = login
        self._certificate = client_certificate(user)
        self._impersonation = tuple(_impersonation(user))
        self._context: ssl.SSLContext | None = None
        self._context_certificate: ClientCertificate | None = None

    @property
    def login(self) -> Login:
        """The login alone."""
        return self._login

    def prepare(self) -> None:
        """Find out now whether the files that are named can be used together.

        Raises:
            ConfigurationError: they can't.
        """
        if self._uses_tls:
            self._context = tls_context(self._cluster, self._certificate)
            self._context_certificate = self._certificate

    async def headers(self) -> Sequence[tuple[str, str]]:
        """See `transport.Credentials`."""
        identity = await self._login.identity()
        if not identity.authorization:
            return self._impersonation
        return (("Authorization", identity.authorization), *self._impersonation)

    async def tls(self) -> ssl.SSLContext | None:
        """See `transport.Credentials`; one context as long as the certificate stays the same."""
        if not self._uses_tls:
            return None
        certificate = (await self._login.identity()).certificate or self._certificate
        if self._context is None or certificate != self._context_certificate:
            self._context = tls_context(self._cluster, certificate)
            self._context_certificate = certificate
        return self._context

    def renew(self) -> bool:
        """See `transport.Credentials`."""
        return self._login.renew()


def credentials_for(access: Access, *, login: Login | None = None) -> ClusterCredentials:
    """The credentials of a kubeconfig context; a `login` is used on, without one there is another.

    Raises:
        ConfigurationError: the user's entry asks for something that can't be done.
    """
    return ClusterCredentials(access.cluster, access.user, login or _login_for(access))


async def log_in_if_asked(access: Access, credentials: Credentials) -> None:
    """Run a login program that may ask: somebody may have to find a telephone, which no call has the time for.

    Raises:
        CredentialsError: it failed, or waits for too long.
    """
    if access.user.exec is None or not access.user.exec.may_ask:
        return
    try:
        async with asyncio.timeout(_LOGIN_SECONDS):
            await credentials.headers()
    except TimeoutError:
        raise CredentialsError(
            f"{access.user.exec.command} did not log in within {_LOGIN_SECONDS:g} s",
            hint="run it by hand to see what it waits for",
        ) from None


def _login_for(access: Access) -> Login:
    user = access.user
    makers: tuple[tuple[bool, Callable[[Access], Login]], ...] = (
        (user.exec is not None, _exec_login),
        (user.auth_provider is not None, _provider_login),
        (bool(user.token_file), lambda _: TokenFileLogin(Path(user.token_file))),
        (bool(user.token), lambda _: FixedLogin(f"Bearer {user.token}")),
        (bool(user.username), lambda _: FixedLogin(_basic(user.username, user.password))),
    )
    return next((make(access) for applies, make in makers if applies), FixedLogin())


def _exec_login(access: Access) -> Login:
    from seatrial.kube.exec_plugin import ExecLogin  # noqa: PLC0415 -- subprocesses, for those who need them

    return ExecLogin(access)


def _provider_login(access: Access) -> Login:
    from seatrial.kube.oidc import OidcLogin  # noqa: PLC0415 -- for the few who need it

    provider = access.user.auth_provider
    if provider is None or provider.name != "oidc":
        name = provider.name if provider else ""
        raise ConfigurationError(
            f"the kubeconfig's auth-provider {name!r} is no longer part of Kubernetes",
            hint="let your cloud's command write the kubeconfig again: it will use an exec plugin",
        )
    return OidcLogin(access)


def proxy_for(cluster: Cluster) -> str | None:
    """The proxy to reach a cluster by: its own, else the environment's, as for other Kubernetes clients.

    Raises:
        ConfigurationError: it is a SOCKS proxy.
    """
    import urllib.request  # noqa: PLC0415 -- loads much, for the few who have a proxy

    target = urlsplit(cluster.server)
    proxy: str | None = cluster.proxy_url
    if not proxy and not _is_loopback(target.hostname or ""):
        proxies = urllib.request.getproxies_environment()
        if not urllib.request.proxy_bypass_environment(target.netloc):  # type: ignore[attr-defined]  # not in typeshed
            proxy = proxies.get(target.scheme)
    if proxy and not proxy.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"a proxy of the kind {proxy.partition(':')[0]!r} is not supported", hint="use an http:// proxy"
        )
    return proxy or None


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def _impersonation(user: User) -> list[tuple[str, str]]:
    if not user.impersonate:
        return []
    headers = [("Impersonate-User", user.impersonate)]
    if user.impersonate_uid:
        headers.append(("Impersonate-Uid", user.impersonate_uid))
    headers += [("Impersonate-Group", group) for group in user.impersonate_groups or ()]
    for key, values in (user.impersonate_extra or {}).items():
        headers += [(f"Impersonate-Extra-{quote(key, safe='')}", value) for value in values]
    return headers
