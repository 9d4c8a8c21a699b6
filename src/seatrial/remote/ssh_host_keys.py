"""Which machines are believed to be who they say: known host keys, as OpenSSH keeps them.

A key that is not known is refused, unless unknown ones are allowed; then it is remembered for as long as the run lasts.
A key that differs from the known one is always refused: somebody listens in, or the machine was made anew, and only a
person can tell which.
"""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import asyncssh

from seatrial.remote.ssh_settings import Address

_SYSTEM_WIDE = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))
_OWN = "~/.ssh/known_hosts"
_SSH_PORT = 22

Place = tuple[str, int]
"""A server's host and port."""


class _Stamp(NamedTuple):
    """What changes with a file's content."""

    path: str
    modified: int
    size: int


class HostKeys:
    """The known host keys of a run."""

    def __init__(self, *, file: Path | None = None, allow_missing: bool = False) -> None:
        self.allow_missing = allow_missing
        self.file = file
        self._met: dict[Place, asyncssh.SSHKey] = {}
        self._read: dict[tuple[_Stamp, ...], asyncssh.SSHKnownHosts] = {}

    def read(self, configured: object) -> asyncssh.SSHKnownHosts:
        """The keys in the file given, else in those that the configuration names, else where OpenSSH looks.

        It reads files: call it in a thread.

        Raises:
            OSError: a file can't be read.
            ValueError: there is something else in it.
        """
        stamps = tuple(_stamp_of(path) for path in self._files(configured))
        if stamps not in self._read:
            self._read[stamps] = asyncssh.read_known_hosts([each.path for each in stamps])
        return self._read[stamps]

    def _files(self, configured: object) -> Sequence[Path]:
        if self.file is not None:
            return (self.file,)
        named = [Path(each).expanduser() for each in configured] if isinstance(configured, list) else []
        found = named or [Path("~/.ssh", name).expanduser() for name in ("known_hosts", "known_hosts2")]
        return [path for path in (*found, *_SYSTEM_WIDE) if path.is_file()]

    def remember(self, place: Place, key: asyncssh.SSHKey) -> bool:
        """Take an unknown key for a server's; false where the server has shown another one in this run."""
        return self._met.setdefault(place, key) == key


class HostKeyJudge(asyncssh.SSHClient):
    """Asyncssh's owner of one connection, who is asked about keys that aren't known; `objection` is why not, if so."""

    def __init__(self, keys: HostKeys, known: asyncssh.SSHKnownHosts, *, behind: Address | None) -> None:
        self.objection = ""
        self.hint = ""
        self._keys = keys
        self._known = known
        self._behind = behind

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Whether a key is believed that isn't among the known ones."""
        return self._is_believed(host, addr, port, key)

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Whether the key of an authority that certified the host's is believed, which isn't among the known ones."""
        return self._is_believed(host, addr, port, key)

    def _is_believed(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        print_ = f"{key.get_algorithm()} {key.get_fingerprint()}"
        if self._is_revoked(host, addr, port, key):
            self.objection = f"its host key is revoked ({print_})"
            self.hint = "known_hosts says so: somebody else may have that key"
        elif self._has_another(host, addr, port):
            self._object_to_change(host, port, print_)
        elif not self._keys.allow_missing:
            self.objection = f"its host key is not known ({print_})"
            self.hint = (
                f"compare it with the machine's own, then: {self._adding(host, port)}; or take every unknown key:"
                " --ssh-allow-missing-host-keys"
            )
        elif not self._keys.remember((host, port), key):
            self._object_to_change(host, port, print_)
        return not self.objection

    def _adding(self, host: str, port: int) -> str:
        """The command that adds the key to the known ones; one that nobody here can ask for is added by logging in."""
        where = [] if port == _SSH_PORT else ["-p", str(port)]
        file = self._keys.file
        if self._behind is None:
            return f"{shlex.join(['ssh-keyscan', *where, host])} >> {shlex.quote(str(file)) if file else _OWN}"
        here = ["-o", f"UserKnownHostsFile={file}"] if file else []
        return shlex.join(["ssh", "-J", str(self._behind), *here, *where, host])

    def _has_another(self, host: str, addr: str, port: int) -> bool:
        found: Sequence[Any] = self._known.match(host, addr, None if port == _SSH_PORT else port)
        host_keys, authorities = found[0], found[1]
        return bool(host_keys or authorities)

    def _is_revoked(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Asyncssh forgets what is revoked for a host and port where nothing else is known of them."""
        names = {host, addr, f"[{host}]:{port}", f"[{addr}]:{port}"}
        return any(key in self._known.match(name, "", None)[2] for name in names)

    def _object_to_change(self, host: str, port: int, print_: str) -> None:
        self.objection = (
            f"its host key is not the one that is known ({print_}): it was made anew, or somebody listens in"
        )
        name = host if port == _SSH_PORT else f"[{host}]:{port}"
        self.hint = f"if it was made anew: {shlex.join(['ssh-keygen', '-R', name])}, and add the new key"


def _stamp_of(path: Path) -> _Stamp:
    stat = os.stat(path)  # noqa: PTH116 -- one call for both
    return _Stamp(str(path), stat.st_mtime_ns, stat.st_size)
