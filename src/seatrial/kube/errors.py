"""What goes wrong when talking to a cluster, by what the user has to do about it.

    ClusterError
    ├── Unreachable                   no answer: wrong address, nothing listens, a proxy, a firewall
    │   ├── CertificateRejected       the server's certificate isn't trusted, or ours wasn't sent or taken
    │   └── RequestTimeout            no answer in time
    ├── PortUnreachable               a pod's port can't be reached through a port-forward
    ├── UnexpectedAnswer              an answer that isn't the Kubernetes API's
    ├── CredentialsError              a token, a plugin or a login that yields no credentials
    └── ApiStatusError                the API server said no (its Status object)
        ├── Unauthorized              401  it doesn't know us
        ├── Forbidden                 403  we may not: verb, resource, namespace, user
        ├── NotFound                  404
        ├── Conflict                  409  changed or replaced meanwhile
        │   └── AlreadyExists
        ├── Gone                      410  the resourceVersion is too old
        ├── BadRequest                400, 405, 406, 413, 415
        │   └── Invalid               422  the object breaks a rule; `causes` says where
        ├── TooManyRequests           429  the server is busy
        │   └── DisruptionBudgetBlocked    a PodDisruptionBudget forbids the eviction
        └── ServerError               5xx

Errors of aiohttp and ssl are translated here, at the edge; messages hold no credentials.
"""

# ruff: noqa: N818 -- named by the API's own reasons

import re
import socket
import ssl
from typing import ClassVar

import msgspec

from seatrial.errors import ClusterError
from seatrial.kube.late_certificates import aiohttp


class StatusCause(msgspec.Struct, frozen=True):
    """One of the reasons for a failure."""

    reason: str = ""
    message: str = ""
    field: str = ""


class StatusDetails(msgspec.Struct, frozen=True, rename="camel"):
    """What a failure is about."""

    name: str = ""
    group: str = ""
    kind: str = ""
    causes: tuple[StatusCause, ...] | None = None
    retry_after_seconds: int = 0


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """The API server's answer when something failed (Kubernetes documentation, "Status" in the API reference)."""

    kind: str = "Status"
    status: str = ""
    message: str = ""
    reason: str = ""
    details: StatusDetails | None = None
    code: int = 0


class Unreachable(ClusterError):
    """No answer came: `url` says from where, the message why; `was_sent` whether the request may have had an effect."""

    def __init__(self, message: str, *, hint: str = "", url: str = "", was_sent: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.url = url
        self.was_sent = was_sent


class CertificateRejected(Unreachable):
    """The TLS handshake failed over a certificate."""


class RequestTimeout(Unreachable):
    """The deadline of a call passed; whether it had an effect is not known."""


class PortUnreachable(ClusterError):
    """A pod's port can't be reached through a port-forward; the message is its node's."""


class UnexpectedAnswer(ClusterError):
    """Something answered that isn't a Kubernetes API server, or broke off in the middle."""


class CredentialsError(ClusterError):
    """No credentials could be had: the plugin, the token file or the identity provider failed."""


class ApiStatusError(ClusterError):
    """The API server refused: holds its `Status`."""

    default_hint: ClassVar[str] = ""

    def __init__(self, status: Status, *, code: int, retry_after_seconds: float | None = None) -> None:
        super().__init__(status.message or f"the API server answered {code}", hint=self.default_hint)
        self.status = status
        self.code = code
        self.reason = status.reason
        self.retry_after_seconds = retry_after_seconds
        self.after_repeat = False
        """Whether an earlier sending of the same request may have had its effect."""

    @property
    def causes(self) -> tuple[StatusCause, ...]:
        """The single reasons, where the server gives any."""
        return (self.status.details.causes or ()) if self.status.details else ()


class Unauthorized(ApiStatusError):
    """401: the API server doesn't know who we are."""

    default_hint = "the credentials of this kubeconfig context are missing or have expired: log in again"


_FORBIDDEN_RE = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) '
    r'(?:resource "(?P<resource>[^"]*)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]*)"| at the cluster scope)?|path "(?P<path>[^"]*)")'
)


class Forbidden(ApiStatusError):
    """403: says which `verb` on which `resource` (with group), in which `namespace`, `user` may not."""

    def __init__(self, status: Status, *, code: int = 403, retry_after_seconds: float | None = None) -> None:
        super().__init__(status, code=code, retry_after_seconds=retry_after_seconds)
        found = _FORBIDDEN_RE.search(status.message)
        parts = {key: value or "" for key, value in found.groupdict().items()} if found else {}
        self.user = parts.get("user", "")
        self.verb = parts.get("verb", "")
        self.group = parts.get("group", "")
        self.namespace = parts.get("namespace", "")
        self.resource = parts.get("resource", "")
        self.path = parts.get("path", "")
        if self.resource:
            self.hint = self._permission_hint()

    def _permission_hint(self) -> str:
        plural, _, subresource = self.resource.partition("/")
        name = f"{plural}.{self.group}" if self.group else plural
        flag = f" --subresource={subresource}" if subresource else ""
        where = f" -n {self.namespace}" if self.namespace else " --all-namespaces"
        return (
            f"{self.user} needs a role with the verb {self.verb!r} on {self.resource!r}; "
            f"check with: kubectl auth can-i {self.verb} {name}{flag}{where} --as {self.user}"
        )


class NotFound(ApiStatusError):
    """404: no such object, or no such kind of object."""


class Conflict(ApiStatusError):
    """409: the object was changed or replaced since it was read."""


class AlreadyExists(Conflict):
    """409: an object of this name is there."""


class Gone(ApiStatusError):
    """410: the resourceVersion or the continue token is too old."""


class BadRequest(ApiStatusError):
    """The request itself is wrong."""


class Invalid(BadRequest):
    """422: the object breaks a rule of its kind."""


class TooManyRequests(ApiStatusError):
    """429: the server asks to come back later."""

    default_hint = "the API server is overloaded or limits this client: try again later"


class DisruptionBudgetBlocked(TooManyRequests):
    """429: evicting this pod would break a PodDisruptionBudget; the message says which and by how much."""

    default_hint = "wait until more pods of the budget are ready, or choose pods outside of it"

    def __init__(self, status: Status, *, code: int = 429, retry_after_seconds: float | None = None) -> None:
        super().__init__(status, code=code, retry_after_seconds=retry_after_seconds)
        self.budget_message = "; ".join(cause.message for cause in self.causes if cause.message)
        if self.budget_message:
            self.message = f"{self.message.rstrip('.')}: {self.budget_message}"
            self.args = (self.message,)


class ServerError(ApiStatusError):
    """5xx: the server failed, or a proxy before it."""


_BY_CODE: dict[int, type[ApiStatusError]] = {
    400: BadRequest, 401: Unauthorized, 403: Forbidden, 404: NotFound, 405: BadRequest, 406: BadRequest, 409: Conflict,
    410: Gone, 413: BadRequest, 415: BadRequest, 422: Invalid, 429: TooManyRequests,
}  # fmt: skip
_decoder = msgspec.json.Decoder(Status)


def status_of(body: bytes, *, code: int) -> Status:
    """The Status in an answer's body; what isn't one (a proxy's page) is taken as its message, shortened."""
    try:
        status = _decoder.decode(body)
        if status.kind == "Status":
            return status
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    text = " ".join(body[:2000].decode(errors="replace").split())[:200]
    return Status(message=f"HTTP {code}: {text}" if text else f"HTTP {code}", code=code)


def error_for_status(
    status: Status, *, code: int, retry_after_seconds: float | None = None, request: str = ""
) -> ApiStatusError:
    """The error of the kind that a Status stands for; `request` is told where the server names no object."""
    if request and code == 404 and not (status.details and status.details.name):
        status = msgspec.structs.replace(status, message=f"{status.message} ({request})")
    kind = _BY_CODE.get(code, ServerError if code >= 500 else ApiStatusError)
    causes = (status.details.causes or ()) if status.details else ()
    if code == 409 and status.reason == "AlreadyExists":
        kind = AlreadyExists
    elif code == 429 and any(cause.reason == "DisruptionBudget" for cause in causes):
        kind = DisruptionBudgetBlocked
    if retry_after_seconds is None and status.details and status.details.retry_after_seconds:
        retry_after_seconds = status.details.retry_after_seconds
    return kind(status, code=code, retry_after_seconds=retry_after_seconds)


def had_no_effect(error: ClusterError) -> bool:
    """Whether it is sure that the request that failed so was not carried out, nor an earlier sending of it."""
    if isinstance(error, Unreachable):
        return not error.was_sent
    return isinstance(error, ApiStatusError) and error.code < 500 and not error.after_repeat


def may_pass(error: BaseException | None) -> bool:
    """Whether the same request may work a little later: no answer, a busy or failing server, a change in between."""
    if error is None or isinstance(error, CertificateRejected | AlreadyExists | DisruptionBudgetBlocked):
        return False
    passing = isinstance(error, Unreachable | UnexpectedAnswer | Conflict | TooManyRequests | ServerError)
    return passing or may_pass(error.__cause__)


def connection_error(error: BaseException, *, server: str) -> Unreachable:
    """Translate what aiohttp, ssl or the system says about a connection that failed."""
    translated = _translated(error, server=server)
    translated.was_sent = not isinstance(error, _NOT_CONNECTED)
    return translated


def _translated(error: BaseException, *, server: str) -> Unreachable:
    tls = _tls_error(error)
    if tls is not None:
        return _certificate_error(tls, server=server)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return Unreachable(
            f"the proxy refuses a connection to {server}: {error.status} {error.message}",
            hint="check proxy-url in the kubeconfig, or HTTPS_PROXY and NO_PROXY",
            url=server,
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return Unreachable(
            f"can't reach {server}: its name is not known",
            hint="check the server's address in the kubeconfig and this machine's DNS (VPN connected?)",
            url=server,
        )
    if isinstance(error, TimeoutError):
        return RequestTimeout(f"can't reach {server}: no answer in time", hint=_NETWORK_HINT, url=server)
    reason = _system_reason(error)
    hint = "is the cluster running?" if "refused" in reason else _NETWORK_HINT
    return Unreachable(f"can't reach {server}: {reason}", hint=hint, url=server)


_NOT_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, aiohttp.ConnectionTimeoutError)
_NETWORK_HINT = "check the network between this machine and the cluster (VPN, firewall, proxy)"


def _system_reason(error: BaseException) -> str:
    os_error = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(os_error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(os_error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
        return "the server closed the connection before it answered"
    if isinstance(os_error, OSError) and os_error.strerror:
        return os_error.strerror.lower()
    return str(os_error) or type(os_error).__name__


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    """The TLS error that is, or caused, another one."""
    seen: BaseException | None = error
    while seen is not None:
        # Some of aiohttp's errors are SSLErrors themselves, but know nothing of their reason.
        if isinstance(seen, ssl.SSLError) and not isinstance(seen, aiohttp.ClientError):
            return seen
        inner = getattr(seen, "certificate_error", None) or getattr(seen, "os_error", None)
        seen = inner if isinstance(inner, BaseException) and inner is not seen else seen.__cause__
    return None


def _certificate_error(error: ssl.SSLError, *, server: str) -> CertificateRejected:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message.rstrip(".")
        if error.verify_code in {62, 64}:  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
            hint = "if the address is right, set tls-server-name in the kubeconfig to the name in the certificate"
        elif error.verify_code == 10:  # X509_V_ERR_CERT_HAS_EXPIRED
            hint = "the server's certificate must be renewed; is this machine's clock right?"
        else:
            hint = "certificate-authority in the kubeconfig is not the one that signed it: fetch the kubeconfig again"
        message = f"the certificate of {server} is not trusted: {reason}"
        return CertificateRejected(message, hint=hint, url=server)
    reason = (error.reason or str(error)).replace("_", " ").lower()
    hint = "is this an https address, and is the client certificate in the kubeconfig still valid?"
    return CertificateRejected(f"no TLS connection with {server}: {reason}", hint=hint, url=server)
