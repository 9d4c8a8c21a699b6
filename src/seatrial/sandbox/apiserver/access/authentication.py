"""Who a request comes from: a client certificate, a bearer token, or nobody.

A certificate of the sandbox's authority names the user in CN and the groups in O. A bearer token is the
administrator's static one or a service account's. A credential that is wrong is refused (401); none at all makes
the user `system:anonymous`, whom authorization then refuses nearly everything.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from seatrial.sandbox.api import ApiError
from seatrial.sandbox.apiserver.access.tokens import TokenSigner
from seatrial.sandbox.apiserver.calls import ANONYMOUS, User
from seatrial.sandbox.apiserver.statuses import failure

ADMINISTRATOR = User("kubernetes-admin", ("system:masters", "system:authenticated"))


def unauthorized() -> ApiError:
    """401, as Kubernetes words it."""
    return failure(401, "Unauthorized", "Unauthorized")


class Authenticator:
    """Finds the user of a request.

    Args:
        admin_token: the administrator's bearer token; empty for none.
        signer: checks service account tokens.
    """

    def __init__(self, *, admin_token: str, signer: TokenSigner) -> None:
        self._admin_token = hashlib.sha256(admin_token.encode()).digest() if admin_token else None
        self._signer = signer

    def authenticate(
        self, headers: Mapping[str, str], certificate: Mapping[str, Any] | None, der: bytes | None
    ) -> User:
        """The user; 401 for a credential that is wrong."""
        if certificate:
            return _certificate_user(certificate, der)
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return ANONYMOUS
        if self._admin_token and hmac.compare_digest(hashlib.sha256(token.encode()).digest(), self._admin_token):
            return ADMINISTRATOR
        user = self._signer.verify(token)
        if user is None:
            raise unauthorized()
        return user


def _certificate_user(certificate: Mapping[str, Any], der: bytes | None) -> User:
    pairs = [pair for relative in certificate.get("subject", ()) for pair in relative]
    names = [value for key, value in pairs if key == "commonName"]
    groups = [value for key, value in pairs if key == "organizationName"]
    if not names:
        raise unauthorized()
    extra = {}
    if der:
        extra["authentication.kubernetes.io/credential-id"] = [f"X509SHA256={hashlib.sha256(der).hexdigest()}"]
    return User(names[0], (*groups, "system:authenticated"), "", extra)
