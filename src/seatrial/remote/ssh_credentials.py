"""With what to log in on machines: a key file, a password, or what OpenSSH would take (agent, keys in `~/.ssh`).

A key file is read and decrypted once, not for each of two hundred machines.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncssh

from seatrial.errors import ConfigurationError
from seatrial.remote.ssh_settings import PASSPHRASE, SshSettings


async def credentials_of(settings: SshSettings) -> Mapping[str, Any]:
    """Arguments of asyncssh's options.

    Raises:
        ConfigurationError: the key file can't be used.
    """
    if settings.key_file is not None:
        keys: Any = await asyncio.to_thread(_read_key, settings.key_file, settings.passphrase)
    else:
        # With a password and no key, keys that happen to be here would only use up the attempts that a server allows.
        keys = None if settings.password else ()
    return {"client_keys": keys, "passphrase": settings.passphrase, "password": settings.password}


def _read_key(path: Path, passphrase: str | None) -> Any:
    """The key of a file; of an encrypted one the agent may have the key, which is asked then."""
    try:
        return [asyncssh.read_private_key(path, passphrase)]
    except asyncssh.KeyEncryptionError as error:
        raise ConfigurationError(
            f"the passphrase of {path} is another one", hint=f"it is read from {PASSPHRASE}"
        ) from error
    except asyncssh.KeyImportError as error:
        if passphrase is None and "passphrase" in str(error).lower():
            return _from_agent(path)
        raise ConfigurationError(f"{path} is no private key that can be used: {error}") from error
    except OSError as error:
        raise ConfigurationError(f"the private key {path} can't be read: {error.strerror}") from error


def _from_agent(path: Path) -> Any:
    if os.environ.get("SSH_AUTH_SOCK"):
        return ()
    raise ConfigurationError(
        f"{path} is encrypted", hint=f"give its passphrase in {PASSPHRASE}, or the key to an agent: ssh-add {path}"
    )
