"""An SSH server of the test's own: asyncssh's, which runs each command as a process and counts who comes."""

import asyncio
import contextlib
import os
import signal
import socket
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh


class Commands(asyncssh.SSHServerSession):
    """One command: a process group of its own, as sshd makes it, that gets the signals sent to it."""

    def __init__(self, server: "SshServer") -> None:
        self._server = server
        self._chan: asyncssh.SSHServerChannel | None = None
        self._task: asyncio.Task | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._command = ""

    def connection_made(self, chan):
        self._chan = chan
        self._server.sessions += 1

    def exec_requested(self, command):
        self._command = command
        self._server.commands.append(command)
        return not self._server.refuses_commands

    def session_started(self):
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._server.tasks.add(self._task)

    def eof_received(self):
        return True  # there is no input; the output goes on

    def signal_received(self, signal):
        self._server.signals.append(signal)
        if self._process and self._server.passes_signals_on:
            _kill(self._process, signal)

    def connection_lost(self, exc):
        self._server.sessions -= 1
        if self._server.drops_commands and self._process:
            _kill(self._process, "KILL")

    async def _run(self):
        with self._server.counting():
            self._process = await asyncio.create_subprocess_shell(
                self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            exit_ = asyncio.ensure_future(self._process.wait())
            copies = asyncio.gather(
                self._copy(self._process.stdout, None),
                self._copy(self._process.stderr, asyncssh.EXTENDED_DATA_STDERR),
            )
            await asyncio.wait({exit_, copies}, return_when=asyncio.ALL_COMPLETED)
        code = exit_.result()
        with contextlib.suppress(OSError):
            if code < 0:
                self._chan.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
            else:
                self._chan.exit(code)

    async def _copy(self, stream, datatype):
        while data := await stream.read(8192):
            with contextlib.suppress(OSError, BrokenPipeError):
                self._chan.write(data, datatype)


def _kill(process, name):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.Signals[f"SIG{name}"])


class Door(asyncssh.SSHServer):
    """One connection: who is let in, and what may be done through it."""

    def __init__(self, server: "SshServer") -> None:
        self._server = server

    def connection_made(self, conn):
        self._server.connections.append(conn)

    def password_auth_supported(self):
        return bool(self._server.passwords)

    def validate_password(self, username, password):
        return self._server.passwords.get(username) == password

    def begin_auth(self, username):
        self._server.users.append(username)
        return not self._server.is_open_to_all

    def session_requested(self):
        most = self._server.most_sessions
        return (most is None or self._server.sessions < most) and Commands(self._server)

    def connection_requested(self, dest_host, dest_port, orig_host, orig_port):
        self._server.forwarded.append((dest_host, dest_port))
        return self._server.forwards


@dataclass(kw_only=True)
class SshServer:
    """A machine's SSH server, and what it has seen."""

    host: str = "127.0.0.1"
    port: int = 0
    key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))
    authorized: Path | None = None
    passwords: dict[str, str] = field(default_factory=dict)
    forwards: bool = False
    refuses_commands: bool = False
    most_sessions: int | None = None
    passes_signals_on: bool = True
    drops_commands: bool = True
    connections: list = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    signals: list[str] = field(default_factory=list)
    forwarded: list[tuple[str, int]] = field(default_factory=list)
    most_at_once: int = 0
    sessions: int = 0
    tasks: set = field(default_factory=set)
    _at_once: int = 0
    _acceptor: asyncssh.SSHAcceptor | None = None

    @property
    def is_open_to_all(self) -> bool:
        return not self.passwords and self.authorized is None

    @property
    def known_hosts_line(self) -> str:
        name = self.host if self.port == 22 else f"[{self.host}]:{self.port}"
        key = self.key[0] if isinstance(self.key, tuple) else self.key
        return f"{name} {key.export_public_key().decode()}"

    @contextlib.contextmanager
    def counting(self):
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        yield
        self._at_once -= 1

    async def start(self) -> "SshServer":
        self._acceptor = await asyncssh.listen(
            self.host,
            self.port,
            server_factory=lambda: Door(self),
            server_host_keys=[self.key],
            authorized_client_keys=str(self.authorized) if self.authorized else None,
            encoding=None,
            reuse_address=True,
        )
        self.port = self._acceptor.get_port()
        return self

    def cut(self) -> None:
        """Every connection breaks, as when the machine is reset."""
        for connection in self.connections:
            connection.abort()

    def freeze(self) -> None:
        """Nothing that is sent here is read any more, as when the machine is gone without a word."""
        for connection in self.connections:
            connection._transport.pause_reading()

    def thaw(self) -> None:
        for connection in self.connections:
            connection._transport.resume_reading()

    async def stop(self) -> None:
        if self._acceptor is not None:
            self._acceptor.close()
            await self._acceptor.wait_closed()
            self._acceptor = None
        self.cut()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def free_port() -> int:
    """A port that nobody listens on, at any address of this machine."""
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return probe.getsockname()[1]
