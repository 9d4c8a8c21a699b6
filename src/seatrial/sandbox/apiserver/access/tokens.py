"""Service account tokens: signed when a `TokenRequest` asks, checked when a request carries one.

ES256 JSON web tokens with the claims Kubernetes writes ("Managing Service Accounts" in its documentation). A token
is good while its account, and the pod, node or secret it is bound to, still exist with the same uid.
"""

import datetime as dt
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.calls import User
from seatrial.sandbox.apiserver.operations import Operations

KEY_ID = "seatrial"
ISSUER = "https://kubernetes.default.svc"
MOST_SECONDS = 1 << 32


class TokenSigner:
    """Issues and checks the tokens of one cluster."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._key = ec.generate_private_key(ec.SECP256R1())

    def configuration(self) -> Object:
        """What OpenID Connect clients read first: `/.well-known/openid-configuration`."""
        return {
            "issuer": ISSUER,
            "jwks_uri": f"{ISSUER}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }

    def keys(self) -> Object:
        """The key that tokens are checked with, as a JSON Web Key Set."""
        key = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**key, "use": "sig", "alg": "ES256", "kid": KEY_ID}]}

    def issue(self, account: Object, spec: Object) -> tuple[str, str]:
        """A token for an account and the time at which it expires; `spec` is a TokenRequest's."""
        meta = account["metadata"]
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        expires = now + dt.timedelta(seconds=int(spec.get("expirationSeconds") or 3600))
        private: Object = {
            "namespace": meta["namespace"],
            "serviceaccount": {"name": meta["name"], "uid": meta["uid"]},
        }
        bound = spec.get("boundObjectRef")
        if bound:
            private[bound["kind"].lower()] = {"name": bound["name"], "uid": bound.get("uid", "")}
        claims = {
            "aud": spec.get("audiences") or [ISSUER],
            "exp": int(expires.timestamp()),
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "iss": ISSUER,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": private,
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        }
        token = jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": KEY_ID})
        return token, expires.strftime("%Y-%m-%dT%H:%M:%SZ")

    def verify(self, token: str, *, audiences: tuple[str, ...] = (ISSUER,)) -> User | None:
        """The user a token stands for; None if it is forged, expired, for others, or its account is gone."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._key.public_key(), algorithms=["ES256"], audience=list(audiences), issuer=ISSUER
            )
        except jwt.PyJWTError:
            return None
        return self._user(claims)

    def _user(self, claims: dict[str, Any]) -> User | None:
        private = claims["kubernetes.io"]
        namespace, account = private["namespace"], private["serviceaccount"]
        found = self._operations.lookup("serviceaccounts", namespace, account["name"])
        if found is None or found["metadata"]["uid"] != account["uid"]:
            return None
        extra = {"authentication.kubernetes.io/credential-id": [f"JTI={claims['jti']}"]}
        for kind in ("pod", "node", "secret"):
            bound = private.get(kind)
            if not bound:
                continue
            live = self._operations.lookup(f"{kind}s", "" if kind == "node" else namespace, bound["name"])
            if live is None or (bound["uid"] and live["metadata"]["uid"] != bound["uid"]):
                return None
            if kind != "secret":
                extra[f"authentication.kubernetes.io/{kind}-name"] = [bound["name"]]
                extra[f"authentication.kubernetes.io/{kind}-uid"] = [bound["uid"]]
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        return User(str(claims["sub"]), groups, account["uid"], extra)
