"""Kubeconfig files for the sandbox: everything embedded, readable by the owner alone."""

import base64
import json
import os
from pathlib import Path
from typing import Any

from seatrial.sandbox.pki import Authority, Credential


def write_kubeconfig(
    path: Path,
    *,
    server: str,
    authority: Authority,
    name: str = "seatrial-sandbox",
    credential: Credential | None = None,
    token: str = "",
    namespace: str = "",
) -> None:
    """Write a kubeconfig with one context, for a client certificate or a bearer token.

    It is JSON, which is YAML. The file appears whole or not at all.
    """
    user: dict[str, Any] = {}
    if credential is not None:
        user["client-certificate-data"] = _embedded(credential.cert_file.read_bytes())
        user["client-key-data"] = _embedded(credential.key_file.read_bytes())
    if token:
        user["token"] = token
    context = {"cluster": name, "user": name, **({"namespace": namespace} if namespace else {})}
    cluster = {"server": server, "certificate-authority-data": _embedded(authority.ca_pem.encode())}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": context}],
        "current-context": name,
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)
        file.write("\n")
    temporary.replace(path)


def _embedded(data: bytes) -> str:
    return base64.b64encode(data).decode()
