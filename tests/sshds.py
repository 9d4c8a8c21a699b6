"""A real OpenSSH server for the tests: that of this machine, else one out of Debian's archive; `make test` fetches it.

    python -m tests.sshds

It runs as an unprivileged user, on loopback, and lets in who has the test's key. Where the tests run as root, it gets
a user of its own, in a mount namespace with another list of users: a server that runs as root would need one that only
an installed package makes.
"""

import getpass
import lzma
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.debian_packages import DebianPackage, DownloadError, take

INSTALLED = Path(sys.prefix) / "openssh"
_USUAL = (Path("/usr/sbin/sshd"), Path("/usr/local/sbin/sshd"))
_UID = 64990
_START_SECONDS = 20

_PACKAGES = (
    DebianPackage(
        "openssh-server",
        "9.2p1-2+deb12u10",
        "pool/main/o/openssh",
        {
            "amd64": "933cd92a2329f9bf26d22660a834ae18ebdbe8df9c6127e4d9fcb098dac9cf72",
            "arm64": "63ea95107e522de7a8da9a841f3b9442875f9d064087d6ef8e5b4d21291016a9",
        },
    ),
    DebianPackage(
        "libwrap0",
        "7.6.q-32",
        "pool/main/t/tcp-wrappers",
        {
            "amd64": "cbce2669a3ba4d74cfdc52b14f38014893e23d85a33d109a3422c342eefc55f8",
            "arm64": "c5f02a234b481e7016d10188822b8d84420cc5978db19c0d253eb222452cffe7",
        },
    ),
)
# Of the libraries that the server needs, the only one that Debian's and Ubuntu's images don't have anyway.
_FILES = ("usr/sbin/sshd", "libwrap.so.0")


class NoServerError(Exception):
    """There is no OpenSSH server here that can be started; the message says why."""


@dataclass(frozen=True)
class Sshd:
    """A server that runs: where, as whom one logs in, and what it has logged so far."""

    port: int
    user: str
    directory: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    @property
    def host_key(self) -> str:
        return (self.directory / "host_key.pub").read_text()

    @property
    def key(self) -> Path:
        return self.directory / "key"


def find() -> Path | None:
    """The server's program."""
    return next((path for path in (*_USUAL, INSTALLED / "sshd") if os.access(path, os.X_OK)), None)


@contextmanager
def running(*, options: str = "") -> Iterator[Sshd]:
    """A server with keys of its own.

    Raises:
        NoServerError: none can be started here.
    """
    program = find()
    if program is None or not shutil.which("ssh-keygen"):
        raise NoServerError("there is no OpenSSH server on this machine: python -m tests.sshds")
    with tempfile.TemporaryDirectory(prefix="sshd-") as name:
        directory = Path(name)
        user = _prepare(directory, program)
        port = _free_port()
        _configure(directory, port, options)
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(
                _command(directory), env={**os.environ, "LD_LIBRARY_PATH": name}, stdout=log, stderr=log
            )
        server = Sshd(port, user, directory, process)
        try:
            _wait_until_up(server)
            yield server
        finally:
            process.terminate()
            process.wait()


def _prepare(directory: Path, program: Path) -> str:
    """Put everything there that the server's user has to be able to read; answers that user's name."""
    for path in [program, *INSTALLED.glob("lib*")]:
        shutil.copy(path, directory / path.name)
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name], check=True)
    shutil.copy(directory / "key.pub", directory / "authorized_keys")
    if os.geteuid() != 0:
        return getpass.getuser()
    users = Path("/etc/passwd").read_text()
    (directory / "passwd").write_text(f"{users}machine:x:{_UID}:{_UID}::{directory}:/bin/sh\n")
    for path in (directory, directory / "host_key"):
        os.chown(path, _UID, _UID)
    return "machine"


def _configure(directory: Path, port: int, options: str) -> None:
    settings = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": directory / "host_key", "PidFile": "none",
        "AuthorizedKeysFile": directory / "authorized_keys", "StrictModes": "no", "UsePAM": "no",
        "PasswordAuthentication": "no", "LogLevel": "VERBOSE", "PrintMotd": "no",
    }  # fmt: skip
    text = "".join(f"{name} {value}\n" for name, value in settings.items())
    (directory / "config").write_text(text + options)


def _command(directory: Path) -> list[str]:
    server = [str(directory / "sshd"), "-D", "-e", "-f", str(directory / "config")]
    if os.geteuid() != 0:
        return server
    other = f"--reuid={_UID} --regid={_UID} --clear-groups --bounding-set=-all --no-new-privs"
    script = f'mount --bind "$1" /etc/passwd && shift && exec setpriv {other} "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh", str(directory / "passwd"), *server]


def _wait_until_up(server: Sshd) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if server.process.poll() is not None:
            raise NoServerError(f"an OpenSSH server can't be started here: {server.log.strip() or 'it said nothing'}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", server.port)) == 0:
                return
        time.sleep(0.05)
    raise NoServerError(f"the OpenSSH server does not listen: {server.log.strip()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def install(directory: Path = INSTALLED) -> None:
    """Fetch, check and unpack the server, and the library that it needs."""
    for package, file in zip(_PACKAGES, _FILES, strict=True):
        take(package.fetch(), [file], directory)


def main() -> int:
    """Install the server where there is none."""
    if find() is not None:
        return os.EX_OK
    try:
        install()
    except (DownloadError, subprocess.TimeoutExpired, lzma.LZMAError, tarfile.TarError) as error:
        print(f"an OpenSSH server could not be had: {error}", file=sys.stderr)  # noqa: T201 -- a command's output
        return os.EX_UNAVAILABLE
    print(f"OpenSSH server {_PACKAGES[0].version}: {find()}")  # noqa: T201 -- likewise
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
