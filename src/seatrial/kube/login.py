"""What a login is: it yields an identity and knows when that has gone stale.

`auth` has the simple ones (tokens, token files, certificates), `exec_plugin` and `oidc` those that ask somebody.
"""

from typing import Protocol

import msgspec

from seatrial.kube.tls import ClientCertificate


class Identity(msgspec.Struct, frozen=True):
    """What a login yields: the Authorization header's value, a client certificate, or both."""

    authorization: str = ""
    certificate: ClientCertificate | None = None

    def __repr__(self) -> str:
        return "Identity(...)"


class Login(Protocol):
    """A way to prove who we are."""

    async def identity(self) -> Identity:
        """The identity to use at this moment.

        Raises:
            CredentialsError: there is none to be had.
        """
        ...

    def renew(self) -> bool:
        """The server refused the identity: forget it, and say whether there may be another."""
        ...
