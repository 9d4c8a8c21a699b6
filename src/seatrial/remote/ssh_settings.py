"""How machines are reached over SSH: what flags and variables say, PowerfulSeal's among them.

| variable | what it says |
|---|---|
| `PS_REMOTE_USER` | as whom; by default the user that `~/.ssh/config` names, else `cloud-user` |
| `PS_PRIVATE_KEY` | a file with a private key, in place of the agent and the keys in `~/.ssh` |
| `PS_SSH_PASSWORD`, `SEATRIAL_SSH_PASSPHRASE` | secrets: they are read where they are used, and are in no journal |
| `SEATRIAL_SSH_PORT`, `SEATRIAL_SSH_JUMP_HOST` | the way |
| `SEATRIAL_SSH_KNOWN_HOSTS`, `SEATRIAL_SSH_ALLOW_MISSING_HOST_KEYS` | which host keys are believed |
| `SEATRIAL_SSH_USE_PRIVATE_IP`, `SEATRIAL_SSH_OVERRIDE_HOST` | which address |
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from seatrial.errors import ConfigurationError
from seatrial.kube.objects import Node

DEFAULT_USER = "cloud-user"
"""As whom PowerfulSeal logs in."""

PASSWORD = "PS_SSH_PASSWORD"  # noqa: S105 -- the variable's name
PASSPHRASE = "SEATRIAL_SSH_PASSPHRASE"  # noqa: S105 -- the variable's name

_FALSE = frozenset({"", "0", "false", "no", "off"})
# [USER@]HOST[:PORT], with brackets around an IPv6 address that a port follows.
_HOST = re.compile(
    r"(?:(?P<user>[^@\s]+)@)?(?:\[(?P<bracketed>[^]\s]+)]|(?P<host>[^@:,\[\]\s]+|[0-9a-fA-F:.]+))(?::(?P<port>\d+))?"
)


class Address(NamedTuple):
    """Where an SSH server is, and as whom to log in; what is None is left to `~/.ssh/config` and the defaults."""

    host: str
    port: int | None = None
    user: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `[USER@]HOST[:PORT]`; None where it is something else."""
        match = _HOST.fullmatch(text.strip())
        if match is None:
            return None
        port = int(match["port"]) if match["port"] else None
        return cls(match["bracketed"] or match["host"], port, match["user"]) if _is_port(port) else None

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host and self.port else self.host
        return f"{user}{host}{f':{self.port}' if self.port else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSettings:
    """How all machines of a cluster are reached."""

    user: str | None = None
    key_file: Path | None = None
    password: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    port: int | None = None
    jump_host: Address | None = None
    known_hosts: Path | None = None
    allow_missing_host_keys: bool = False
    use_private_ip: bool = False
    override_host: str = ""

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Self:
        """What variables (and flags, under the same names) say.

        Raises:
            ConfigurationError: one of them can't be meant.
        """
        return cls(
            user=variables.get("PS_REMOTE_USER") or None,
            key_file=_file(variables, "PS_PRIVATE_KEY"),
            password=variables.get(PASSWORD) or None,
            passphrase=variables.get(PASSPHRASE) or None,
            port=_port(variables.get("SEATRIAL_SSH_PORT", "")),
            jump_host=_jump_host(variables.get("SEATRIAL_SSH_JUMP_HOST", "")),
            known_hosts=_file(variables, "SEATRIAL_SSH_KNOWN_HOSTS"),
            allow_missing_host_keys=_is_true(variables, "SEATRIAL_SSH_ALLOW_MISSING_HOST_KEYS"),
            use_private_ip=_is_true(variables, "SEATRIAL_SSH_USE_PRIVATE_IP"),
            override_host=variables.get("SEATRIAL_SSH_OVERRIDE_HOST", ""),
        )

    def address_of(self, node: Node) -> Address | None:
        """Where the machine of a node is reached; None where the node has no address.

        The public address, unless the private one is asked for; a node that has only one kind is reached by that.
        """
        kinds = ("InternalIP", "Hostname") if self.use_private_ip else ("ExternalIP", "InternalIP", "Hostname")
        found = (address for kind in kinds for address in node.addresses(kind) if address)
        host = self.override_host or next(found, "")
        return Address(host, self.port, self.user) if host else None


def _file(variables: Mapping[str, str], name: str) -> Path | None:
    text = variables.get(name, "")
    if not text:
        return None
    path = Path(text).expanduser()
    if not path.is_file():
        raise ConfigurationError(f"there is no file {path}", hint=f"{name} or its flag names it")
    return path


def _port(text: str) -> int | None:
    if not text:
        return None
    port = int(text) if text.isascii() and text.isdigit() else 0
    if not _is_port(port):
        raise ConfigurationError(f"'{text}' is no port", hint="SEATRIAL_SSH_PORT is a number from 1 to 65535")
    return port


def _is_port(number: int | None) -> bool:
    return number is None or 0 < number <= 65535


def _jump_host(text: str) -> Address | None:
    if not text:
        return None
    address = Address.parse(text)
    if address is None:
        hint = "one is [USER@]HOST[:PORT]; several hops go into ~/.ssh/config, as ProxyJump"
        raise ConfigurationError(f"'{text}' is no jump host", hint=hint)
    return address


def _is_true(variables: Mapping[str, str], name: str) -> bool:
    return variables.get(name, "").strip().lower() not in _FALSE
