"""A real PostgreSQL server for the tests: that of this machine, else Debian's; `make test` fetches it.

    python -m tests.postgres_servers

It has a directory of its own, listens on loopback, and doesn't wait for the disk. PostgreSQL refuses to run as root:
where the tests do, it runs as `nobody`.

    with postgres_servers.running() as server:
        store = open_store(server.emptied(), state=directory)
"""

import lzma
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.debian_packages import DebianPackage, DownloadError, files_in

INSTALLED = Path(sys.prefix) / "postgresql"
_TREE = "usr/lib/postgresql/15"
_NOBODY = "nobody"  # who is on every machine, as initdb wants of whoever runs it
_START_SECONDS = 60
_USER = "tester"


def _package(name: str, version: str, folder: str, sha256: str) -> DebianPackage:
    return DebianPackage(name, version, f"pool/main/{folder}", {"amd64": sha256})


# The server, the client that initdb needs, and the libraries that slim images don't have.
_PACKAGES = (
    _package(
        "postgresql-15", "15.18-0+deb12u1", "p/postgresql-15",
        "6974c43ddec4f383d099e7d642cd59d0af83c2c90c0fb153a4179aa1bb4d73c1",
    ),
    _package(
        "libpq5", "15.18-0+deb12u1", "p/postgresql-15",
        "baef57c288d7d8c09c84cd461da35d28f981aa71c60448c1d95b52110cc9faf9",
    ),
    _package(
        "libicu72", "72.1-3+deb12u1", "i/icu", "f7f6f99c6d7b025914df2447fc93e11d22c44c0c8bdd8b6f36691c9e7ddcef88",
    ),
    _package(
        "libxml2", "2.9.14+dfsg-1.3~deb12u6", "libx/libxml2",
        "4460e39dda10a815881374217cde08474747cfa018358cd8612c14b390eff53b",
    ),
    _package(
        "libldap-2.5-0", "2.5.13+dfsg-5", "o/openldap",
        "4b6c30f6554149c594628d945edc6003f0eea8d0cc1341638c0e71375db147ed",
    ),
    _package(
        "libsasl2-2", "2.1.28+dfsg-10", "c/cyrus-sasl2",
        "11ee190ad39f8d7af441d2c8347388b9449434c73acc67b4b372445ac4152efa",
    ),
    _package(
        "libgssapi-krb5-2", "1.20.1-2+deb12u5", "k/krb5",
        "d8b87aea91b956b416c01a28c44ff6228315ae3b73de40acddac3dc5043607d2",
    ),
    _package(
        "libkrb5-3", "1.20.1-2+deb12u5", "k/krb5", "c90801be09701af221b54dd502a59cb378b7284ff31e480738baca317d2f7653",
    ),
    _package(
        "libk5crypto3", "1.20.1-2+deb12u5", "k/krb5",
        "7b6e47d15c5c9cdcd456137533d8308aeba608a54cec73b28bd59bfc4b54cf06",
    ),
    _package(
        "libkrb5support0", "1.20.1-2+deb12u5", "k/krb5",
        "8b9c05f2d8d461a10d657b118f572af5bf8fd6c8f93dcef81e852c5ab0f428ab",
    ),
    _package(
        "libcom-err2", "1.47.0-2+b2", "e/e2fsprogs", "a2bac7015e78fbc0c504df3e441f3a22292f1d2d77f9ccda760057f3690e22f2",
    ),
    _package(
        "libkeyutils1", "1.6.3-2", "k/keyutils", "cfac89e6a7a54ff3c6a4f843310e25efeddaa771baeae470bd98bd588c373563",
    ),
)  # fmt: skip


class NoServerError(Exception):
    """There is no PostgreSQL server here that can be started; the message says why."""


@dataclass
class Server:
    """A server: where it listens, and how it is stopped and started again."""

    programs: Path
    directory: Path
    port: int
    password: str

    def address(self, database: str) -> str:
        """The URL of a database, its password included."""
        return f"postgresql://{_USER}:{self.password}@127.0.0.1:{self.port}/{database}?connect_timeout=5"

    def emptied(self) -> str:
        """The URL of a database without any of our tables: the same each time, since one takes megabytes."""
        if not self.execute("SELECT 1 FROM pg_database WHERE datname = 'runs'"):
            self.execute("CREATE DATABASE runs")
        self.execute("DROP SCHEMA IF EXISTS seatrial CASCADE", database="runs")
        return self.address("runs")

    def new_database(self) -> str:
        """The URL of a database of its own."""
        name = f"runs_{secrets.token_hex(4)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.address(name)

    def execute(self, statement: str, *, database: str = "postgres") -> list[tuple[object, ...]]:
        """Carry out a statement by a connection of its own; what it answers."""
        import psycopg

        with psycopg.connect(self.address(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start it, and return when it answers."""
        self._control("start", "-l", str(self.directory / "log"), "-t", str(_START_SECONDS))

    def stop(self) -> None:
        """End it as if its machine had lost power: connections are cut off."""
        self._control("stop", "-m", "immediate", "-t", str(_START_SECONDS))

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """While the block runs, it takes connections and answers nothing, like a machine that hangs."""
        main = int((self.directory / "data" / "postmaster.pid").read_text().split()[0])
        stopped = []
        try:
            os.kill(main, signal.SIGSTOP)  # it begins no further processes
            stopped.append(main)
            for each in Path(f"/proc/{main}/task/{main}/children").read_text().split():
                os.kill(int(each), signal.SIGSTOP)
                stopped.append(int(each))
            yield
        finally:
            for each in stopped:
                os.kill(each, signal.SIGCONT)

    def _control(self, *arguments: str) -> None:
        _run([str(self.programs / "pg_ctl"), "-w", "-D", str(self.directory / "data"), *arguments], self.directory)


def find() -> Path | None:
    """The directory of the server's programs: Debian keeps it out of the PATH."""
    usual = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("pg_ctl")
    places = [*usual, *([Path(on_path).resolve().parent] if on_path else []), INSTALLED / _TREE / "bin"]
    return next((each for each in places if os.access(each / "initdb", os.X_OK)), None)


@contextmanager
def running() -> Iterator[Server]:
    """A server without any data.

    Raises:
        NoServerError: none can be started here.
    """
    programs = find()
    if programs is None:
        raise NoServerError("there is no PostgreSQL server on this machine: python -m tests.postgres_servers")
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        server = Server(programs, directory, _free_port(), secrets.token_hex(8))
        _prepare(server)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _prepare(server: Server) -> None:
    secret = server.directory / "password"
    secret.write_text(server.password)
    if os.geteuid() == 0:
        nobody = pwd.getpwnam(_NOBODY)
        for path in (server.directory, secret):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
    _run(
        [
            str(server.programs / "initdb"), "-D", str(server.directory / "data"), "-U", _USER, "-A", "scram-sha-256",
            f"--pwfile={secret}", "--no-sync", "-E", "UTF8", "--locale=C",
        ],
        server.directory,
    )  # fmt: skip
    settings = {
        "port": server.port, "listen_addresses": "'127.0.0.1'", "unix_socket_directories": "''", "fsync": "off",
        "full_page_writes": "off", "jit": "off", "shared_buffers": "16MB", "max_connections": 30,
    }  # fmt: skip
    with (server.directory / "data" / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = {value}\n" for name, value in settings.items())


def _run(command: list[str], directory: Path) -> None:
    libraries = sorted({str(each.parent) for each in INSTALLED.glob("usr/lib/**/*.so*")})
    environ = {**os.environ, "LC_ALL": "C"}
    if command[0].startswith(str(INSTALLED)):
        environ["LD_LIBRARY_PATH"] = ":".join(libraries)
    if os.geteuid() == 0:
        group = str(pwd.getpwnam(_NOBODY).pw_gid)
        command = ["setpriv", f"--reuid={_NOBODY}", f"--regid={group}", "--clear-groups", *command]
    # Not a pipe: the server would hold it open.
    with (directory / "output").open("w+") as output:
        done = subprocess.run(
            command, env=environ, cwd=directory, stdout=output, stderr=output, timeout=2 * _START_SECONDS, check=False
        )
        output.seek(0)
        said = output.read().strip()
    if done.returncode:
        raise NoServerError(f"{' '.join(command[:6])}: {said}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def install(directory: Path = INSTALLED) -> None:
    """Fetch, check and unpack the server and its libraries: programs find their files by where they stand."""
    for package in _PACKAGES:
        with files_in(package.fetch()) as files:
            wanted = [each for each in files.getmembers() if _is_wanted(each.name)]
            files.extractall(directory, members=wanted, filter="data")


def _is_wanted(name: str) -> bool:
    return "/doc/" not in name and "/locale/" not in name and "/man/" not in name


def main() -> int:
    """Install the server where there is none."""
    if find() is not None:
        return os.EX_OK
    try:
        install()
    except (DownloadError, subprocess.TimeoutExpired, lzma.LZMAError, tarfile.TarError, OSError) as error:
        print(f"a PostgreSQL server could not be had: {error}", file=sys.stderr)  # noqa: T201 -- a command's output
        return os.EX_UNAVAILABLE
    print(f"PostgreSQL server {_PACKAGES[0].version}: {find()}")  # noqa: T201 -- likewise
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
