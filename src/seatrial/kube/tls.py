"""TLS contexts from what a kubeconfig says: authorities, client certificates, or no checking at all."""

import os
import re
import ssl
import tempfile
from pathlib import Path

import msgspec

from seatrial.errors import ConfigurationError
from seatrial.kube.kubeconfig import Cluster, User, decoded_data

_CERTIFICATE_RE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class ClientCertificate(msgspec.Struct, frozen=True):
    """A certificate (chain) and its key, PEM."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "ClientCertificate(...)"


def authority_pem(cluster: Cluster) -> bytes:
    """The authorities that a cluster entry trusts; empty for this machine's own.

    Raises:
        ConfigurationError: they can't be read.
    """
    if cluster.certificate_authority_data:
        return decoded_data(cluster.certificate_authority_data, name="certificate-authority-data")
    return _read(cluster.certificate_authority, "certificate-authority") if cluster.certificate_authority else b""


def client_certificate(user: User) -> ClientCertificate | None:
    """The certificate that a user entry names, if any.

    Raises:
        ConfigurationError: it can't be read, or one half is missing.
    """
    certificate = _data_or_file(user.client_certificate_data, user.client_certificate, "client-certificate")
    key = _data_or_file(user.client_key_data, user.client_key, "client-key")
    if not certificate and not key:
        return None
    if not certificate or not key:
        raise ConfigurationError("the kubeconfig's user has a client certificate without key, or a key without one")
    return ClientCertificate(certificate, key)


def tls_context(cluster: Cluster, certificate: ClientCertificate | None) -> ssl.SSLContext:
    """The context for a cluster's connections.

    Raises:
        ConfigurationError: a certificate or key is no PEM, or they don't belong together.
    """
    authorities = authority_pem(cluster)
    # Only the certificates: bundles have comments, in any encoding.
    certificates = b"\n".join(_CERTIFICATE_RE.findall(authorities)).decode("ascii", errors="replace")
    if authorities and not certificates:
        raise ConfigurationError("the kubeconfig's certificate authority is not a PEM certificate")
    try:
        context = ssl.create_default_context(cadata=certificates or None)
    except ssl.SSLError as error:
        raise ConfigurationError("the kubeconfig's certificate authority is not a PEM certificate") from error
    # As Go's TLS, by which clusters are made: an intermediate authority may be the one that is trusted, and
    # authorities without key identifiers are common (Python 3.13 refuses them by default).
    context.verify_flags = (context.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN) & ~ssl.VERIFY_X509_STRICT
    if cluster.insecure_skip_tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        _load(context, certificate)
    return context


def _load(context: ssl.SSLContext, certificate: ClientCertificate) -> None:
    """OpenSSL takes a chain from a file only: ours lives as long as the call, readable by us alone."""
    descriptor, name = tempfile.mkstemp(prefix="seatrial-", suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(certificate.certificate + b"\n" + certificate.key)
        # A password would be asked for on the terminal otherwise.
        context.load_cert_chain(name, password=lambda: b"")
    except (ssl.SSLError, ValueError) as error:
        raise ConfigurationError(
            "the client certificate or key can't be used: not PEM, encrypted, or they don't belong together"
        ) from error
    finally:
        Path(name).unlink()


def _data_or_file(data: str, path: str, name: str) -> bytes:
    if data:
        return decoded_data(data, name=f"{name}-data")
    return _read(path, name) if path else b""


def _read(path: str, name: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"can't read the kubeconfig's {name} {path}: {error.strerror}") from error
