"""Secrets that a policy names rather than holds: read from the environment, or from a file that may change."""

import os
from pathlib import Path

from seatrial.errors import ConfigurationError
from seatrial.policy.secret_sources import Secret, SecretSource

_MOST_BYTES = 64 * 1024


def value_of(secret: Secret | None, source: SecretSource | None) -> str:
    """The value, wherever it is; empty where there is none.

    Raises:
        ConfigurationError: the variable is not set, or the file can't be read.
    """
    if secret is not None:
        return secret.get_secret_value()
    if source is None:
        return ""
    return _from_environment(source.spec) if source.key == "env" else _from_file(Path(source.spec))


def _from_environment(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise ConfigurationError(
            f"the environment variable {name} is not set", hint="config.notify reads a secret from it"
        )
    return value


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            value = file.read(_MOST_BYTES).decode().strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigurationError(f"can't read {path}: {reason}", hint="config.notify reads a secret from it") from error
    if not value:
        raise ConfigurationError(f"{path} is empty", hint="config.notify reads a secret from it")
    return value
